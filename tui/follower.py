"""Between the stream worker and the trading screen: notes what arrives and posts messages.

Invariant: prices are kept last-by-symbol and announced by one replaceable message, however many
arrive; account events are each posted, in order. Nothing here touches a widget.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from textual.message import Message

from outcry_client.protocol import Notice
from outcry_client.reconnecting import Link
from tui.client.broker import Broker
from tui.client.models import PrivateEvent, Quote
from tui.messages import (
    AccountChanged,
    AccountLoaded,
    BrokerNotice,
    LinkChanged,
    QuotesChanged,
    WatchlistMoved,
)
from tui.state.account import Account, loaded

MARKET_NEWS_MOST: Final = 256
"""Of what is told while the status is being read; the reading has the rest."""


class Follower:
    """Fulfils `Listener` for a screen."""

    def __init__(self, broker: Broker, post: Callable[[Message], object]) -> None:
        self._broker = broker
        self._post = post
        self._latest: dict[str, Quote] = {}
        self.stale_symbols: frozenset[str] = frozenset()
        """Those whose prices are not the market's now."""
        self._told: tuple[Link, str] | None = None
        self.market_news = asyncio.Event()
        """Set when the market's phase, a halt or a band changed."""
        self._market_told: list[Mapping[str, Any]] = []

    def quotes(self, quotes: Sequence[Quote]) -> None:
        announce = not self._latest
        self._latest.update((quote.symbol, quote) for quote in quotes)
        if announce:
            self._post(QuotesChanged())

    def take_quotes(self) -> list[Quote]:
        """Hand over what has arrived since the last time."""
        latest, self._latest = self._latest, {}
        return list(latest.values())

    def watching(self, symbols: Iterable[str]) -> None:
        """Of others nothing is told any more; who watches one anew is told at once if it is
        stale."""
        self._take_stale(self.stale_symbols & frozenset(symbols))

    def _take_stale(self, symbols: frozenset[str]) -> None:
        if symbols != self.stale_symbols:
            self.stale_symbols = symbols
            self._post(QuotesChanged())

    def account(self, events: Sequence[PrivateEvent]) -> None:
        self._post(AccountChanged(list(events)))

    def link(self, link: Link, detail: str) -> None:
        if link is Link.RECONNECTING:
            self.watching([])
        if (link, detail) != self._told:
            self._told = (link, detail)
            self._post(LinkChanged(link, detail))

    def notice(self, notice: Notice) -> None:
        if notice.kind == "market":
            self._market_told = [*self._market_told[1 - MARKET_NEWS_MOST :], notice.fields]
            self.market_news.set()
        elif notice.kind == "stale":
            named = frozenset(notice.fields["symbols"])
            known = self.stale_symbols
            self._take_stale(known | named if notice.fields["stale"] else known - named)
        elif notice.kind == "watchlist":
            moved = notice.fields
            self._post(WatchlistMoved(moved.get("watchlist_id"), moved.get("version")))
        elif notice.kind == "error":
            self._post(BrokerNotice(notice.kind, notice.code, notice.message))

    def take_market_news(self) -> list[Mapping[str, Any]]:
        """Hand over what was told of the market since the last time, the oldest first."""
        told, self._market_told = self._market_told, []
        self.market_news.clear()
        return told

    async def reload(self) -> int:
        account = await self.load()
        return account.funds.seq if account.funds is not None else 0

    async def load(self) -> Account:
        """Load the account over HTTP. Funds first: the rest is then at least as new as their seq,
        and events after it, replayed over what is newer already, change nothing.
        """
        funds = await self._broker.funds()
        account = loaded(
            funds,
            await self._broker.orders(),
            await self._broker.holdings(),
            await self._broker.positions(),
            await self._broker.plans(),
        )
        self._post(AccountLoaded(account))
        return account
