"""When things happen on the floor: boundaries, ends of halts, flexes of bands, scripted events.

Invariant: each happens once, at its own instant and in order of time, however far the clock moves
between two looks and whether or not the venue was killed in between: what is due follows from the
last boundary passed and from the floor's own state, both of which the journal keeps.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from infra.exchange.clock import IST, Reading
from infra.exchange.floor import Floor
from infra.exchange.schedule import ALWAYS_OPEN, Boundary, Schedule

_NEVER = datetime.max.replace(tzinfo=UTC)
#: The last half hour of continuous trading, in which bands flex sooner.
_LATE_NSE, _LATE_ALL_DAY = (14, 45), (23, 29)

Due = tuple[datetime, Callable[[], None]]


class Script(Protocol):
    """Events at instants of the business clock that are no rule of the venue: a market file."""

    def next_at(self, now: datetime) -> datetime | None:
        """The instant of the next event, None when there is none. `now` is the present one."""

    def play(self, at: datetime) -> None:
        """Let the events of that instant happen."""


class Timekeeper:
    """Moves one floor through business time. `script` may be set before the first `advance`."""

    def __init__(self, floor: Floor, schedule: Schedule) -> None:
        self._floor = floor
        self._schedule = schedule
        self._last_boundary: datetime | None = None
        self._next_at: datetime | None = None
        self.script: Script | None = None

    def advance(self, reading: Reading) -> None:
        """Move to an instant; all that falls due on the way happens first."""
        floor, executions, now = self._floor, self._floor.executions, reading.now
        if self._last_boundary is None:
            self._start(reading)
        elif reading.hours != self._schedule.hours:
            self._change_hours(reading)
        if executions.flexing:
            floor.cool(late=self._is_late(now))
        is_due = self._next_at is None or now >= self._next_at
        if floor.changed or is_due or self._halt_is_over(now):
            while (due := self._next_due(now)) is not None:
                at, act = due
                executions.set_time(at)
                act()
                floor.changed = True
            self._next_at = self._upcoming(now)
        executions.set_time(now)

    def state(self) -> list[str]:
        """Return what a restart needs: the last boundary passed, and the hours."""
        last = self._last_boundary.isoformat() if self._last_boundary else ""
        return [last, self._schedule.hours]

    def restore(self, state: list[str]) -> None:
        """Take the time up where the journal left it."""
        last, hours = state
        self._last_boundary = datetime.fromisoformat(last) if last else None
        self._schedule = self._schedule.with_hours(hours)

    def _start(self, reading: Reading) -> None:
        """Begin before today's first boundary."""
        midnight = reading.now.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
        self._last_boundary = midnight - timedelta(seconds=1)
        self._schedule = self._schedule.with_hours(reading.hours)

    def _change_hours(self, reading: Reading) -> None:
        """Follow a clock file that has other hours than before, from now on."""
        self._schedule = self._schedule.with_hours(reading.hours)
        self._floor.executions.set_time(reading.now)
        self._floor.cross(self._schedule.in_force(reading.now))
        self._last_boundary = reading.now

    def _next_due(self, now: datetime) -> Due | None:
        """Return the earliest thing that is due; of one instant the schedule's comes first."""
        last = self._last_boundary
        boundary = self._schedule.next_after(last, now) if last else None
        due: list[Due] = []
        if boundary is not None:
            due.append((boundary.at, partial(self._cross, boundary)))
        floor = self._floor
        due += [(h.until, partial(floor.end_stage, h)) for h in floor.halts.values() if h.until]
        due += [(at, partial(floor.flex, board, at)) for board, at in floor.flexes()]
        if self.script is not None:
            at = self.script.next_at(now)
            due += [(at, partial(self.script.play, at))] if at else []
        earliest = min(due, key=lambda item: item[0], default=None)
        return earliest if earliest is not None and earliest[0] <= now else None

    def _halt_is_over(self, now: datetime) -> bool:
        """Of a halt that came between two looks, and is in the journal already."""
        return any(h.until is not None and h.until <= now for h in self._floor.halts.values())

    def _cross(self, boundary: Boundary) -> None:
        self._floor.cross(boundary)
        self._last_boundary = boundary.at

    def _upcoming(self, now: datetime) -> datetime:
        """Return the earliest instant at which something may be due."""
        instants = [h.until for h in self._floor.halts.values() if h.until]
        instants += [at for _, at in self._floor.flexes()]
        if self._last_boundary is not None:
            instants.append(self._schedule.upcoming(self._last_boundary))
        if self.script is not None:
            instants.append(self.script.next_at(now) or _NEVER)
        return min(instants, default=_NEVER)

    def _is_late(self, now: datetime) -> bool:
        local = now.astimezone(IST)
        since = _LATE_ALL_DAY if self._schedule.hours == ALWAYS_OPEN else _LATE_NSE
        return (local.hour, local.minute) >= since
