"""Shares sold and not delivered: what they are valued at, and what they are closed out at.

On pay-in day the seller is debited a valuation; what isn't bought in by the end of the auction day
is closed out in money. We close out directly, without taking part in the buy-in. Invariant: the
close-out is never below the highest price from the trade date to the auction date.

Source: nseindia.com, "Handling of shortages in equity segment". Penalty: a broker's tariff.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from functions.shared.domain.charges import RATE_UNIT


@dataclass(frozen=True, slots=True)
class ShortageRates:
    """A dated row. `mark_up_percent` over the settlement price; `penalty` and `tax` (on the
    penalty) per 10^9."""

    valid_from: date
    mark_up_percent: int
    penalty: int
    tax: int
    source: str


SHORTAGE_RATES: Final = (
    ShortageRates(
        date(2023, 1, 27), 20, RATE_UNIT * 5 // 10_000, RATE_UNIT * 18 // 100,
        "NSE, close-out 20 % above; penalty 0.05 % and 18 % GST, our tariff",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayPrice:
    """A share's day, in ten-thousandths of a rupee. `close` is the settlement price."""

    trade_date: date
    high: int
    close: int


def shortage_rates(on: date) -> ShortageRates:
    """The row in force on an auction day. Raises LookupError when none is."""
    rows = [row for row in SHORTAGE_RATES if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no rates of short delivery on {on}")
    return max(rows, key=lambda row: row.valid_from)


def settlement_price(prices: list[DayPrice], on: date) -> int | None:
    """The close of the day, or of the last day before it that has one; None without any."""
    known = [price for price in prices if price.trade_date <= on]
    return max(known, key=lambda price: price.trade_date).close if known else None


def close_out_price(prices: list[DayPrice], traded: date, auction: date) -> int | None:
    """The greater of the highest price from the trade date to the auction date and the marked-up
    settlement price of the auction day; None while no price is known."""
    settled = settlement_price(prices, auction)
    if settled is None:
        return None
    marked_up = -(-settled * (100 + shortage_rates(auction).mark_up_percent) // 100)
    highs = [price.high for price in prices if traded <= price.trade_date <= auction]
    return max([marked_up, *highs])
