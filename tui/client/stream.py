"""The terminal's live stream: the client library's, with the terminal's own types.

Invariant: the library's; whatever happens to the connection, every private event after the starting
one reaches the listener once and in order.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence

from outcry_client.limits import DEFAULTS
from outcry_client.reconnecting import ReconnectingStream
from outcry_client.session import Session
from tui.client.models import PrivateEvent, Quote
from tui.client.protocol import read

LIMITS = DEFAULTS


class StreamFeed(ReconnectingStream[Quote, PrivateEvent]):
    """Fulfils `Feed` over one WebSocket at a time."""

    def __init__(
        self,
        url: Callable[[], Awaitable[str]],
        session: Session,
        *,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        async def urls() -> Sequence[str]:
            return [await url()]

        super().__init__(urls, session, read, limits=LIMITS, rng=rng, monotonic=monotonic)
