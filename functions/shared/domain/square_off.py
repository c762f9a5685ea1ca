"""Squaring intraday positions off: the names of the broker's own orders, and what they cost.

Invariant: an attempt's client order id follows from the day, the instrument and its number, so a
run that is repeated places nothing twice. Clients can't use the prefix.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from functions.shared.domain.money import PAISE_PER_RUPEE

#: The database's index of these orders has the prefix too (0007_settlement.sql).
RESERVED_PREFIX: Final = "SQ-"
#: An attempt a minute: more than a session has minutes after the cut-off. What is still open then
#: is delivered, or a short delivery.
ATTEMPTS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class SquareOffFee:
    """A dated row: what each square-off order that traded costs, and the tax on it, in paise."""

    valid_from: date
    fee: int
    tax: int
    source: str


SQUARE_OFF_FEES: Final = (
    SquareOffFee(date(2023, 1, 1), 50 * PAISE_PER_RUPEE, 9 * PAISE_PER_RUPEE,
                 "our tariff, 50 rupees an order; 18 % GST"),
)  # fmt: skip


def square_off_fee(on: date) -> SquareOffFee:
    """The row in force. Raises LookupError when none is."""
    rows = [row for row in SQUARE_OFF_FEES if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no square-off fee on {on}")
    return max(rows, key=lambda row: row.valid_from)


def attempt_key(day: date, token: int, number: int) -> str:
    """The client order id of one attempt, from 1 on, to close one position of the day."""
    return f"{RESERVED_PREFIX}{day:%Y%m%d}-{token}-{number}"


def cancel_key(at: datetime, order_id: int) -> str:
    """The request id of the cancel that makes room for an attempt: one a minute (`at` in UTC), as
    the venue may refuse one that it would take later."""
    return f"{RESERVED_PREFIX}{at:%Y%m%d}-{order_id}-{at:%H%M}"
