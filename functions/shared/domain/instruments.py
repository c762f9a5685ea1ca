"""What can be traded: one instrument's facts.

Invariant: a price that reaches an order is a whole number of its instrument's ticks.
"""

from dataclasses import dataclass
from typing import Final, Literal, Self

from functions.shared.domain.orders import Product
from functions.shared.domain.sessions import SecurityClass

#: Trade-to-trade series: each trade is delivered, none is closed on its day (NSE; ST for SME).
DELIVERY_SERIES: Final = frozenset({"BE", "BT", "BZ", "ST"})


def listed_name(written: str) -> str:
    """The symbol that a client means: NSE's own are in capitals, bare or written `NSE:SYMBOL`.
    Nothing else is guessed."""
    name = written.upper() if written.isascii() else written
    return name.removeprefix("NSE:")


@dataclass(frozen=True, slots=True)
class Instrument:
    """`tick`, `previous_close` and `base_price` in ten-thousandths of a rupee, the last of a share
    that has no close yet (its issue price; 0: not known); `band_percent` either way of the
    previous close; `lot` and `freeze_quantity` in shares, the latter the most one order may have.
    `products`: what it may be traded as, with commas. `token` is the number clients may use instead
    of the symbol."""

    token: int
    exchange: str
    symbol: str
    name: str
    isin: str
    sector: str
    kind: Literal["EQUITY", "INDEX", "DELISTED"]
    tick: int
    lot: int
    band_percent: int
    previous_close: int
    series: str
    freeze_quantity: int
    closing_auction: bool
    base_price: int = 0
    products: str = "CNC,MIS"

    @classmethod
    def delisted(cls, symbol: str) -> Self:
        """What the master has no more: enough to judge an order of it, which nobody takes."""
        return cls(
            token=0, exchange="NSE", symbol=symbol, name=symbol, isin="", sector="",
            kind="DELISTED", tick=1, lot=1, band_percent=100, previous_close=1, series="",
            freeze_quantity=1, closing_auction=False,
        )  # fmt: skip

    @property
    def security_class(self) -> SecurityClass:
        """Which sessions it has."""
        return SecurityClass.CLOSING_AUCTION if self.closing_auction else SecurityClass.OTHER

    @property
    def reference_price(self) -> int:
        """What the master knows of its price; 0: nothing."""
        return self.previous_close or self.base_price

    def allows(self, product: Product) -> bool:
        """Whether it may be traded as that."""
        return product.value in self.products.split(",")

    @property
    def delivery_only(self) -> bool:
        """Whether what is traded must be delivered: no intraday orders."""
        return self.series in DELIVERY_SERIES

    def band(self, previous_close: int) -> tuple[int, int]:
        """The lowest and highest price of the day, on ticks inside the band."""
        low = previous_close * (100 - self.band_percent)
        high = previous_close * (100 + self.band_percent)
        return -(-low // (100 * self.tick)) * self.tick, high // (100 * self.tick) * self.tick

    def nearest_tick(self, price: int) -> int:
        """The price on a tick that is nearest; of two, the higher. At least one tick."""
        return max(self.tick, (2 * price + self.tick) // (2 * self.tick) * self.tick)
