"""Schedules fire by the business clock's minutes, one run of each at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import msgspec

from functions.shared.settings import SettingsError
from infra.local.gateway.pool import FunctionFailed, Pool
from infra.local.gateway.schedules import Scheduler
from infra.local.gateway.template import Function, Schedule

SETTLE = Schedule("Settle.EachMinute", Function("Settle", "settle.handler", 60, 1), 1)
QUARTER = Schedule("Notes.Quarterly", Function("Notes", "notes.handler", 60, 1), 15)


class MovedClock:
    hours: Literal["nse", "always-open"] = "nse"

    def __init__(self) -> None:
        self.time: datetime | None = datetime(2026, 7, 10, 9, 0, 30, tzinfo=UTC)

    def now(self) -> datetime:
        if self.time is None:
            raise SettingsError("OUTCRY_CLOCK: gone")
        return self.time

    def move(self, **span: int) -> None:
        assert self.time is not None
        self.time += timedelta(**span)


class FakePool:
    """Records what is called; a run ends when `gate` is open."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False

    @asynccontextmanager
    async def lease(self) -> AsyncIterator["FakePool"]:
        yield self

    async def invoke(self, function: Function, run_id: str, event: bytes, most: float) -> bytes:
        self.calls.append((function.logical_id, msgspec.json.decode(event)))
        await self.gate.wait()
        if self.failing:
            raise FunctionFailed("ValueError", "no")
        return b"null"

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def scheduler(pool: FakePool, clock: MovedClock, *schedules: Schedule) -> Scheduler:
    return Scheduler(schedules or (SETTLE,), cast(Pool, pool), clock)


async def look(subject: Scheduler) -> None:
    """One look, and a chance for every started run to go as far as it can."""
    subject.look()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_schedule_fires_at_the_start_and_once_a_minute() -> None:
    pool, clock = FakePool(), MovedClock()
    subject = scheduler(pool, clock)
    for _ in range(3):
        await look(subject)
    assert pool.names == ["Settle"]
    clock.move(seconds=30)
    for _ in range(3):
        await look(subject)
    assert pool.names == ["Settle"] * 2
    assert [event["time"] for _, event in pool.calls] == [
        "2026-07-10T09:00:30Z",
        "2026-07-10T09:01:00Z",
    ]


async def test_a_clock_moved_by_days_fires_once() -> None:
    pool, clock = FakePool(), MovedClock()
    subject = scheduler(pool, clock)
    await look(subject)
    clock.move(days=3)
    for _ in range(3):
        await look(subject)
    assert pool.names == ["Settle"] * 2


async def test_a_long_run_delays_only_its_own_schedule_and_runs_do_not_pile_up() -> None:
    pool, clock = FakePool(), MovedClock()
    subject = scheduler(pool, clock, SETTLE, QUARTER)
    pool.gate.clear()
    await look(subject)
    for _ in range(20):
        clock.move(minutes=1)
        await look(subject)
    assert sorted(pool.names) == ["Notes", "Settle"]
    pool.gate.set()
    await look(subject)
    for _ in range(3):
        await look(subject)
    assert sorted(pool.names) == ["Notes", "Notes", "Settle", "Settle"]


async def test_a_failed_run_is_tried_in_the_next_minute_and_not_before() -> None:
    pool, clock = FakePool(), MovedClock()
    pool.failing = True
    subject = scheduler(pool, clock)
    for _ in range(3):
        await look(subject)
    assert pool.names == ["Settle"]
    pool.failing = False
    clock.move(minutes=1)
    await look(subject)
    assert pool.names == ["Settle"] * 2


async def test_a_rate_of_fifteen_minutes_fires_by_the_quarter() -> None:
    pool, clock = FakePool(), MovedClock()
    subject = scheduler(pool, clock, QUARTER)
    for _ in range(31):
        await look(subject)
        clock.move(minutes=1)
    assert len(pool.names) == 3


async def test_a_clock_that_cannot_be_read_fires_nothing_and_stops_nothing() -> None:
    pool, clock = FakePool(), MovedClock()
    subject = scheduler(pool, clock)
    known, clock.time = clock.time, None
    await look(subject)
    assert pool.names == []
    clock.time = known
    await look(subject)
    assert pool.names == ["Settle"]
