"""What a trade costs beyond its price: dated rates, and what an order is charged by them.

Invariant: charges are computed on what the whole order has traded and booked as the difference, so
many small fills cost what one large fill does. This is the estimate an order is judged and each
fill is booked by; the trade date's contract note (`contract_note`) has the last word. The database
computes the same (a property test compares `ledger.charges_on` with `charges_on`).

Every rate is a row with the days it holds and where it was announced. Nil is a row too: a charge
without a row for the day is a LookupError, never free of charge. The special groups of BSE (X, XT,
Z, ...) and units of funds are charged otherwise and have no rows here.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from functions.shared.domain.money import PAISE_PER_RUPEE, divide_half_up
from functions.shared.domain.orders import Product, Side

HEADS: Final = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst")
RATE_UNIT: Final = 1_000_000_000

#: Paise by head.
Charges = tuple[int, int, int, int, int, int, int]
#: Per 10^9 of the traded value by head (GST: of brokerage, exchange and regulator's fee), and last
#: the most that the brokerage of one executed order can be, in paise (0: no such bound).
Rates = tuple[int, int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class RateRow:
    """One charge's rate per 10^9. None for product, exchange or side: whichever it is."""

    head: str
    product: Product | None
    exchange: str | None
    side: Side | None
    rate: int
    valid_from: date
    valid_to: date | None
    source: str
    cap: int = 0

    def holds(self, product: Product, exchange: str, side: Side, on: date) -> bool:
        """Whether this row is the one for such a trade on that day."""
        return (
            self.product in (None, product)
            and self.exchange in (None, exchange)
            and self.side in (None, side)
            and self.valid_from <= on
            and (self.valid_to is None or on <= self.valid_to)
        )


_CNC, _MIS, _BUY, _SELL = Product.CNC, Product.MIS, Side.BUY, Side.SELL
_LOADED_FROM = date(2023, 1, 1)
_STT = "Finance Act 2004 as amended; restated in NSE FATAX73524"
_STAMP = "Indian Stamp Act, amendment in force 1 July 2020"

RATE_ROWS: Final = (
    RateRow("brokerage", _CNC, None, None, 0, _LOADED_FROM, None, "our tariff"),
    RateRow("brokerage", _MIS, None, None, 300_000, _LOADED_FROM, None, "our tariff",
            cap=20 * PAISE_PER_RUPEE),
    RateRow("stt", _CNC, None, None, 1_000_000, _LOADED_FROM, None, _STT),
    RateRow("stt", _MIS, None, _BUY, 0, _LOADED_FROM, None, _STT),
    RateRow("stt", _MIS, None, _SELL, 250_000, _LOADED_FROM, None, _STT),
    RateRow("exchange", None, "NSE", None, 34_500, _LOADED_FROM, date(2023, 3, 31),
            "0.00345 % in all, as brokers' published calculators of early 2023 have it"),
    RateRow("exchange", None, "NSE", None, 29_700, date(2024, 10, 1), date(2026, 2, 28),
            "NSE FA64323"),
    RateRow("exchange", None, "NSE", None, 30_699, date(2026, 3, 1), None, "NSE FA73061"),
    RateRow("exchange", None, "BSE", None, 37_500, _LOADED_FROM, None,
            "BSE, groups A and B from 1 December 2022"),
    RateRow("ipft", None, "NSE", None, 0, _LOADED_FROM, date(2023, 3, 31),
            "within the 0.00345 % above"),
    RateRow("ipft", None, "NSE", None, 1_000, date(2024, 10, 1), date(2026, 2, 28), "NSE FA64323"),
    RateRow("ipft", None, "NSE", None, 1, date(2026, 3, 1), None, "NSE FA73061"),
    RateRow("ipft", None, "BSE", None, 0, _LOADED_FROM, None, "BSE has none"),
    RateRow("sebi", None, None, None, 1_000, _LOADED_FROM, None,
            "SEBI turnover fee, 10 rupees a crore"),
    RateRow("stamp", None, None, _SELL, 0, _LOADED_FROM, None, _STAMP),
    RateRow("stamp", _CNC, None, _BUY, 150_000, _LOADED_FROM, None, _STAMP),
    RateRow("stamp", _MIS, None, _BUY, 30_000, _LOADED_FROM, None, _STAMP),
    RateRow("gst", None, None, None, 180_000_000, _LOADED_FROM, None,
            "18 % on services; not on taxes, nor on the investor protection fund"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DepositoryRate:
    """What a sale out of the demat account costs, in paise, per security and day whatever the
    quantity; the tax on services comes on top."""

    valid_from: date
    charge: int
    source: str


DEPOSITORY_RATES: Final = (DepositoryRate(_LOADED_FROM, 13 * PAISE_PER_RUPEE, "our tariff"),)


@dataclass(frozen=True, slots=True)
class ChargeRates:
    """The rates of one kind of trade. `valid_from`: since when all of them are what they are,
    which names the version of the rules that an order was judged by."""

    valid_from: date
    rates: Rates


@lru_cache(maxsize=256)
def charge_rates(product: Product, exchange: str, side: Side, on: date) -> ChargeRates:
    """The rates in force on a trade date. Raises LookupError when a charge has no row for it."""
    rows = [_row(head, product, exchange, side, on) for head in HEADS]
    brokerage, stt, turnover, ipft, sebi, stamp, gst = (row.rate for row in rows)
    return ChargeRates(
        max(row.valid_from for row in rows),
        (brokerage, stt, turnover, ipft, sebi, stamp, gst, rows[0].cap),
    )


def _row(head: str, product: Product, exchange: str, side: Side, on: date) -> RateRow:
    for row in RATE_ROWS:
        if row.head == head and row.holds(product, exchange, side, on):
            return row
    raise LookupError(f"no {head} rate for {product} {side} on {exchange} on {on}")


def charges_on(value: int, rates: Rates) -> Charges:
    """What one order is charged by head, in paise, on the value in paise that it has traded: each
    rounded half up to the paisa, as brokers' calculators do."""
    brokerage, stt, exchange, ipft, sebi, stamp = (
        divide_half_up(value * rate, RATE_UNIT) for rate in rates[:6]
    )
    if rates[7]:
        brokerage = min(brokerage, rates[7])
    return (brokerage, stt, exchange, ipft, sebi, stamp, tax_on(brokerage, exchange, sebi, rates))


def tax_on(brokerage: int, exchange: int, sebi: int, rates: Rates) -> int:
    """The tax on services (GST), in paise, on services in paise."""
    return divide_half_up((brokerage + exchange + sebi) * rates[6], RATE_UNIT)


def depository_charge(on: date) -> tuple[int, int]:
    """The charge for a day's sales of one security out of the demat account, and the tax on it, in
    paise. Raises LookupError for a day without a rate."""
    rows = [row for row in DEPOSITORY_RATES if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no depository rate on {on}")
    charge = max(rows, key=lambda row: row.valid_from).charge
    return charge, tax_on(charge, 0, 0, charge_rates(Product.CNC, "NSE", Side.SELL, on).rates)
