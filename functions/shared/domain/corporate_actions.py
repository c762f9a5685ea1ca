"""Splits and bonuses, and what they make of the prices and volumes of days before them.

Invariant: the factor is exact and each figure is rounded once, half up, to what it is counted in; a
price stays at or above the least there is, and a bar's low, open, close and high stay in order, for
rounding keeps the order.

Source: the exchanges' way of adjusting: prices of days before the ex-date by 1/factor, volumes by
the factor; of a split of one face value into another old/new, of a bonus of A for B held (A+B)/B.
A dividend adjusts no price here: charts show what was traded, total returns are not drawn.
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from functions.shared.domain.candle_spans import DayBar


class ActionKind(StrEnum):
    SPLIT = "SPLIT"
    BONUS = "BONUS"
    DIVIDEND = "DIVIDEND"


class CorporateAction(NamedTuple):
    """SPLIT: `given` new shares for `held` old ones. BONUS: `given` more for `held`. DIVIDEND:
    `given` paise a share."""

    ex_date: date
    kind: ActionKind
    given: int
    held: int

    @property
    def factor(self) -> Fraction:
        """The shares that one becomes."""
        match self.kind:
            case ActionKind.SPLIT:
                return Fraction(self.given, self.held)
            case ActionKind.BONUS:
                return Fraction(self.given + self.held, self.held)
            case ActionKind.DIVIDEND:
                return Fraction(1)


def factor_since(actions: Sequence[CorporateAction], day: date) -> Fraction:
    """The shares that one of `day` has become: those whose ex-date is later count."""
    factor = Fraction(1)
    for action in actions:
        if action.ex_date > day:
            factor *= action.factor
    return factor


def adjusted_price(price: int, factor: Fraction) -> int:
    """In the unit of `price`, never less than one of it."""
    return max(1, _half_up(price / factor)) if price else 0


def adjusted_volume(volume: int, factor: Fraction) -> int:
    """Whole shares."""
    return _half_up(volume * factor)


def adjusted_bar(bar: DayBar, factor: Fraction) -> DayBar:
    """A day's figures as its shares are now."""
    if factor == 1:
        return bar
    return DayBar(
        bar.day,
        adjusted_price(bar.open, factor),
        adjusted_price(bar.high, factor),
        adjusted_price(bar.low, factor),
        adjusted_price(bar.close, factor),
        adjusted_volume(bar.volume, factor),
    )


def _half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
