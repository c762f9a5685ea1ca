"""The supervisor: starts every part when what it needs is ready, watches them, stops them all.

Invariant: no part outlives the supervisor. A part that dies is started again, unless it dies more
often than RESTARTS_MOST in RESTART_WINDOW_SECONDS: then the whole stack stops and says why.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence

from infra.local.parts import Part, Running, Step
from infra.local.refusals import StartRefused

START_SECONDS = 60.0
RESTARTS_MOST = 10
RESTART_WINDOW_SECONDS = 60.0
_RESTART_PAUSES = (0.0, 0.1, 0.2, 0.5, 1.0)
_PROBE_STARTING_SECONDS = 0.05
_PROBE_RUNNING_SECONDS = 1.0


class PartFailed(StartRefused):
    """A part would not start, or kept dying; the message ends with the last lines of its log."""


class Supervisor:
    """Runs parts and steps. `say` gets a line for people; `changed` follows every new state."""

    def __init__(
        self,
        parts: Sequence[Part],
        steps: Sequence[Step],
        say: Callable[[str], None],
        changed: Callable[[], object],
    ) -> None:
        self.running = [Running(part) for part in parts]
        self._steps = steps
        self._say = say
        self._changed = changed
        self._done = {name: asyncio.Event() for name in _needs(parts, steps)}

    async def run(self, ready: Callable[[], object]) -> None:
        """Starts everything, calls `ready` once all are, and restarts what dies.

        Returns only by raising: PartFailed, or what a step raised. Call `stop` afterwards.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for step in self._steps:
                    group.create_task(self._run_step(step))
                for running in self.running:
                    group.create_task(self._bring_up(running, group))
                await self._wait_for(frozenset(self._done))
                ready()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None

    async def stop(self) -> None:
        """Stops the parts, those that need others first. Leaves no process."""
        for wave in _waves_down([r.part for r in self.running], self._steps):
            await asyncio.gather(*(r.stop() for r in self.running if r.part.name in wave))
            self._changed()

    async def _run_step(self, step: Step) -> None:
        await self._wait_for(step.after)
        began = time.monotonic()
        await asyncio.to_thread(step.run)
        self._say(f"{step.name} done in {time.monotonic() - began:.1f} s")
        self._done[step.name].set()

    async def _bring_up(self, running: Running, group: asyncio.TaskGroup) -> None:
        part = running.part
        await self._wait_for(part.after)
        began = time.monotonic()
        if part.prepare is not None:
            await asyncio.to_thread(part.prepare)
        await running.start()
        self._changed()
        await self._until_ready(running)
        self._say(f"{part.name} ready in {time.monotonic() - began:.1f} s")
        self._changed()
        self._done[part.name].set()
        group.create_task(self._keep_up(running))
        group.create_task(self._keep_asking(running))

    async def _wait_for(self, names: frozenset[str]) -> None:
        for name in names:
            await self._done[name].wait()

    async def _until_ready(self, running: Running) -> None:
        """Raises PartFailed when the process ends or the time is up."""
        deadline = time.monotonic() + START_SECONDS
        ended = asyncio.create_task(running.ended())
        try:
            while True:
                ready, detail = await running.part.probe()
                if ready:
                    running.state, running.detail = "ready", ""
                    return
                running.detail = detail
                await asyncio.wait({ended}, timeout=_PROBE_STARTING_SECONDS)
                if ended.done():
                    raise _failure(running, f"ended with exit code {ended.result()} at its start")
                if time.monotonic() > deadline:
                    raise _failure(running, f"was not ready in {START_SECONDS:.0f} s: {detail}")
        finally:
            ended.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ended

    async def _keep_up(self, running: Running) -> None:
        deaths: deque[float] = deque(maxlen=RESTARTS_MOST)
        while True:
            code = await running.ended()
            now = time.monotonic()
            if len(deaths) == RESTARTS_MOST and now - deaths[0] < RESTART_WINDOW_SECONDS:
                raise _failure(
                    running,
                    f"died {RESTARTS_MOST + 1} times in {RESTART_WINDOW_SECONDS:.0f} s "
                    f"(exit code {code})",
                )
            recent = sum(now - death < RESTART_WINDOW_SECONDS for death in deaths)
            deaths.append(now)
            running.restarts += 1
            running.state, running.detail = "restarting", f"exit code {code}"
            self._say(f"{running.part.name} ended (exit code {code}); starting it again")
            self._changed()
            await asyncio.sleep(_RESTART_PAUSES[min(recent, len(_RESTART_PAUSES) - 1)])
            await running.start()
            self._changed()

    async def _keep_asking(self, running: Running) -> None:
        while True:
            await asyncio.sleep(_PROBE_RUNNING_SECONDS)
            process = running.process
            if process is None or process.returncode is not None:
                continue  # it is being started again
            ready, detail = await running.part.probe()
            if process is not running.process:
                continue
            if ready:
                state, detail = "ready", ""
            else:
                state = "failing" if running.state in {"ready", "failing"} else "starting"
            if (state, detail) != (running.state, running.detail):
                running.state, running.detail = state, detail
                self._changed()


def _failure(running: Running, what: str) -> PartFailed:
    return PartFailed(
        f"{running.part.name} {what}\n{running.tail()}\nIts log is {running.part.log}"
    )


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to tell of: the group's first, out of its nesting."""
    for failure in failures.exceptions:
        return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
    raise AssertionError("an exception group is never empty")


def _needs(parts: Sequence[Part], steps: Sequence[Step]) -> dict[str, frozenset[str]]:
    """Each part's and step's name, and the names it waits for."""
    return {part.name: part.after for part in parts} | {step.name: step.after for step in steps}


def _waves_down(parts: Sequence[Part], steps: Sequence[Step]) -> list[set[str]]:
    """The parts in the order they are stopped: each before everything it was started after."""
    after = _needs(parts, steps)
    depth: dict[str, int] = {}

    def measure(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((measure(other) for other in after[name]), default=0)
        return depth[name]

    waves: dict[int, set[str]] = {}
    for part in parts:
        waves.setdefault(measure(part.name), set()).add(part.name)
    return [waves[level] for level in sorted(waves, reverse=True)]
