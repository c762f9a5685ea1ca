"""The template's schedules, fired by the minutes of the business clock.

Moving the clock fires them as waiting would, once however far it moved: a job finds its own work by
date. Invariant: a schedule has one run at a time, and no run waits behind another of its own; a run
that fails is logged, and the next minute tries again.
"""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec
from prometheus_client import Counter

from edge.runtime.log import logger
from functions.shared.clock import Clock
from functions.shared.settings import SettingsError
from infra.local.gateway.events import schedule_event
from infra.local.gateway.pool import FunctionFailed, FunctionTimedOut, Overloaded, Pool
from infra.local.gateway.template import Schedule

LOOK_SECONDS = 0.2  # how often the clock's file is looked at by all
#: Lambda's own limit on an invocation.
_RUN_SECONDS = 900.0

_RUNS = Counter("api_schedule_runs", "Runs of scheduled functions", ["schedule", "outcome"])


class Scheduler:
    """Fires every schedule at its start, and whenever the business clock reached its next time."""

    def __init__(self, schedules: Sequence[Schedule], pool: Pool, clock: Clock) -> None:
        self._schedules = schedules
        self._pool = pool
        self._clock = clock
        self._fired: dict[str, int] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Looks at the clock until it is cancelled; runs under way are cancelled with it."""
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._running.values():
                task.cancel()

    def look(self) -> None:
        """Starts what is due now and not running yet."""
        try:
            now = self._clock.now()
        except SettingsError as error:  # the file is not readable in this instant, or any more
            logger(__name__).error("the clock can't be read", detail=str(error))
            return
        for schedule in self._schedules:
            period = int(now.timestamp()) // (60 * schedule.minutes)
            if self._fired.get(schedule.name) != period and schedule.name not in self._running:
                self._fired[schedule.name] = period
                task = asyncio.create_task(self._run(schedule, now))
                self._running[schedule.name] = task
                task.add_done_callback(partial(self._ended, schedule.name))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._running[name]
        if not task.cancelled() and task.exception() is not None:
            logger(__name__).error("a schedule broke", schedule=name, detail=str(task.exception()))

    async def _run(self, schedule: Schedule, now: datetime) -> None:
        run_id = str(uuid.uuid4())
        event = msgspec.json.encode(schedule_event(schedule, run_id, now))
        try:
            async with self._pool.lease() as worker:
                await worker.invoke(schedule.function, run_id, event, _RUN_SECONDS)
        except (FunctionFailed, FunctionTimedOut, Overloaded) as error:
            _RUNS.labels(schedule.name, "failed").inc()
            logger(__name__).error(
                "a scheduled run failed",
                schedule=schedule.name,
                request_id=run_id,
                error=type(error).__name__,
                detail=str(error),
            )
        else:
            _RUNS.labels(schedule.name, "done").inc()
