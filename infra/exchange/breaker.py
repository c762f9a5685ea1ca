"""The market-wide circuit breaker: how long the market halts when the index has moved so far.

Invariant: a level triggers at most once a trade date, and passing a higher level counts for the
lower ones. Source: SEBI CIR/MRD/DP/25/2013, in force since October 2013. Levels in points are
rounded to the index's tick.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day

from infra.exchange.clock import IST


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """`halt` None closes the market for the day."""

    percent: int
    before: time_of_day
    halt: timedelta | None
    auction: timedelta


_AUCTION = timedelta(minutes=15)
_END = time_of_day.max


def _halt(percent: int, before: time_of_day, minutes: int | None) -> BreakerRow:
    halt = None if minutes is None else timedelta(minutes=minutes)
    return BreakerRow(percent, before, halt, _AUCTION)


# A 10 per cent move at 14:30 or later halts nothing.
ROWS = (
    _halt(10, time_of_day(13), 45),
    _halt(10, time_of_day(14, 30), 15),
    _halt(15, time_of_day(13), 105),
    _halt(15, time_of_day(14), 45),
    _halt(15, _END, None),
    _halt(20, _END, None),
)
LEVELS = (20, 15, 10)


def level_points(previous_close: int, percent: int, tick: int) -> int:
    """Return a level in 1/10,000 point, to the nearest tick."""
    return round(previous_close * percent / 100 / tick) * tick


class Breaker:
    """Watches one trade date. `reached` is the highest level that has triggered."""

    def __init__(self, tick: int) -> None:
        self._tick = tick
        self.reached = 0

    def new_day(self) -> None:
        """Begin a trade date."""
        self.reached = 0

    def check(self, level: int, previous_close: int, now: datetime) -> BreakerRow | None:
        """Return the halt that an index level brings about, or None."""
        moved = abs(level - previous_close)
        for percent in LEVELS:
            if percent <= self.reached:
                return None
            if moved >= level_points(previous_close, percent, self._tick):
                self.reached = percent
                local = now.astimezone(IST).time()
                return next((r for r in ROWS if r.percent == percent and local < r.before), None)
        return None
