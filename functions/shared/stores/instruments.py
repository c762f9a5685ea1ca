"""The instrument master as processes read it: all rows at once, kept for a minute.

Invariant: a symbol is looked up as the exchange writes it (`M&M`, `NIFTY 50`), whatever the case of
its letters.
"""

import re
import time
from collections.abc import Callable, Mapping

from functions.shared.domain.instruments import Instrument, listed_name
from functions.shared.stores.postgres import Database

_KEEP_SECONDS = 60.0
#: What a share that was listed since may be called; nothing else is looked for.
_SYMBOL = re.compile(r"[A-Z0-9&-]{1,20}")
#: Of `market.instrument`, in the order of Instrument's fields.
COLUMNS = (
    "token, exchange, symbol, name, isin, sector, kind, tick, lot, band_percent,"
    " previous_close, series, freeze_quantity, closing_auction, base_price, products"
)
_SELECT = f"SELECT {COLUMNS} FROM market.instrument ORDER BY token"
_ONE = f"SELECT {COLUMNS} FROM market.instrument WHERE exchange = 'NSE' AND symbol = :symbol"


class InstrumentMaster:
    """Reads `market.instrument` of shard 0 when first asked, and again after `keep_seconds`; one
    that is not there may have been listed since, and is asked for by itself."""

    def __init__(
        self,
        control: Database,
        monotonic: Callable[[], float] = time.monotonic,
        keep_seconds: float = _KEEP_SECONDS,
    ) -> None:
        self._control = control
        self._monotonic = monotonic
        self._keep_seconds = keep_seconds
        self._read_at = float("-inf")
        self._by_symbol: Mapping[str, Instrument] = {}

    def get(self, symbol: str) -> Instrument | None:
        """The instrument of an NSE symbol, bare or written `NSE:SYMBOL`; None when unknown. Raises
        Retryable as `by_symbol`."""
        name = listed_name(symbol)
        found = self.by_symbol().get(name)
        if found is None and _SYMBOL.fullmatch(name):
            rows = self._control.run(_ONE, symbol=name)
            if rows:
                found = Instrument(*rows[0])
                self._by_symbol = {**self._by_symbol, name: found}
        return found

    def by_symbol(self) -> Mapping[str, Instrument]:
        """Every instrument, in token order. Raises Retryable when it can't be read."""
        now = self._monotonic()
        if now - self._read_at >= self._keep_seconds:
            rows = self._control.run(_SELECT)
            self._by_symbol = {row[2]: Instrument(*row) for row in rows}
            self._read_at = now
        return self._by_symbol
