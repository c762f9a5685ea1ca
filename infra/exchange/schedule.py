"""The sessions of each day, as dated rows, and the boundaries between two instants.

Invariant: the boundaries of a day depend on the day, the hours and the seed alone, so that a clock
that jumps, and a venue that was killed, meet the same ones in the same order, each once.

Sources: NSE market timings (S1, until 31 July 2026); SEBI MRD-POD2/I/2765/2026 with NSE CMTR72394
and CMTR74466 (S2, closing auction from 3 August 2026); NSE CMTR74969 (S3, pre-open from
7 September 2026). Times are India's.
"""

import csv
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from enum import StrEnum
from itertools import chain
from pathlib import Path

from infra.exchange.clock import IST
from infra.exchange.phases import Phase

HOLIDAYS_FILE = Path(__file__).with_name("holidays.csv")
ALWAYS_OPEN = "always-open"


class SecurityClass(StrEnum):
    """TradingSessionSubID(625): securities with derivatives have the closing auction."""

    CLOSING_AUCTION = "CLOSING_AUCTION"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Boundary:
    """An instant at which phases change. `new_day` begins a trade date; `mark` begins the window
    whose volume-weighted average price is the closing price, or the closing auction's reference.
    """

    at: datetime
    phases: Mapping[SecurityClass, Phase]
    new_day: bool = False
    mark: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """A phase from `at` on; with `latest` from a random second between the two on."""

    at: time_of_day
    phase: Phase
    latest: time_of_day | None = None


def _t(hour: int, minute: int) -> time_of_day:
    return time_of_day(hour, minute)


_Rows = tuple[_Row, ...]

_PRE_OPENS: tuple[tuple[date, _Rows], ...] = (
    (
        date.min,
        (
            _Row(_t(9, 0), Phase.PRE_OPEN),
            _Row(_t(9, 7), Phase.PRE_OPEN_MATCH, _t(9, 8)),
        ),
    ),
    (
        date(2026, 9, 7),
        (
            _Row(_t(9, 0), Phase.PRE_OPEN),
            _Row(_t(9, 5), Phase.PRE_OPEN_LIMIT),
            _Row(_t(9, 8), Phase.PRE_OPEN_MATCH, _t(9, 10)),
        ),
    ),
)
_NORMAL: _Rows = (_Row(_t(9, 15), Phase.CONTINUOUS),)
_NO_AUCTION: _Rows = (
    _Row(_t(15, 30), Phase.CLOSED),
    _Row(_t(15, 50), Phase.POST_CLOSE),
    _Row(_t(16, 0), Phase.CLOSED),
)
_CLOSING_AUCTION: _Rows = (
    _Row(_t(15, 15), Phase.CLOSING_REFERENCE),
    _Row(_t(15, 20), Phase.CLOSING),
    _Row(_t(15, 25), Phase.CLOSING_LIMIT),
    _Row(_t(15, 28), Phase.CLOSING_MATCH, _t(15, 30)),
    _Row(_t(15, 35), Phase.CLOSED),
    _Row(_t(15, 50), Phase.POST_CLOSE),
    _Row(_t(16, 0), Phase.CLOSED),
)
_S1_CLOSE: _Rows = (
    _Row(_t(15, 30), Phase.CLOSED),
    _Row(_t(15, 40), Phase.POST_CLOSE),
    _Row(_t(16, 0), Phase.CLOSED),
)
_CLOSES: tuple[tuple[date, Mapping[SecurityClass, _Rows]], ...] = (
    (date.min, dict.fromkeys(SecurityClass, _S1_CLOSE)),
    (
        date(2026, 8, 3),
        {SecurityClass.CLOSING_AUCTION: _CLOSING_AUCTION, SecurityClass.OTHER: _NO_AUCTION},
    ),
)
_MARK = _t(15, 0)
_ALL_DAY: _Rows = (
    _Row(_t(0, 0), Phase.CONTINUOUS),
    _Row(_t(23, 59), Phase.CLOSED),
)
_ALL_DAY_MARK = _t(23, 29)
_SHORT_MARK = timedelta(minutes=30)
_MIDNIGHT = time_of_day(0)
_ALL_CLOSED = dict.fromkeys(SecurityClass, Phase.CLOSED)


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A `closed` weekday, an `open` weekend day, or a `short` session of `hours` on a holiday."""

    kind: str
    hours: tuple[time_of_day, time_of_day] | None = None


def read_holidays(path: Path = HOLIDAYS_FILE) -> dict[date, SpecialDay]:
    """Return the days that are not as their weekday is."""
    with path.open(newline="", encoding="utf-8") as rows:
        return {date.fromisoformat(row["date"]): _special(row) for row in csv.DictReader(rows)}


def _special(row: Mapping[str, str]) -> SpecialDay:
    if not row["hours"]:
        return SpecialDay(row["kind"])
    begins, ends = map(time_of_day.fromisoformat, row["hours"].split("-"))
    return SpecialDay(row["kind"], (begins, ends))


class Schedule:
    """The boundaries of all days under the hours of the clock file."""

    def __init__(
        self, hours: str, seed: int, holidays: dict[date, SpecialDay] | None = None
    ) -> None:
        self.hours = hours
        self._seed = seed
        self._holidays = read_holidays() if holidays is None else holidays
        self._day: date | None = None
        self._boundaries: tuple[Boundary, ...] = ()

    def next_after(self, at: datetime, now: datetime) -> Boundary | None:
        """Return the first boundary after `at` and not after `now`.

        A day that `now` has passed over entirely is left out: nobody could enter an order in it.
        """
        day, today = at.astimezone(IST).date(), now.astimezone(IST).date()
        for boundary in self.day(day):
            if boundary.at > at:
                return boundary if boundary.at <= now else None
        return self.day(today)[0] if today > day else None

    def upcoming(self, at: datetime) -> datetime:
        """Return the instant of the first boundary after `at`."""
        day = at.astimezone(IST).date()
        later = (boundary.at for boundary in self.day(day) if boundary.at > at)
        return next(later, _at(day + timedelta(days=1), _MIDNIGHT))

    def with_hours(self, hours: str) -> "Schedule":
        """Return the same schedule under other hours."""
        return Schedule(hours, self._seed, self._holidays)

    def in_force(self, now: datetime) -> Boundary:
        """Return the phases of an instant, as a boundary at it."""
        phases = dict(_ALL_CLOSED)
        for boundary in self.day(now.astimezone(IST).date()):
            if boundary.at <= now:
                phases |= boundary.phases
        return Boundary(now, phases)

    def day(self, day: date) -> tuple[Boundary, ...]:
        """Return a day's boundaries in order; the first is the beginning of its trade date."""
        if day != self._day:
            self._day, self._boundaries = day, self._plan(day)
        return self._boundaries

    def _plan(self, day: date) -> tuple[Boundary, ...]:
        midnight = _at(day, _MIDNIGHT)
        if self.hours != ALWAYS_OPEN and not self._is_trading_day(day):
            return (Boundary(midnight, _ALL_CLOSED, new_day=True),)
        changes: dict[datetime, dict[SecurityClass, Phase]] = {midnight: dict(_ALL_CLOSED)}
        for kind in SecurityClass:
            for row in self._rows(day, kind):
                at = _at(day, row.at) + self._random_part(day, row)
                changes.setdefault(at, {})[kind] = row.phase
        mark = self._mark(day)
        changes.setdefault(mark, {})
        return tuple(
            Boundary(at, changes[at], new_day=at == midnight, mark=at == mark)
            for at in sorted(changes)
        )

    def _mark(self, day: date) -> datetime:
        if self.hours == ALWAYS_OPEN:
            return _at(day, _ALL_DAY_MARK)
        short = self._short(day)
        return _at(day, _MARK) if short is None else _at(day, short[1]) - _SHORT_MARK

    def _short(self, day: date) -> tuple[time_of_day, time_of_day] | None:
        special = self._holidays.get(day)
        return None if special is None else special.hours

    def _rows(self, day: date, kind: SecurityClass) -> _Rows:
        if self.hours == ALWAYS_OPEN:
            return _ALL_DAY
        if (short := self._short(day)) is not None:
            return (_Row(short[0], Phase.CONTINUOUS), _Row(short[1], Phase.CLOSED))
        pre_open = next(rows for since, rows in reversed(_PRE_OPENS) if since <= day)
        close = next(rows for since, rows in reversed(_CLOSES) if since <= day)
        return tuple(chain(pre_open, _NORMAL, close[kind]))

    def _random_part(self, day: date, row: _Row) -> timedelta:
        """Auctions close at a second nobody knows beforehand; the seed and the day decide it."""
        if row.latest is None:
            return timedelta(0)
        window = (_at(day, row.latest) - _at(day, row.at)) // timedelta(seconds=1)
        draw = random.Random(f"{self._seed} {day} {row.phase}").randrange(window)
        return timedelta(seconds=draw)

    def _is_trading_day(self, day: date) -> bool:
        special = self._holidays.get(day)
        return special.kind != "closed" if special else day.weekday() < 5


def _at(day: date, at: time_of_day) -> datetime:
    return datetime.combine(day, at, tzinfo=IST)
