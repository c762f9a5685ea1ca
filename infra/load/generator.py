"""A load: connections that open at their own pace, and windows in which it is measured.

Invariant: nothing waits for the server. Each opening has its moment, counted from the start, and
its time runs from there whether or not there was room to begin it then; prices are timed from their
own stamps (ages.py). All is bounded: openings at once, seconds to open, seconds to measure.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from infra.load.ages import Ages, Watch
from infra.load.connection import LetDown, LoadConnection, TurnedAway
from infra.load.dialects import Dialect
from infra.load.histogram import Histogram
from infra.load.node import Node, Used
from infra.load.target import Target

ATTEMPT_SECONDS = 15.0
#: When to come again where the server doesn't say, at most.
AGAIN_SECONDS = 2.0
#: A client that says nothing for a minute is closed.
PING_SECONDS = 20.0
TURN_SECONDS = 0.1
_TURNS = round(PING_SECONDS / TURN_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked for. `hello` gives each connection's first words, by its number.

    `openings_per_second` is the pace at which connections are due, of which `at_once` are on their
    way at most; those that are not in after `open_seconds` are given up. One connection in
    `look_at_each` has its prices timed.
    """

    target: Target
    dialect: Dialect
    hello: Callable[[int], bytes]
    connections: int
    openings_per_second: float
    at_once: int = 1_000
    open_seconds: float = 120.0
    look_at_each: int = 1


@dataclass(frozen=True, kw_only=True)
class Opened:
    """How the connections came in: each wait, in microseconds from when it was due."""

    connections: int
    seconds: float
    waits: Histogram
    #: How often the server said to come again, and who was refused for good, by status.
    turned_away: Counter[int]
    refused: Counter[int | None]
    before: Used | None


@dataclass(frozen=True, kw_only=True)
class Window:
    """What was measured in so many seconds. Ages and `late` (how late the generator's own timer
    was) are in microseconds; `replaced` of the ages are of prices that a newer one replaced."""

    seconds: float
    received: int
    looking: int
    ages: Histogram
    replaced: int
    silent: int
    lost: Counter[int | None]
    late: Histogram
    processor_seconds: float
    before: Used | None
    after: Used | None


class Begun(NamedTuple):
    """How all stood when a window began."""

    had: list[int]
    used: Used | None
    processor_seconds: float
    at: float


@dataclass
class _Counts:
    turned_away: Counter[int] = field(default_factory=Counter)
    refused: Counter[int | None] = field(default_factory=Counter)
    waits: Histogram = field(default_factory=Histogram)
    looking: int = 0


class Generator:
    """The connections of one process. `node` is the server's, where it is this machine's."""

    def __init__(self, load: Load, node: Node | None = None) -> None:
        self._load, self._node = load, node
        self._loop = asyncio.get_running_loop()
        self._ages = Ages()
        self._late = Histogram()
        self._counts = _Counts()
        self._turning: asyncio.Task[None] | None = None
        self.connections: list[LoadConnection] = []

    async def open(self) -> Opened:
        """Opens all of them, or as many as get in within the time there is."""
        load, counts = self._load, self._counts
        before = self._node.used() if self._node else None
        self._turning = asyncio.create_task(self._turn())
        gate = asyncio.Semaphore(load.at_once)
        started = self._loop.time()
        openings = [
            asyncio.create_task(self._open(number, started, gate))
            for number in range(load.connections)
        ]
        _, late = await asyncio.wait(openings, timeout=load.open_seconds)
        for task in late:
            task.cancel()
        for each in await asyncio.gather(*openings, return_exceptions=True):
            if isinstance(each, Exception):
                raise each
        return Opened(
            connections=len(self.connections), seconds=self._loop.time() - started,
            waits=counts.waits,
            turned_away=counts.turned_away, refused=counts.refused, before=before,
        )  # fmt: skip

    async def measure(self, seconds: float) -> Window:
        """Counts for so long."""
        begun = self.begin()
        await asyncio.sleep(seconds)
        return self.end(begun)

    def begin(self) -> Begun:
        """Begins to count."""
        had = [connection.received for connection in self.connections]
        used = self._node.used() if self._node else None
        self._ages.begin()
        self._late = Histogram()
        self._ages.counting = True
        return Begun(had, used, time.process_time(), time.monotonic())

    def end(self, begun: Begun) -> Window:
        """What was counted since then."""
        self._ages.counting = False
        took, processor = time.monotonic() - begun.at, time.process_time() - begun.processor_seconds
        after = self._node.used() if self._node else None
        got = [each.received - n for each, n in zip(self.connections, begun.had, strict=True)]
        return Window(
            seconds=took,
            received=sum(got),
            looking=self._counts.looking,
            ages=self._ages.counted,
            replaced=self._ages.replaced,
            silent=got.count(0),
            lost=Counter(each.ended_by for each in self.connections if each.transport is None),
            late=self._late,
            processor_seconds=processor,
            before=begun.used,
            after=after,
        )

    async def close(self) -> None:
        """Ends every connection, without waiting for the server."""
        if self._turning is not None:
            self._turning.cancel()
        for connection in self.connections:
            connection.abort()
        await asyncio.sleep(0)

    async def _open(self, number: int, started: float, gate: asyncio.Semaphore) -> None:
        """Opens one when it is due, and again as often as it is told to come again."""
        load, counts = self._load, self._counts
        due = started + number / load.openings_per_second
        again = due - self._loop.time()
        while True:
            await asyncio.sleep(again)
            try:
                async with gate:
                    connection = await self._attempt(number)
                break
            except TurnedAway as error:
                counts.turned_away[error.status] += 1
                again = error.seconds or random.uniform(0, AGAIN_SECONDS)
            except LetDown as error:
                counts.refused[error.status] += 1
                return
        counts.waits.record(round((self._loop.time() - due) * 1_000_000))
        counts.looking += number % load.look_at_each == 0
        self.connections.append(connection)

    async def _attempt(self, number: int) -> LoadConnection:
        """Raises TurnedAway, also when nothing was answered in time, and LetDown."""
        load, target = self._load, self._load.target
        watch = None
        if number % load.look_at_each == 0:
            watch = Watch(load.dialect.price, self._ages)
        connection = LoadConnection(load.dialect, target.path, load.hello(number), watch)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self._loop.create_connection(
                    lambda: connection, target.host, target.port, local_addr=target.source(number)
                )
                await connection.opened
        except (OSError, TimeoutError) as error:
            connection.abort()
            raise TurnedAway(0, None) from error
        except asyncio.CancelledError:
            connection.abort()
            raise
        return connection

    async def _turn(self) -> None:
        """Pings on each connection in its turn, and notes how late that was."""
        due, turn = self._loop.time(), 0
        while True:
            due += TURN_SECONDS
            await asyncio.sleep(due - self._loop.time())
            self._late.record(round((self._loop.time() - due) * 1_000_000))
            for connection in self.connections[turn % _TURNS :: _TURNS]:
                connection.ping()
            turn += 1
