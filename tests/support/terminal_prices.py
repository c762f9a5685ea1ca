"""Prices for screens: quotes, what a search finds, the day's movers, a morning of candles."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tui.client.models import Quote
from tui.client.prices import Candle, SearchHit

NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
"""12:00:00 IST, the frozen time of every screen test."""


def quote(symbol: str, ltp: str, change: str = "12.50", percent: str = "0.43") -> Quote:
    return Quote(
        symbol=symbol,
        ltp=Decimal(ltp),
        change=Decimal(change),
        change_percent=Decimal(percent),
        volume=3_641_000,
        open=Decimal("2938.00"),
        high=Decimal("2961.00"),
        low=Decimal("2921.45"),
        close=Decimal(ltp) - Decimal(change),
    )


QUOTES = [
    quote("NIFTY 50", "24812.35", "-61.20", "-0.25"),
    quote("RELIANCE", "2950.50"),
    quote("HDFCBANK", "1682.20", "-3.10", "-0.18"),
    quote("TCS", "3921.70", "0.00", "0.00"),
    quote("M&M", "2811.20", "40.70", "1.47"),
]

WIPRO = SearchHit(
    symbol="WIPRO", name="Wipro Limited", sector="Information Technology", ltp=Decimal("511.30")
)  # fmt: skip

MOVERS = {
    "GAINERS": [quote("M&M", "2811.20", "40.70", "1.47"), quote("RELIANCE", "2950.50")],
    "LOSERS": [quote("HDFCBANK", "1682.20", "-3.10", "-0.18")],
    "VOLUME": [quote("TCS", "3921.70", "0.00", "0.00")],
}


def day_of_candles(count: int = 33, every: int = 5) -> list[Candle]:
    """Up to NOON (33 of five minutes: from 09:15), candles of `every` minutes: down, then up."""
    candles, close = [], Decimal("3900.00")
    for at in range(count):
        opened, close = close, close + Decimal((at * 7) % 11 - (6 if at < count // 2 else 3))
        reach = Decimal((at * 5) % 4)
        begins = NOON - timedelta(minutes=every * (count - at))
        candles.append(
            Candle(
                time=begins, open=opened, high=max(opened, close) + reach,
                low=min(opened, close) - reach, close=close, volume=40_000 + (at * 7919) % 60_000,
            )
        )  # fmt: skip
    return candles
