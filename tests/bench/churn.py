"""`churn`: what a fanout process keeps of connections that came and went, in entries: 0.

Load: CHURNED connections, AT_ONCE at a time, each watching 20 of 500 symbols that move, and each
leaving in one of four ways: by a close frame, by ending its socket, by a reset, or half-way through
its handshake. Entries are counted by the process's own sweep once all have gone, before anything
is drained. Its resident memory is taken before, when WARMING connections have already been and
gone, and after.
"""

import asyncio
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple, cast

import psutil
import uvloop

from edge.fanout.limits import Limits
from edge.fanout.upkeep import Upkeep
from infra.load.dialects import OUTCRY
from infra.load.frames import CLOSE
from infra.load.run import raise_open_files
from infra.load.target import Target
from infra.local.ports import free_ports
from tests.bench.market import hello, publish
from tests.bench.processes import context, process, serving
from tests.support.fanout_node import Node
from tests.support.valkey import valkey_server

CHURNED = 100_000
WARMING = 5_000
AT_ONCE = 100
WAYS = 4
SECONDS_MOST = 900.0

PATH = "/v1/stream"
REQUEST = OUTCRY.request(PATH)


class Counts(NamedTuple):
    """What the node tells: its sockets, and what the sweep that it was asked for found."""

    connections: "Synchronized[int]"
    leftovers: "Synchronized[int]"
    asked: "Synchronized[int]"
    swept: "Synchronized[int]"


def _churned_node(url: str, port: int, counts: Counts, ready: Event) -> None:
    """The fanout process. It sweeps when asked to."""

    async def serve_forever() -> None:
        limits = Limits(connections_per_address=CHURNED, openings_per_second=100_000)
        node = Node(url, limits)
        upkeep = Upkeep(node.server)
        subscribing = asyncio.create_task(node.subscriber.run())
        await node.server.listen("127.0.0.1", port)
        ready.set()
        while not subscribing.done():
            await asyncio.sleep(0.1)
            counts.connections.value = len(node.server.connections)
            if counts.asked.value > counts.swept.value:
                kept = len(node.hub) + node.reception.leftovers + node.server.admission.inside
                counts.leftovers.value = kept + await upkeep.sweep()
                counts.swept.value += 1

    raise_open_files()
    uvloop.run(serve_forever())


class _Visitor(asyncio.Protocol):
    """One client: what it says, and how it goes."""

    __slots__ = ("_data", "_number", "_transport", "gone")

    def __init__(self, number: int) -> None:
        self._number, self._data = number, b""
        self._transport: asyncio.Transport | None = None
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._number % WAYS:
            self._transport.write(REQUEST + hello(self._number))
        else:
            self._transport.write(REQUEST[: self._number % len(REQUEST)])
            asyncio.get_running_loop().call_later(0.01, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._transport is None or b'"subscribed"' not in self._data:
            return
        way = self._number % WAYS
        if way == 1:
            self._data = b""
            self._transport.write(CLOSE)
        elif way == 2:
            self._transport.close()
        else:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.gone.set_result(None)


async def _visit(port: int, count: int, done: "Synchronized[int]") -> None:
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
    target = Target("127.0.0.1", port, PATH)

    async def one(number: int) -> None:
        async with gate:
            _, visitor = await loop.create_connection(
                lambda: _Visitor(number), target.host, port, local_addr=target.source(number)
            )
            await visitor.gone
            done.value += 1

    for start in range(0, count, 1_000):
        await asyncio.gather(*(one(n) for n in range(start, min(count, start + 1_000))))


def _visitors(port: int, count: int, done: "Synchronized[int]") -> None:
    raise_open_files()
    uvloop.run(_visit(port, count, done))


def _churn(port: int, count: int, counts: Counts) -> float:
    """Has so many clients come and go; the seconds until the node had no socket of theirs left."""
    done = context.Value("q", 0)
    began = time.monotonic()
    with process(_visitors, port, count, done):
        _await(lambda: done.value == count and counts.connections.value == 0)
    took = time.monotonic() - began
    counts.asked.value += 1
    _await(lambda: counts.swept.value == counts.asked.value)
    return took


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MOST
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the clients did not come and go in time")
        time.sleep(0.05)


def run(seconds: float, connections: int = CHURNED) -> dict[str, Any]:
    """The stage. It takes as long as its connections take, whatever `seconds` says."""
    counts = Counts(*(context.Value("q", 0) for _ in Counts._fields))
    port = free_ports(1)[0]
    with (
        valkey_server() as valkey,
        serving(_churned_node, valkey.url, port, counts) as pid,
        process(publish, valkey.url),
    ):
        _churn(port, min(WARMING, connections), counts)
        before = psutil.Process(pid).memory_info().rss
        took = _churn(port, connections, counts)
        after = psutil.Process(pid).memory_info().rss
    return {
        "name": "churn",
        "figure": float(counts.leftovers.value),
        "unit": f"entries left of {connections:,} connections",
        "baselines": [],
        "connections": connections,
        "connections_per_second": connections / took,
        "resident_bytes_before": before,
        "resident_bytes_after": after,
    }
