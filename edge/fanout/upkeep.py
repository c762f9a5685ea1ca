"""What the process checks of itself: leftovers of closed connections, and its memory.

Invariant: whatever is kept for a connection that is gone is found within `sweep_seconds`, told of
and dropped, though it takes a mistake of ours for there to be any; and a process that nears its
limit of memory says so while there is room to act. Each check is cut into pieces, so that no client
waits for it.
"""

import asyncio
from collections.abc import Iterator

from edge.fanout.client import Client
from edge.fanout.server import StreamServer
from edge.runtime.log import logger
from edge.runtime.memory import memory_limit, resident_bytes

#: Sets looked at before the loop has its turn.
PIECE = 20


class Upkeep:
    """The checks of one process. Its figures are for /metrics."""

    def __init__(self, server: StreamServer) -> None:
        self._server, limits = server, server.limits
        whole = limits.memory_bytes or memory_limit()
        #: The memory of this process's own, None where nothing limits it.
        self.memory_limit = None if whole is None else whole // limits.workers
        self.memory_used = resident_bytes()
        self.memory_alarm = False
        self.sweeps = self.leftovers = 0

    async def run(self) -> None:
        """Checks until cancelled."""
        loop, limits = self._server.loop, self._server.limits
        due = loop.time() + limits.sweep_seconds
        while True:
            await asyncio.sleep(min(limits.memory_seconds, max(0.0, due - loop.time())))
            if self.look_at_memory() or loop.time() >= due:
                await self.sweep()
                due = loop.time() + limits.sweep_seconds

    async def sweep(self) -> int:
        """Holds every set of the process against its live connections. What it found and dropped,
        0 unless something is wrong."""
        found = 0
        for number, strays in enumerate(self._strays()):
            found += strays
            if number % PIECE == PIECE - 1:
                await asyncio.sleep(0)
        self.sweeps += 1
        self.leftovers += found
        log = logger(__name__)
        (log.error if found else log.info)(
            "swept for leftovers", found=found, connections=len(self._server.connections)
        )
        return found

    def look_at_memory(self) -> bool:
        """Whether memory has risen past the alarm just now."""
        self.memory_used = used = resident_bytes()
        if self.memory_limit is None:
            return False
        percent = used * 100 // self.memory_limit
        limits = self._server.limits
        alarm, relief = limits.memory_alarm_percent, limits.memory_relief_percent
        raised = not self.memory_alarm and percent >= alarm
        if raised:
            logger(__name__).error(
                "memory runs short", percent=percent, used=used, limit=self.memory_limit,
                connections=len(self._server.connections),
            )  # fmt: skip
        self.memory_alarm = percent >= (alarm - relief if self.memory_alarm else alarm)
        return raised

    def _strays(self) -> Iterator[int]:
        """What each set of the process had of connections that are gone, dropped from it."""
        server = self._server
        yield from server.reception.strays(_Live(server))
        closing = [each for each in server.closing if each not in server.connections]
        for connection in closing:
            del server.closing[connection]
        yield len(closing)
        yield server.admission.recount(each.address for each in server.connections if each.admitted)


class _Live:
    """The clients whose connection is there: now, not when the sweep began."""

    def __init__(self, server: StreamServer) -> None:
        self._server = server

    def __contains__(self, client: object) -> bool:
        return isinstance(client, Client) and client.link in self._server.connections
