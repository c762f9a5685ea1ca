"""The doors in earnest: token checks and ledger reads on threads, channels on the loop.

Invariant: the loop never waits for a store. Token checks have one thread and one set of
connections, ledger reads READERS threads with one connection a shard each. Each client has at most
one token check and one current read under way, so the queues are bounded by the connections.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from edge.fanout.client import Client
from edge.fanout.doors import EVENTS_MAX
from edge.fanout.private import PrivateEvents
from edge.fanout.reception import Reception
from edge.runtime.log import logger
from functions.shared.access.principal import Principal
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.user_events import UserEvents
from functions.shared.wire.events import UserEvent

READERS = 2
T = TypeVar("T")


class TokenVerifier(Protocol):
    """`functions.shared.access.verifier.Verifier`, or a test's own."""

    def verify(self, token: str) -> Principal: ...


class Lookups:
    """Fulfils `Doors`. An error nobody expects is given to `fail`, which ends the process."""

    def __init__(
        self,
        verifier: TokenVerifier,
        open_events: Callable[[], UserEvents],
        subscriber: ValkeySubscriber,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._verifier, self._subscriber, self._fail = verifier, subscriber, fail
        self._loop = asyncio.get_running_loop()
        self._verifying = ThreadPoolExecutor(1, "verify")
        self._local = threading.local()
        self._opened: list[UserEvents] = []
        self._reading = ThreadPoolExecutor(READERS, "events", self._open_reader, (open_events,))
        self._reception: Reception | None = None
        self._private: PrivateEvents | None = None

    def attach(self, reception: Reception, private: PrivateEvents) -> None:
        """Names those who are answered."""
        self._reception, self._private = reception, private

    def verify(self, client: Client, token: str) -> None:
        def answer(outcome: Principal | Exception) -> None:
            reception = self._reception
            if reception is None:
                return
            if isinstance(outcome, Principal):
                reception.verified(client, outcome)
            elif isinstance(outcome, Refused):
                reception.refused(client, outcome)
            else:
                logger(__name__).warning("a token can't be verified", detail=str(outcome))
                reception.not_verified(client)

        self._submit(self._verifying, lambda: self._verifier.verify(token), answer)

    def events(self, client: Client, ticket: int, after: int | None) -> None:
        user_id = client.user_id
        if user_id is None:
            raise ValueError("only a signed-in client has events")

        def answer(outcome: tuple[list[UserEvent] | None, int] | Exception) -> None:
            private = self._private
            if private is None:
                return
            if isinstance(outcome, tuple):
                private.fetched(client, ticket, *outcome)
            else:
                logger(__name__).warning("events can't be read", detail=str(outcome))
                private.not_fetched(client, ticket)

        self._submit(self._reading, lambda: self._read(user_id, after), answer)

    def listen(self, channels: Iterable[str]) -> None:
        self._subscriber.subscribe(channels)

    def unlisten(self, channels: Iterable[str]) -> None:
        self._subscriber.unsubscribe(channels)

    def close(self) -> None:
        """Drops what is queued and closes the readers' connections."""
        for pool in (self._verifying, self._reading):
            pool.shutdown(wait=True, cancel_futures=True)
        for events in self._opened:
            events.close()

    def _open_reader(self, open_events: Callable[[], UserEvents]) -> None:
        self._local.events = open_events()
        self._opened.append(self._local.events)

    def _read(self, user_id: int, after: int | None) -> tuple[list[UserEvent] | None, int]:
        """The events after a number, one more than EVENTS_MAX at most, and the latest number."""
        store: UserEvents = self._local.events
        if after is None:
            return None, store.latest(user_id)
        events = store.after(user_id, after, EVENTS_MAX + 1)
        return events, events[-1].user_seq if events else store.latest(user_id)

    def _submit(
        self,
        pool: ThreadPoolExecutor,
        ask: Callable[[], T],
        answer: Callable[[T | Exception], None],
    ) -> None:
        def done(future: "Future[T]") -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                self._loop.call_soon_threadsafe(answer, future.result())
            elif isinstance(error, Refused | Retryable):
                self._loop.call_soon_threadsafe(answer, error)
            else:
                self._loop.call_soon_threadsafe(self._fail, error)

        pool.submit(ask).add_done_callback(done)
