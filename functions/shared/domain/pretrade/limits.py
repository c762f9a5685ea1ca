"""What one order, and one account, may be, and what a trade must have behind it: dated rows.

Sources: order caps 1,00,000 shares and 10 crore rupees, 25 changes an order (brokers' published
limits); intraday margin, the clearing corporation's flat minimum.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from functions.shared.domain.charges import RATE_UNIT
from functions.shared.domain.money import PAISE_PER_RUPEE
from functions.shared.domain.orders import Product


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """A dated row of what one order, and one account, may be. Values in paise and shares;
    `changes_max`: how often one order may be modified; `away_percent`: how far above the last price
    a limit may buy, or below it sell."""

    valid_from: date
    source: str
    quantity_max: int
    value_max: int
    open_orders_max: int
    changes_max: int
    away_percent: int


ORDER_LIMITS: Final = (
    OrderLimits(
        date(2026, 1, 1), "broker policy", 100_000, 10_00_00_000 * PAISE_PER_RUPEE, 1_000, 25, 10
    ),
)


@dataclass(frozen=True, slots=True)
class MarginRate:
    """A dated row: the part of a trade's value that must be there before it, per 10^9."""

    product: Product
    rate: int
    valid_from: date
    source: str


MARGIN_RATES: Final = (
    MarginRate(Product.CNC, RATE_UNIT, date(2023, 1, 1), "delivery is paid in full"),
    MarginRate(
        Product.MIS, RATE_UNIT // 5, date(2023, 1, 1), "nseclearing.in: at least 20 % up front"
    ),
)


def order_limits(on: date) -> OrderLimits:
    """The limits in force on a day. Raises LookupError when none is."""
    rows = [row for row in ORDER_LIMITS if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no order limits on {on}")
    return max(rows, key=lambda row: row.valid_from)


def margin_rate(product: Product, on: date) -> int:
    """The part of a trade's value that must be there, per 10^9. Raises LookupError."""
    rows = [row for row in MARGIN_RATES if row.product is product and row.valid_from <= on]
    if not rows:
        raise LookupError(f"no margin rate of {product} on {on}")
    return max(rows, key=lambda row: row.valid_from).rate
