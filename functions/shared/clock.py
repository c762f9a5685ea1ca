"""The clocks: one business clock that every process reads alike, and the wall clock for security.

Invariant: trade dates, sessions and settlement follow the business clock, which a file may move;
tokens, one-time codes and TLS follow the wall clock, which nothing moves.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec

from functions.shared.settings import SettingsError, file_url_path

INDIA = ZoneInfo("Asia/Kolkata")
_REREAD_SECONDS = 0.2


def wall_now() -> datetime:
    """The wall clock, aware, in UTC: for tokens, codes and SendingTime, never for trade dates."""
    return datetime.now(UTC)


class Clock(Protocol):
    """Business time. `hours` says which sessions apply: the exchange's, or open every day."""

    @property
    def hours(self) -> Literal["nse", "always-open"]: ...

    def now(self) -> datetime:
        """Business time, aware, in UTC."""

    def business_at(self, wall: datetime) -> datetime:
        """Business time at that wall time, by how the clock goes now."""


class ClockFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the clock file holds: business = `business` + (wall - `wall`) * `speed`."""

    version: Literal[1] = 1
    hours: Literal["nse", "always-open"] = "always-open"
    wall: datetime
    business: datetime
    speed: float = 1.0

    def at(self, wall: datetime) -> datetime:
        """The business time at that wall time."""
        return self.business + (wall - self.wall) * self.speed


class RealClock:
    """Business time is the wall clock, with the exchange's own hours."""

    hours: Literal["nse", "always-open"] = "nse"

    def now(self) -> datetime:
        return wall_now()

    def business_at(self, wall: datetime) -> datetime:
        return wall


class FileClock:
    """Business time by the clock file, read again within 200 ms of a change."""

    def __init__(
        self,
        path: Path,
        wall: Callable[[], datetime] = wall_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._wall = wall
        self._monotonic = monotonic
        self._checked = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self._file = self._read()

    @property
    def hours(self) -> Literal["nse", "always-open"]:
        return self._current().hours

    def now(self) -> datetime:
        return self.business_at(self._wall())

    def business_at(self, wall: datetime) -> datetime:
        return self._current().at(wall)

    def _current(self) -> ClockFile:
        tick = self._monotonic()
        if tick - self._checked >= _REREAD_SECONDS:
            self._checked = tick
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._stamp, self._file = stamp, self._read()
        return self._file

    def _read(self) -> ClockFile:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=ClockFile)
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(f"OUTCRY_CLOCK: {self._path} can't be read: {error}") from error


def open_clock(setting: str) -> Clock:
    """The clock named by OUTCRY_CLOCK: `real` or `file:///PATH`. Raises SettingsError otherwise."""
    if setting == "real":
        return RealClock()
    path = file_url_path(setting)
    if path is None:
        raise SettingsError(f"OUTCRY_CLOCK: {setting!r} is neither real nor file:///PATH")
    return FileClock(path)


def trade_date(now: datetime) -> date:
    """The calendar day in India that a moment falls on."""
    return now.astimezone(INDIA).date()


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970, exact (no float passes)."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """The aware UTC moment of whole microseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def format_time(value: int) -> str:
    """Whole microseconds since 1970 as RFC 3339 in UTC with microseconds."""
    return from_micros(value).isoformat(timespec="microseconds").replace("+00:00", "Z")
