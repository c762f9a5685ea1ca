"""The business clock: which instant, trade date and session phase it is at the venue.

Every process of one installation reads the same small file (`--clock`), so that they agree on the
trade date and a test can move all of them. Invariant: business time is
`business + (wall_now - wall) * speed`; FIX SendingTime stays on the wall clock.
"""

import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

IST = timezone(timedelta(hours=5, minutes=30), "IST")
HOLIDAYS_FILE = Path(__file__).with_name("holidays.csv")
LOOK_EVERY_S = 0.2

_NSE_OPEN, _NSE_CLOSE = time_of_day(9, 15), time_of_day(15, 30)
_LAST_MINUTE = time_of_day(23, 59)


class ClockError(Exception):
    """The clock file is missing or does not say what time it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the clock. `trade_date` is the IST date; `open` says whether orders trade now."""

    now: datetime
    trade_date: date
    open: bool


@dataclass(frozen=True, slots=True)
class _Setting:
    hours: str
    wall: datetime
    business: datetime
    speed: float


def read_holidays(path: Path = HOLIDAYS_FILE) -> dict[date, str]:
    """Return `closed` or `open` (a special session at the weekend) by date."""
    with path.open(newline="", encoding="utf-8") as rows:
        return {date.fromisoformat(row["date"]): row["kind"] for row in csv.DictReader(rows)}


class BusinessClock:
    """Reads the clock file again when it changed, looking at most every 200 ms.

    The file is replaced by rename, so a look sees a whole file. Should one be unreadable even so,
    the last good setting stays in force and `errors` counts it; at the start it is a ClockError.
    """

    def __init__(
        self,
        path: Path,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        holidays: dict[date, str] | None = None,
    ) -> None:
        self._path = path
        self._wall = wall
        self._monotonic = monotonic
        self._holidays = read_holidays() if holidays is None else holidays
        self.errors = 0
        self._looked_at = monotonic()
        self._mtime_ns, self._setting = self._load()

    def read(self) -> Reading:
        """Return the business instant with its trade date and whether the market is open."""
        self._look()
        setting = self._setting
        now = setting.business + (self._wall() - setting.wall) * setting.speed
        local = now.astimezone(IST)
        return Reading(now, local.date(), self._is_open(setting.hours, local))

    def _is_open(self, hours: str, local: datetime) -> bool:
        if hours == "always-open":
            return local.time() < _LAST_MINUTE
        special = self._holidays.get(local.date())
        trading_day = special == "open" if special else local.weekday() < 5
        return trading_day and _NSE_OPEN <= local.time() < _NSE_CLOSE

    def _look(self) -> None:
        now = self._monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        try:
            if self._path.stat().st_mtime_ns != self._mtime_ns:
                self._mtime_ns, self._setting = self._load()
        except (ClockError, OSError):
            self.errors += 1

    def _load(self) -> tuple[int, _Setting]:
        try:
            mtime_ns = self._path.stat().st_mtime_ns
            return mtime_ns, _parse(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ClockError(f"clock file {self._path}: {error}") from error


def _parse(raw: dict[str, Any]) -> _Setting:
    if raw["version"] != 1 or raw["hours"] not in {"always-open", "nse"}:
        raise ValueError(f"version {raw['version']!r} with hours {raw['hours']!r} is not known")
    wall = datetime.fromisoformat(raw["wall"])
    business = datetime.fromisoformat(raw["business"])
    if wall.tzinfo is None or business.tzinfo is None:
        raise ValueError("wall and business need a UTC offset")
    return _Setting(raw["hours"], wall, business, float(raw["speed"]))
