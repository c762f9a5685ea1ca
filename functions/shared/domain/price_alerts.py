"""What a person can ask to be told of, and when a price has come to it.

Invariant: a threshold is in its kind's own unit, so one comparison decides: ten-thousandths of a
rupee for a price, ten-thousandths of the previous close for a change, shares for a volume.
"""

from enum import StrEnum
from typing import Final

#: One hundred percent, as a change.
WHOLE: Final = 10_000


class AlertKind(StrEnum):
    """A CHANGE is the day's, against the previous close; a VOLUME is the day's."""

    PRICE_ABOVE = "PRICE_ABOVE"
    PRICE_BELOW = "PRICE_BELOW"
    CHANGE_ABOVE = "CHANGE_ABOVE"
    CHANGE_BELOW = "CHANGE_BELOW"
    VOLUME_ABOVE = "VOLUME_ABOVE"

    @property
    def rising(self) -> bool:
        """Whether it is reached from below: at the threshold or above."""
        return self not in (AlertKind.PRICE_BELOW, AlertKind.CHANGE_BELOW)


def value_of(kind: AlertKind, price: int, close: int, volume: int) -> int | None:
    """What is compared with the threshold; None while it isn't known. A change is rounded towards
    zero, so that 2.999 % has not reached 3."""
    match kind:
        case AlertKind.PRICE_ABOVE | AlertKind.PRICE_BELOW:
            return price or None
        case AlertKind.CHANGE_ABOVE | AlertKind.CHANGE_BELOW:
            return _towards_zero((price - close) * WHOLE, close) if price and close else None
        case AlertKind.VOLUME_ABOVE:
            return volume


def _towards_zero(numerator: int, denominator: int) -> int:
    whole = abs(numerator) // denominator
    return whole if numerator >= 0 else -whole
