"""What can be traded: one instrument's facts.

Invariant: a price that reaches an order is a whole number of its instrument's ticks.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Instrument:
    """`tick` and `previous_close` in ten-thousandths of a rupee; `band_percent` either way of the
    previous close; `lot` in shares. `token` is the number clients may use instead of the symbol."""

    token: int
    exchange: str
    symbol: str
    name: str
    isin: str
    sector: str
    kind: Literal["EQUITY", "INDEX"]
    tick: int
    lot: int
    band_percent: int
    previous_close: int

    def band(self, previous_close: int) -> tuple[int, int]:
        """The lowest and highest price of the day, on ticks inside the band."""
        low = previous_close * (100 - self.band_percent)
        high = previous_close * (100 + self.band_percent)
        return -(-low // (100 * self.tick)) * self.tick, high // (100 * self.tick) * self.tick

    def nearest_tick(self, price: int) -> int:
        """The price on a tick that is nearest; of two, the higher. At least one tick."""
        return max(self.tick, (2 * price + self.tick) // (2 * self.tick) * self.tick)
