"""Several fanout processes on one port, under a parent that serves no client itself.

Invariant: as many workers run as are asked for. One that dies is started again; one whose loop has
not turned for `worker_silence_seconds` is killed, and so started again: the kernel would go on
giving it its share of the connections (SO_REUSEPORT, socket(7)). Its clients come back to another.
The node is healthy while every worker is. No worker outlives the parent, and what one that died
had counts against no bound of the node (tally.py).
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.fanout.beats import BEAT_BYTES_MAX, Beat, decode_beat
from edge.fanout.limits import Limits
from edge.fanout.tally import Rows, make_rows
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger

#: A node whose worker dies more often than `worker_deaths` within this ends with it.
DEATHS_SECONDS = 60.0
_LOOK_SECONDS = 0.25
WRONG_SETTINGS = 2


class Post(NamedTuple):
    """What its parent tells a worker: the descriptors of its beats and of the node's counts, and
    its number, from 1."""

    beats: int
    counts: int
    number: int


class Worker:
    """One place among the workers, and the process that has it now."""

    def __init__(self, number: int, deaths_most: int) -> None:
        self.number = number
        self.process: asyncio.subprocess.Process | None = None
        self.beat = Beat(False, "starting", [])
        self.silent_at = 0.0
        self.restarts = 0
        self.deaths: deque[float] = deque(maxlen=deaths_most)

    @property
    def living(self) -> asyncio.subprocess.Process | None:
        """Its process while that runs."""
        process = self.process
        return process if process is not None and process.returncode is None else None


class Workers(Collector):
    """Keeps the workers: each `command` with `--worker` and its Post.

    A collector of every worker's metrics, with the label `worker`.
    """

    def __init__(self, command: Sequence[str], limits: Limits) -> None:
        self._command, self._limits = command, limits
        self._stop = asyncio.Event()
        self._draining = False
        self._exit = 0
        self._counts = make_rows(limits.workers, limits.connections)
        self._rows = Rows(self._counts, limits.workers)
        self.all = [Worker(number + 1, limits.worker_deaths) for number in range(limits.workers)]

    def state(self) -> tuple[bool, str]:
        """For /health: ready while every worker is. For other threads, too."""
        if self._draining:
            return False, "draining"
        for worker in self.all:
            silent = time.monotonic() > worker.silent_at
            if silent or not worker.beat.ready:
                detail = "is silent" if silent and worker.beat.ready else worker.beat.detail
                return False, f"worker {worker.number} of {len(self.all)}: {detail}"
        return True, ""

    def stop(self) -> None:
        """Drains all workers and ends `run`."""
        self._stop.set()

    async def run(self) -> int:
        """Until stopped, or until a worker can't be kept. The process's exit code."""
        keeping = [asyncio.create_task(self._keep(worker)) for worker in self.all]
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({stopped, *keeping}, return_when=asyncio.FIRST_COMPLETED)
            for task in keeping:
                if task.done():
                    task.result()  # an error of ours ends the process with it
            return self._exit
        finally:
            self._draining = True
            await asyncio.shield(self._end(keeping))
            stopped.cancel()

    async def _keep(self, worker: Worker) -> None:
        """Has the worker run; returns when it can't be kept, its exit code being the process's."""
        backoff = Backoff(0.1)
        while True:
            code = await self._live(worker)
            now = time.monotonic()
            logger(__name__).error("a worker ended", worker=worker.number, code=code)
            died_often = len(worker.deaths) == worker.deaths.maxlen
            if code == WRONG_SETTINGS or (died_often and now - worker.deaths[0] < DEATHS_SECONDS):
                self._exit = code if code > 0 else 1
                return
            if not worker.deaths or now - worker.deaths[-1] > DEATHS_SECONDS:
                backoff.reset()
            worker.deaths.append(now)
            worker.restarts += 1
            worker.beat, worker.silent_at = Beat(False, "starting again", []), 0.0
            await asyncio.sleep(backoff.next_seconds())

    async def _live(self, worker: Worker) -> int:
        """One life of the worker; its exit code, negative for a signal."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.setblocking(False)
            with its:
                post = Post(its.fileno(), self._counts, worker.number)
                process = await asyncio.create_subprocess_exec(
                    *self._command, "--worker", *map(str, post), pass_fds=post[:2]
                )
            worker.process = process
            dead_at = time.monotonic() + self._limits.worker_start_seconds
            ended = asyncio.create_task(process.wait())
            try:
                while not ended.done():
                    await asyncio.wait({ended}, timeout=_LOOK_SECONDS)
                    if self._hear(worker, ours):
                        dead_at = worker.silent_at
                    elif time.monotonic() > dead_at and not self._draining:
                        logger(__name__).error("a worker is silent", worker=worker.number)
                        process.kill()
                        dead_at = time.monotonic() + self._limits.worker_start_seconds
                self._rows.clear(worker.number - 1)
                return ended.result()
            finally:
                ended.cancel()

    def _hear(self, worker: Worker, ours: socket.socket) -> bool:
        """Takes the beats that came. Whether there was one."""
        heard = False
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while message := ours.recv(BEAT_BYTES_MAX):
                try:
                    worker.beat = decode_beat(message)
                except msgspec.MsgspecError as error:
                    logger(__name__).error("a worker's beat can't be read", detail=str(error))
                heard = True
        if heard:
            worker.silent_at = time.monotonic() + self._limits.worker_silence_seconds
        return heard

    async def _end(self, keeping: Sequence["asyncio.Task[None]"]) -> None:
        """Has every worker drain at once, and kills what has not ended in time."""
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        living = [each for worker in self.all if (each := worker.living) is not None]
        for process in living:
            process.send_signal(signal.SIGTERM)
        seconds = self._limits.drain_seconds + self._limits.worker_stop_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(process.wait() for process in living))
        for process in living:
            if process.returncode is None:
                process.kill()
                await process.wait()

    # -- What /metrics shows

    def collect(self) -> Iterator[Metric]:
        """Every worker's figures under its number, and how the workers fare."""
        families: dict[str, Metric] = {}
        for worker in self.all:
            for each in worker.beat.figures:
                family = families.setdefault(
                    each.name, Metric(each.name, each.documentation, each.kind)
                )
                for name, labels, value in each.samples:
                    family.add_sample(name, {**labels, "worker": str(worker.number)}, value)
        yield from families.values()
        ready = sum(worker.beat.ready for worker in self.all)
        yield GaugeMetricFamily("outcry_fanout_workers_ready", "workers that serve", value=ready)
        restarts = sum(worker.restarts for worker in self.all)
        yield CounterMetricFamily(
            "outcry_fanout_worker_restarts", "workers started again", value=restarts
        )
