"""What the other threads hand to the matching thread, in one bounded queue.

Policy when it is full: the FIX and HTTP threads wait, so that TCP pushes back on the brokers, and
the feed's thread, which serves all its clients, refuses the request instead.
"""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from infra.exchange.feed_server import Connection
from infra.exchange.feed_session import Subscribe

MAX_WAITING = 50_000


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """An order message of a broker session, as its raw bytes in text."""

    session: str
    sequence: int
    raw: str


@dataclass(frozen=True, slots=True)
class AdminMessage:
    """Session messages took the numbers `first` to `last`; `reset` starts again after `last`."""

    session: str
    first: int
    last: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """A market-data request that waits for its snapshot."""

    connection: Connection
    request: Subscribe


@dataclass(frozen=True, slots=True)
class Query:
    """A question that only the matching thread can answer consistently."""

    ask: Callable[[], Any]
    answer: "Future[Any]"


Item = OrderMessage | AdminMessage | FeedRequest | Query
Inbox = queue.Queue[Item]


def new_inbox() -> Inbox:
    """Return an empty inbox."""
    return queue.Queue(MAX_WAITING)
