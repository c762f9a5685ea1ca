"""The price band of one share: fixed, or dynamic with flexing.

Invariant: low and high are on the tick and at least one tick; a dynamic band moves by the dated
steps alone, and both of its ends move together.

Source: SEBI/HO/MRD/TPD-1/P/CIR/2024/58 of 24 May 2024. A share with derivatives starts the day at
10 per cent. Fifty trades within 0.10 per cent of the base of one end start a cooling-off, after
which the band moves that way: by 5 per cent of the base the first and second time (15 minutes; 5 in
the last half hour), by 3 the third and fourth (30 minutes), then by 2 (60 minutes). The circular
also asks for 10 clients and 3 members a side; the house stands for many of each, so here the number
of trades decides.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

NEAR_TRADES = 50
_NEAR_PER_MILLE = 1
UP, DOWN = 1, -1


@dataclass(frozen=True, slots=True)
class FlexStep:
    """A dated row: the flexes of a day up to number `through` move by `percent` of the base."""

    valid_from: date
    through: int
    percent: int
    cooling: timedelta
    late_cooling: timedelta


def _minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


_EVER = 1_000_000
FLEX_STEPS = (
    FlexStep(date(2024, 6, 3), 2, 5, _minutes(15), _minutes(5)),
    FlexStep(date(2024, 8, 17), 4, 3, _minutes(30), _minutes(30)),
    FlexStep(date(2024, 8, 17), _EVER, 2, _minutes(60), _minutes(60)),
)


def flex_step(day: date, number: int) -> FlexStep | None:
    """Return the row for the day's flex of that number (1 is the first); None before the rule."""
    return next((s for s in FLEX_STEPS if s.valid_from <= day and number <= s.through), None)


class Band:
    """The band of one trade date. Prices in 1/10,000 rupee."""

    __slots__ = ("base", "direction", "flex_at", "flexes", "high", "low", "near", "tick")

    def __init__(self, base: int, percent: int, tick: int) -> None:
        self.base = base
        self.tick = tick
        self.flexes = 0
        self.direction = 0
        self.flex_at: datetime | None = None
        self.near = {UP: 0, DOWN: 0}
        width = base * percent // 100
        self.low = self.high = 0
        self.place(base - width, base + width)

    def place(self, low: int, high: int) -> None:
        """Put the ends, rounded inwards to the tick."""
        self.low = max(-(-low // self.tick) * self.tick, self.tick)
        self.high = high // self.tick * self.tick

    def holds(self, price: int) -> bool:
        """Whether an order at this price may rest."""
        return self.low <= price <= self.high

    def observe(self, price: int) -> int:
        """Count a trade; return UP or DOWN when it is the one that makes the band flex, else 0."""
        reach = self.base * _NEAR_PER_MILLE // 1000
        if price >= self.high - reach:
            way = UP
        elif price <= self.low + reach:
            way = DOWN
        else:
            return 0
        self.near[way] += 1
        return way if self.flex_at is None and self.near[way] >= NEAR_TRADES else 0

    def cool(self, way: int, now: datetime, day: date, *, late: bool) -> bool:
        """Begin the cooling-off before a flex; False when no row of that day provides for one."""
        step = flex_step(day, self.flexes + 1)
        if step is None:
            self.near = {UP: 0, DOWN: 0}
            return False
        self.direction = way
        self.flex_at = now + (step.late_cooling if late else step.cooling)
        return True

    def flex(self, day: date) -> None:
        """Move both ends by the step that is due, and begin to count anew."""
        step = flex_step(day, self.flexes + 1)
        if step is None:
            raise AssertionError("a flex without a row")
        shift = self.direction * (self.base * step.percent // 100)
        self.place(self.low + shift, self.high + shift)
        self.flexes += 1
        self.direction, self.flex_at = 0, None
        self.near = {UP: 0, DOWN: 0}
