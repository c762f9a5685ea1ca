"""What each share's trade date came to, kept on shard 0: highest and last price.

Invariant: a date's row follows the quote cache while the date lasts and stands afterwards; a share
without a quote has no row, never a guessed one.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

import msgspec

from functions.shared.domain.short_delivery import DayPrice
from functions.shared.stores.postgres import Database
from functions.shared.wire.quotes import Quote

_RECORD = "SELECT market.record_day_prices(:day, :prices)"
_PRICES = (
    "SELECT trade_date, high, close FROM market.day_price"
    " WHERE symbol = :symbol AND trade_date BETWEEN :since AND :through ORDER BY trade_date"
)
#: Further back no close is taken for the settlement price of a day without one.
_REACH: Final = timedelta(days=30)


class DayPrices:
    """`market.day_price`, in ten-thousandths of a rupee."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def record(self, day: date, quotes: Iterable[Quote]) -> int:
        """Writes the day's figures so far of every share that has any; how many that were."""
        rows = [
            {"symbol": quote.symbol, "high": max(quote.high, quote.ltp), "close": quote.ltp}
            for quote in quotes
            if quote.ltp > 0
        ]
        self._control.run(_RECORD, day=day, prices=msgspec.json.encode(rows).decode())
        return len(rows)

    def around(self, symbol: str, since: date, through: date) -> list[DayPrice]:
        """A share's days through a date, from some before `since`, oldest first."""
        rows = self._control.run(_PRICES, symbol=symbol, since=since - _REACH, through=through)
        return [DayPrice(*row) for row in rows]
