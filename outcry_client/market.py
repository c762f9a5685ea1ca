"""Prices over HTTP: quotes, candles, 52-week ranges and the day's movers.

Invariant: amounts stay the text that the broker sent; read them with `Decimal`. Everything raises
as `Api.call` does.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal
from urllib.parse import quote, urlencode

from outcry_client.api import Api

Interval = Literal["1m", "5m", "15m", "30m", "60m", "day", "week"]
Item = Mapping[str, Any]


class Market:
    """What the broker knows of prices, for whoever may read."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def quotes(self, symbols: Sequence[str]) -> list[Item]:
        """The last quote of each, at most 500, in the order asked for."""
        return await self._items("/v1/quotes", symbols=",".join(symbols))

    async def candles(
        self,
        symbol: str,
        interval: Interval = "day",
        first: date | None = None,
        last: date | None = None,
        *,
        adjusted: bool = False,
    ) -> list[Item]:
        """Oldest first, of the days from `first` to `last` in India; today is the last if left
        out. `adjusted` for the splits and bonuses since."""
        days = {"from": first, "to": last}
        asked = {name: day.isoformat() for name, day in days.items() if day is not None}
        if adjusted:
            asked["adjusted"] = "true"
        return await self._items(f"/v1/candles/{quote(symbol, '')}", interval=interval, **asked)

    async def year_ranges(self, symbols: Sequence[str]) -> list[Item]:
        """The highest and lowest price of 52 weeks of each, at most 500."""
        return await self._items("/v1/market/year-ranges", symbols=",".join(symbols))

    async def movers(
        self, by: Literal["GAINERS", "LOSERS", "VOLUME"] = "GAINERS", limit: int = 10
    ) -> list[Item]:
        """The shares that rose, fell or traded most today, as quotes."""
        return await self._items("/v1/market/movers", by=by, limit=str(limit))

    async def status(self) -> Item:
        """What the market takes now; `halt` while all of it is halted, `breaker` the levels."""
        answer: Item = await self._api.call("GET", "/v1/market/status")
        return answer

    async def _items(self, path: str, **query: str) -> list[Item]:
        answer = await self._api.call("GET", f"{path}?{urlencode(query)}")
        return list(answer["items"])
