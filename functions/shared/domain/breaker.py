"""The market-wide circuit breaker: how far the index may move, and what a move of it brings about.

Invariant: levels, times of the day and durations are dated rows; a level counts at most once a
trade date, and who passes a higher one has passed the lower ones. Either direction counts alike.

Source: SEBI CIR/MRD/DP/25/2013, in force since 1 October 2013; NSE, equity market circuit breakers.
Levels are computed from the index's previous close and rounded to its tick. Times are India's.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_INDIA: Final = ZoneInfo("Asia/Kolkata")
_AUCTION: Final = timedelta(minutes=15)


class BreakerRow(NamedTuple):
    """What a move of `percent` brings about before that time of the day: trading stops for `stop`
    (None: for the rest of the day), and a call auction of `auction` opens the market again."""

    percent: int
    before: time
    stop: timedelta | None
    auction: timedelta


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """A dated set. `index`: whose level is watched; `tick` of it in ten-thousandths of a point."""

    valid_from: date
    source: str
    index: str
    tick: int
    rows: tuple[BreakerRow, ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """The percents, the highest first."""
        return tuple(sorted({row.percent for row in self.rows}, reverse=True))

    def points(self, previous_close: int, percent: int) -> int:
        """How far from the previous close a level is: to the nearest tick, half a tick up."""
        return (2 * previous_close * percent + 100 * self.tick) // (200 * self.tick) * self.tick

    def reached(self, level: int, previous_close: int) -> int:
        """The highest percent that an index level has reached; 0 for none, or without a previous
        close."""
        if level <= 0 or previous_close <= 0:
            return 0
        moved = abs(level - previous_close)
        return next((p for p in self.levels if moved >= self.points(previous_close, p)), 0)

    def brought_about(self, percent: int, at: datetime) -> BreakerRow | None:
        """What passing a level at that moment brings about; None when nothing."""
        moment = at.astimezone(_INDIA).time()
        return next((r for r in self.rows if r.percent == percent and moment < r.before), None)


def _row(percent: int, before: time, minutes: int | None) -> BreakerRow:
    stop = None if minutes is None else timedelta(minutes=minutes)
    return BreakerRow(percent, before, stop, _AUCTION)


BREAKER_RULES: Final = (
    BreakerRules(
        date(2013, 10, 1), "SEBI CIR/MRD/DP/25/2013", "NIFTY 50", 500,
        (
            _row(10, time(13), 45),
            _row(10, time(14, 30), 15),  # later than that it stops nothing
            _row(15, time(13), 105),
            _row(15, time(14), 45),
            _row(15, time.max, None),
            _row(20, time.max, None),
        ),
    ),
)  # fmt: skip


def breaker_rules(on: date) -> BreakerRules:
    """The set in force on a day. Raises LookupError when none is."""
    for rules in reversed(BREAKER_RULES):
        if rules.valid_from <= on:
            return rules
    raise LookupError(f"no circuit breaker on {on}")
