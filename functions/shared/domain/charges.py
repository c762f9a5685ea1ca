"""What a trade costs beyond its price: dated rates, and one computation.

Invariant: charges are computed on what the whole order has traded and booked as the difference, so
many small fills cost what one large fill does. The database computes the same (a property test
compares `ledger.charges_on` with `charges_on`).

Sources: STT NSE FATAX73524 (0.1 % delivery, either side); NSE transaction and IPFT FA73061, from
1 March 2026; regulator's turnover fee 10 per crore; stamp duty 0.015 % on buys since 1 July 2020;
GST 18 % on brokerage, transaction and regulator's fee. Brokerage on delivery is nil.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from functions.shared.domain.money import divide_half_up
from functions.shared.domain.orders import Side

HEADS: Final = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst")
RATE_UNIT: Final = 1_000_000_000
Charges = tuple[int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class ChargeRates:
    """Rates per 10^9 of the traded value (GST: of the services), for one product and side."""

    side: Side
    valid_from: date
    valid_to: date | None
    source: str
    rates: Charges


DELIVERY_RATES: Final = (
    ChargeRates(
        Side.BUY, date(2026, 3, 1), None, "FA73061, FATAX73524, stamp 1 Jul 2020",
        (0, 1_000_000, 30_699, 1, 1_000, 150_000, 180_000_000),
    ),
    ChargeRates(
        Side.SELL, date(2026, 3, 1), None, "FA73061, FATAX73524",
        (0, 1_000_000, 30_699, 1, 1_000, 0, 180_000_000),
    ),
)  # fmt: skip


def delivery_rates(side: Side, on: date) -> ChargeRates:
    """The delivery rates in force on a trade date. Raises LookupError for a day without any."""
    for row in DELIVERY_RATES:
        if (
            row.side is side
            and row.valid_from <= on
            and (row.valid_to is None or on <= row.valid_to)
        ):
            return row
    raise LookupError(f"no delivery rates for {side} on {on}")


def charges_on(value: int, rates: Charges) -> Charges:
    """Charges by head in paise on a traded value in paise, each rounded half up to the paisa."""
    brokerage, stt, exchange, ipft, sebi, stamp = (
        divide_half_up(value * rate, RATE_UNIT) for rate in rates[:6]
    )
    gst = divide_half_up((brokerage + exchange + sebi) * rates[6], RATE_UNIT)
    return (brokerage, stt, exchange, ipft, sebi, stamp, gst)
