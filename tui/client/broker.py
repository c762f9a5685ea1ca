"""What the screens ask of a broker, and what its live stream tells them.

The HTTP client and the stream client fulfil these two protocols; screen tests fulfil them with a
recording client, so that no screen knows a URL.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol

from outcry_client.errors import BrokerError
from outcry_client.errors import UnreachableError as UnreachableError
from outcry_client.protocol import Notice
from outcry_client.reconnecting import Link as Link
from tui.client.chain import OrderChain
from tui.client.market_status import MarketStatus
from tui.client.models import (
    Funds,
    Holding,
    Instrument,
    Order,
    OrderDetail,
    Plan,
    Position,
    Preview,
    PrivateEvent,
    Problem,
    Profile,
    Quote,
)
from tui.client.prices import Candle, Found, KeptWatchlist


class RefusedError(BrokerError):
    """The broker answered with a problem: a refusal, a conflict, a bad request."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title or problem.code)
        self.problem = problem


class Broker(Protocol):
    """The broker's HTTP side.

    Every call may raise RefusedError, UnreachableError or SignedOutError.
    """

    async def sign_in(self, username: str, password: str, code: str) -> Profile: ...

    async def answer_challenge(self, username: str, challenge_id: str, code: str) -> Profile: ...

    async def sign_out(self) -> None: ...

    async def funds(self) -> Funds: ...

    async def orders(self) -> list[Order]: ...

    async def holdings(self) -> list[Holding]: ...

    async def positions(self) -> list[Position]: ...

    async def preview(self, body: Mapping[str, object]) -> Preview: ...

    async def place(self, body: Mapping[str, object]) -> Order: ...

    async def modify(self, order_id: str, body: Mapping[str, object]) -> Order: ...

    async def cancel(self, order_id: str, request_id: str) -> Order: ...

    async def order(self, order_id: str) -> OrderDetail: ...

    async def chain(self, order_id: str) -> OrderChain: ...

    async def plans(self) -> list[Plan]: ...

    async def plan(self, plan_id: str) -> Plan: ...

    async def open_plan(self, body: Mapping[str, object]) -> Plan: ...

    async def cancel_plan(self, plan_id: str) -> Plan: ...

    async def instrument(self, symbol: str) -> Instrument: ...

    async def market(self) -> MarketStatus: ...

    async def search(self, text: str) -> Found: ...

    async def movers(self, by: str) -> list[Quote]: ...

    async def candles(self, symbol: str, interval: str, first: date) -> list[Candle]: ...

    async def watchlists(self) -> list[KeptWatchlist]: ...

    async def open_watchlist(self, body: Mapping[str, object]) -> KeptWatchlist: ...

    async def change_watchlist(
        self, watchlist_id: str, body: Mapping[str, object]
    ) -> KeptWatchlist: ...

    async def drop_watchlist(self, watchlist_id: str) -> None: ...

    async def stream_url(self) -> str: ...

    async def close(self) -> None: ...


class Listener(Protocol):
    """Receives what the stream brings. Its methods only note and post; they never wait on I/O."""

    def quotes(self, quotes: Sequence[Quote]) -> None: ...

    def account(self, events: Sequence[PrivateEvent]) -> None: ...

    def link(self, link: Link, detail: str) -> None: ...

    def notice(self, notice: Notice) -> None: ...

    async def reload(self) -> int:
        """Load the account afresh and return the event it is as of."""
        ...


class Feed(Protocol):
    """The broker's live stream."""

    def watch(self, symbols: Iterable[str]) -> None:
        """Replace the set of symbols whose prices are wanted."""
        ...

    def reload(self) -> None:
        """Have the listener load the account afresh, and follow on from there: at once when
        connected, else first thing on the next connection."""
        ...

    async def follow(self, listener: Listener, seq: int) -> None:
        """Deliver prices, and account events after `seq`, until the session ends.

        Returns when another terminal has taken this one's place; raises SignedOutError when the
        broker no longer accepts the session. Lost connections are made again inside.
        """
        ...
