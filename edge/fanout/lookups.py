"""The doors in earnest: token checks and ledger reads on threads, channels on the loop.

Invariant: the loop never waits for a store. Token checks have one thread and one set of
connections, and those that wait are asked for together; ledger reads have `event_reads` threads
with one connection a shard each, portfolios one thread.
Each client has at most one token check and one current read under way, so the queues are bounded by
the connections; `Portfolios` bounds its own questions.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Final, Protocol, TypeVar

from edge.fanout.client import Client
from edge.fanout.limits import DEFAULTS, Limits
from edge.fanout.private import PrivateEvents
from edge.fanout.reception import Reception
from edge.runtime.log import logger
from functions.shared.access.principal import Principal
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.user_events import UserEvents
from functions.shared.stores.user_portfolio import UserPortfolio
from functions.shared.wire.events import UserEvent
from functions.shared.wire.portfolio import PortfolioFacts

T = TypeVar("T")

#: Tokens that are checked together: their clients are let in one after the other, in a few
#: milliseconds of the loop.
TOKENS_AT_ONCE: Final = 16


class TokenVerifier(Protocol):
    """`functions.shared.access.verifier.Verifier`, or a test's own."""

    def verify_all(self, tokens: Sequence[str]) -> list[Principal | Refused]: ...


class Lookups:
    """Fulfils `Doors`. An error nobody expects is given to `fail`, which ends the process."""

    def __init__(
        self,
        verifier: TokenVerifier,
        open_events: Callable[[], UserEvents],
        open_portfolio: Callable[[], UserPortfolio],
        subscriber: ValkeySubscriber,
        fail: Callable[[BaseException], None],
        limits: Limits = DEFAULTS,
    ) -> None:
        self._verifier, self._subscriber, self._fail = verifier, subscriber, fail
        self._loop = asyncio.get_running_loop()
        self._verifying = ThreadPoolExecutor(1, "verify")
        self._tokens: deque[tuple[Client, str]] = deque()
        self._checking = False
        self._local = threading.local()
        self._opened: list[UserEvents | UserPortfolio] = []
        self._events_most = limits.resume_events
        self._reading = ThreadPoolExecutor(
            limits.event_reads, "events", self._open_reader, (open_events,)
        )
        self._valuing = ThreadPoolExecutor(1, "portfolio", self._open_reader, (open_portfolio,))
        self._reception: Reception | None = None
        self._private: PrivateEvents | None = None

    def attach(self, reception: Reception, private: PrivateEvents) -> None:
        """Names those who are answered."""
        self._reception, self._private = reception, private

    def verify(self, client: Client, token: str) -> None:
        self._tokens.append((client, token))
        if not self._checking:
            self._check_tokens()

    def _check_tokens(self) -> None:
        """Those that came while the ones before were looked at, TOKENS_AT_ONCE at most: in a storm
        a store is asked once for many."""
        asked = [self._tokens.popleft() for _ in range(min(TOKENS_AT_ONCE, len(self._tokens)))]
        self._checking = bool(asked)
        if not asked:
            return

        def answer(outcomes: list[Principal | Refused] | Exception) -> None:
            self._check_tokens()
            verdicts: Sequence[Principal | Refused | None] = [None] * len(asked)
            if isinstance(outcomes, Exception):
                logger(__name__).warning("tokens can't be verified", detail=str(outcomes))
            else:
                verdicts = outcomes
            for (client, _), verdict in zip(asked, verdicts, strict=True):
                self._tell(client, verdict)

        tokens = [token for _, token in asked]
        self._submit(self._verifying, lambda: self._verifier.verify_all(tokens), answer)

    def _tell(self, client: Client, verdict: Principal | Refused | None) -> None:
        reception = self._reception
        if reception is None:
            return
        if isinstance(verdict, Principal):
            reception.verified(client, verdict)
        elif isinstance(verdict, Refused):
            reception.refused(client, verdict)
        else:
            reception.not_verified(client)

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

    def portfolio(self, user_id: int, ticket: int, trade_date: date) -> None:
        def read() -> tuple[PortfolioFacts | None]:
            store: UserPortfolio = self._local.store
            return (store.read(user_id, trade_date),)

        def answer(outcome: tuple[PortfolioFacts | None] | Exception) -> None:
            if self._private is None:
                return
            portfolios = self._private.portfolios
            if isinstance(outcome, tuple):
                portfolios.answered(user_id, ticket, *outcome)
            else:
                logger(__name__).warning("a portfolio can't be read", detail=str(outcome))
                portfolios.not_answered(user_id, ticket)

        self._submit(self._valuing, read, answer)

    def listen(self, channels: Iterable[str]) -> None:
        self._subscriber.subscribe(channels)

    def unlisten(self, channels: Iterable[str]) -> None:
        self._subscriber.unsubscribe(channels)

    def close(self) -> None:
        """Drops what is queued and closes the readers' connections."""
        self._tokens.clear()
        for pool in (self._verifying, self._reading, self._valuing):
            pool.shutdown(wait=True, cancel_futures=True)
        for store in self._opened:
            store.close()

    def _open_reader(self, open_store: Callable[[], UserEvents | UserPortfolio]) -> None:
        self._local.store = open_store()
        self._opened.append(self._local.store)

    def _read(self, user_id: int, after: int | None) -> tuple[list[UserEvent] | None, int]:
        """The events after a number, one more than a resume serves, and the latest number."""
        store: UserEvents = self._local.store
        if after is None:
            return None, store.latest(user_id)
        events = store.after(user_id, after, self._events_most + 1)
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
