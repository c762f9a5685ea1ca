"""The instrument master as processes read it: all rows at once, kept for a minute.

Invariant: a symbol is looked up as the exchange writes it (`M&M`, `NIFTY 50`), whatever the case of
its letters.
"""

import time
from collections.abc import Callable, Mapping

from functions.shared.domain.instruments import Instrument, listed_name
from functions.shared.stores.postgres import Database

_KEEP_SECONDS = 60.0
_SELECT = (
    "SELECT token, exchange, symbol, name, isin, sector, kind, tick, lot, band_percent,"
    " previous_close, series, freeze_quantity, closing_auction"
    " FROM market.instrument ORDER BY token"
)


class InstrumentMaster:
    """Reads `market.instrument` of shard 0 when first asked, and again once a minute."""

    def __init__(self, control: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._monotonic = monotonic
        self._read_at = float("-inf")
        self._by_symbol: Mapping[str, Instrument] = {}

    def get(self, symbol: str) -> Instrument | None:
        """The instrument of an NSE symbol, bare or written `NSE:SYMBOL`; None when unknown."""
        return self.by_symbol().get(listed_name(symbol))

    def by_symbol(self) -> Mapping[str, Instrument]:
        """Every instrument, in token order. Raises Retryable when it can't be read."""
        now = self._monotonic()
        if now - self._read_at >= _KEEP_SECONDS:
            rows = self._control.run(_SELECT)
            self._by_symbol = {row[2]: Instrument(*row) for row in rows}
            self._read_at = now
        return self._by_symbol
