"""The doors in earnest: token checks and ledger reads on threads, channels on the loop.

Invariant: the loop never waits for a store. Tokens, accounts' newest numbers and portfolios are
each asked for together, on a thread and connections of their own; events have `event_reads` threads
with one connection a shard each, and are read only where the newest number says that there are any.
Each client has at most one token check and one current read under way, so the queues are bounded by
the connections; `Portfolios` bounds its own questions.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Final, NamedTuple, Protocol

from edge.fanout.client import Client
from edge.fanout.gathering import Gathering, Threads
from edge.fanout.limits import DEFAULTS, Limits
from edge.fanout.missed_ends import MissedEnds
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

#: What is asked for together, so that a store answers each within a few milliseconds, and the loop
#: hands its answers out in as many.
TOKENS_AT_ONCE: Final = 16
NUMBERS_AT_ONCE: Final = 64
PORTFOLIOS_AT_ONCE: Final = 16


class TokenVerifier(Protocol):
    """`functions.shared.access.verifier.Verifier`, or a test's own."""

    def verify_all(self, tokens: Sequence[str]) -> list[Principal | Refused]: ...


class _Token(NamedTuple):
    """`outage`: of the channels, the latest when it was asked."""

    client: Client
    text: str
    outage: int


class _Since(NamedTuple):
    """What a client asks: `PrivateEvents` gave the ticket, and `after` if it has a number."""

    client: Client
    user_id: int
    ticket: int
    after: int | None


class _Books(NamedTuple):
    user_id: int
    ticket: int
    trade_date: date


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
        self._verifier, self._subscriber = verifier, subscriber
        self._threads = Threads(fail)
        self._local = threading.local()
        self._numbers, self._portfolios = open_events(), open_portfolio()
        self._opened: list[UserEvents | UserPortfolio] = [self._numbers, self._portfolios]
        self._events_most = limits.resume_events
        self._reading = ThreadPoolExecutor(
            limits.event_reads, "events", self._open_reader, (open_events,)
        )
        self._asked_tokens = Gathering(
            self._threads, "verify", TOKENS_AT_ONCE, self._check, self._checked
        )
        self._asked_numbers = Gathering(
            self._threads, "numbers", NUMBERS_AT_ONCE, self._read_numbers, self._numbered
        )
        self._asked_books = Gathering(
            self._threads, "portfolio", PORTFOLIOS_AT_ONCE, self._read_books, self._valued
        )
        #: Outages of the channels that were over before now.
        self._outages = 0
        self._missed: MissedEnds | None = None
        self._reception: Reception | None = None
        self._private: PrivateEvents | None = None

    def attach(
        self, reception: Reception, private: PrivateEvents, missed: MissedEnds | None = None
    ) -> None:
        """Names those who are answered, and who looks for ends that were missed."""
        self._reception, self._private, self._missed = reception, private, missed

    def verify(self, client: Client, token: str) -> None:
        self._asked_tokens.put(_Token(client, token, self._outages))

    def ends_missed(self) -> None:
        """Ends of sessions may have been published that nobody heard: of those that are signed in,
        and of those whose token is being checked."""
        self._outages += 1
        if self._reception is not None and self._missed is not None:
            self._missed.look(self._reception.session_ids())

    def events(self, client: Client, ticket: int, after: int | None) -> None:
        if client.user_id is None:
            raise ValueError("only a signed-in client has events")
        self._asked_numbers.put(_Since(client, client.user_id, ticket, after))

    def portfolio(self, user_id: int, ticket: int, trade_date: date) -> None:
        self._asked_books.put(_Books(user_id, ticket, trade_date))

    def listen(self, channels: Iterable[str]) -> None:
        self._subscriber.subscribe(channels)

    def unlisten(self, channels: Iterable[str]) -> None:
        self._subscriber.unsubscribe(channels)

    def close(self) -> None:
        """Drops what is queued and closes the readers' connections."""
        if self._missed is not None:
            self._missed.close()
        for questions in (self._asked_tokens, self._asked_numbers, self._asked_books):
            questions.close()
        self._reading.shutdown(wait=True, cancel_futures=True)
        for store in self._opened:
            store.close()

    # -- Tokens

    def _check(self, asked: list[_Token]) -> list[Principal | Refused]:
        return self._verifier.verify_all([each.text for each in asked])

    def _checked(self, asked: _Token, verdict: Principal | Refused | Retryable) -> None:
        reception = self._reception
        if reception is None:
            return
        if isinstance(verdict, Principal):
            reception.verified(asked.client, verdict)
            if asked.outage != self._outages and self._missed is not None:
                self._missed.look([verdict.session_id])
        elif isinstance(verdict, Refused):
            reception.refused(asked.client, verdict)
        else:
            reception.not_verified(asked.client)

    # -- Events

    def _read_numbers(self, asked: list[_Since]) -> list[int | Retryable]:
        return self._numbers.latest_all([each.user_id for each in asked])

    def _numbered(self, asked: _Since, latest: int | Refused | Retryable) -> None:
        """Without anything new there is nothing to read: so it is for nearly all who come back."""
        if not isinstance(latest, int):
            self._fetched(asked, latest)
        elif asked.after is None or latest <= asked.after:
            self._fetched(asked, (None if asked.after is None else [], latest))
        else:
            after = asked.after
            self._threads.ask(
                self._reading,
                lambda: self._read_events(asked.user_id, after, latest),
                lambda found: self._read(asked, found),
            )

    def _read_events(self, user_id: int, after: int, latest: int) -> tuple[list[UserEvent], int]:
        """The events after a number, one more than a resume serves, and the latest number."""
        store: UserEvents = self._local.store
        events = store.after(user_id, after, self._events_most + 1)
        return events, max(latest, events[-1].user_seq if events else 0)

    def _read(
        self, asked: _Since, found: tuple[list[UserEvent], int] | Refused | Retryable
    ) -> None:
        if not isinstance(found, tuple):
            logger(__name__).warning("events can't be read", detail=str(found))
        self._fetched(asked, found)

    def _fetched(
        self, asked: _Since, found: tuple[list[UserEvent] | None, int] | Refused | Retryable
    ) -> None:
        private = self._private
        if private is None:
            return
        if isinstance(found, tuple):
            private.fetched(asked.client, asked.ticket, *found)
        else:
            private.not_fetched(asked.client, asked.ticket)

    def _open_reader(self, open_events: Callable[[], UserEvents]) -> None:
        self._local.store = open_events()
        self._opened.append(self._local.store)

    # -- Portfolios

    def _read_books(self, asked: list[_Books]) -> list[PortfolioFacts | Retryable | None]:
        """Those of one trade date together: of another one they are but for a moment in a day."""
        found: dict[tuple[int, date], PortfolioFacts | Retryable | None] = {}
        for day in {each.trade_date for each in asked}:
            users = [each.user_id for each in asked if each.trade_date == day]
            for user_id, facts in zip(users, self._portfolios.read_all(users, day), strict=True):
                found[user_id, day] = facts
        return [found[each.user_id, each.trade_date] for each in asked]

    def _valued(self, asked: _Books, facts: PortfolioFacts | Refused | Retryable | None) -> None:
        if self._private is None:
            return
        portfolios = self._private.portfolios
        if isinstance(facts, Refused | Retryable):
            portfolios.not_answered(asked.user_id, asked.ticket)
        else:
            portfolios.answered(asked.user_id, asked.ticket, facts)
