"""What the broker answers to who looks for an instrument or its past prices.

As in tui/client/models.py prices are exact decimals, and fields not known here are ignored.
"""

from datetime import datetime
from decimal import Decimal

import msgspec


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch of time came to; `time` is when it begins."""

    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int = 0


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument found by search."""

    symbol: str
    name: str = ""
    exchange: str = "NSE"
    sector: str | None = None
    ltp: Decimal | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The best hits; `degraded` while the search engine is away and symbols alone are searched."""

    items: list[SearchHit]
    degraded: bool = False


class KeptWatchlist(msgspec.Struct, frozen=True, kw_only=True):
    """A watchlist as the broker keeps it for all the user's devices; a change names the `version`
    that it was made of."""

    watchlist_id: str
    name: str
    version: int
    symbols: list[str] = []
