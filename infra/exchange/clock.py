"""The business clock: which instant it is at the venue, and which hours it keeps.

Every process of one installation reads the same small file (`--clock`), so that they agree on the
trade date and a test can move all of them. Invariant: business time is
`business + (wall_now - wall) * speed`; FIX SendingTime stays on the wall clock.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

IST = timezone(timedelta(hours=5, minutes=30), "IST")
LOOK_EVERY_S = 0.2


class ClockError(Exception):
    """The clock file is missing or does not say what time it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the clock. `hours` is `nse` or `always-open`."""

    now: datetime
    hours: str


@dataclass(frozen=True, slots=True)
class _Setting:
    hours: str
    wall: datetime
    business: datetime
    speed: float


def utc_timestamp(now: datetime) -> str:
    """Return an instant as FIX's UTCTimestamp with milliseconds."""
    date, _, of_day = now.astimezone(UTC).isoformat(timespec="milliseconds").partition("T")
    return f"{date.replace('-', '')}-{of_day.removesuffix('+00:00')}"


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
    ) -> None:
        self._path = path
        self._wall = wall
        self._monotonic = monotonic
        self.errors = 0
        self._looked_at = monotonic()
        self._mtime_ns, self._setting = self._load()

    def read(self) -> Reading:
        """Return the business instant and the hours in force."""
        self._look()
        setting = self._setting
        now = setting.business + (self._wall() - setting.wall) * setting.speed
        return Reading(now, setting.hours)

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
