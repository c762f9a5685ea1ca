"""`stalled`: by how much the p99 of quotes moves when one client in a hundred stops reading.

Load: CONNECTIONS clients of 20 symbols, which the node carries with half a core, for beyond what it
can carry a p99 says how far beyond; one in LOOK_AT_EACH times its prices. Against them a hundredth
as many that watch more symbols, so as to be behind within two seconds, never read, and come back as
soon as they are cut. Windows with and without them follow each other ROUNDS times on the same node,
so that a machine that is busy elsewhere is so in both. The figure is the middle of the rounds'
differences, told with their spread: what is less than that can't be told from chance here.
"""

import asyncio
import socket
import statistics
from collections.abc import Iterable
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple

import uvloop

from edge.fanout.limits import Limits
from functions.shared.wire.events import HoldingFacts
from infra.load.dialects import OUTCRY, outcry_hello
from infra.load.generator import Generator, Load
from infra.load.histogram import Histogram
from infra.load.report import milliseconds
from infra.load.run import raise_open_files
from infra.load.target import Target
from infra.local.ports import free_ports
from tests.bench.churn import PATH, REQUEST
from tests.bench.market import held, hello, publish
from tests.bench.processes import answer_of, context, process, serving
from tests.support.fanout_node import Node
from tests.support.valkey import valkey_server

CONNECTIONS = 4_000
LOOK_AT_EACH = 20
ROUNDS = 6
STALLED_WATCHED = 100
SETTLE_SECONDS = 4.0
#: Beside what is measured and settled: to open all of them on a slow machine.
OPENING_SECONDS = 150.0


class Found(NamedTuple):
    """By round, ages without anybody stalled and beside the stalled; and how many were lost."""

    rounds: list[tuple[Histogram, Histogram]]
    lost: int


def _serve(url: str, port: int, ready: Event) -> None:
    """The node, with tokens and books of the bench's own."""

    async def serve_forever() -> None:
        node = Node(url, Limits())
        node.ledger.holdings = [
            HoldingFacts(
                symbol=symbol, quantity=10, settled=10, t1=0, bought_today=0, open_sell=0,
                pledged=0, cost=100_000,
            )
            for symbol in held()
        ]  # fmt: skip
        subscribing = asyncio.create_task(node.subscriber.run())
        await node.server.listen("127.0.0.1", port)
        ready.set()
        await subscribing

    raise_open_files()
    uvloop.run(serve_forever())


def _stalled_hello(number: int) -> bytes:
    """It watches what others watch as well, so that all it adds is that it does not read."""
    return outcry_hello(f"user:{number}", [f"S{n}" for n in range(STALLED_WATCHED)])


def _was_cut(link: socket.socket) -> bool:
    return link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


async def _stall(target: Target, number: int, on: "Synchronized[int]") -> None:
    """Opens a connection that never reads, and another when it has been cut."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0.1)
        if not on.value:
            continue
        with socket.socket() as link:
            link.setblocking(False)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            link.bind(target.source(number) or ("", 0))
            await loop.sock_connect(link, (target.host, target.port))
            await loop.sock_sendall(link, REQUEST + _stalled_hello(number))
            while on.value and not _was_cut(link):  # noqa: ASYNC110  nothing reads it
                await asyncio.sleep(0.1)


def _stallers(target: Target, count: int, on: "Synchronized[int]") -> None:
    async def stall_all() -> None:
        await asyncio.gather(*(_stall(target, number, on) for number in range(count)))

    raise_open_files()
    uvloop.run(stall_all())


def _take_turns(target: Target, connections: int, seconds: float, on: "Synchronized[int]") -> Found:
    """Opens the clients, then measures ROUNDS windows of each kind."""
    load = Load(
        target=target, dialect=OUTCRY, hello=hello, connections=connections,
        openings_per_second=500.0, look_at_each=LOOK_AT_EACH,
    )  # fmt: skip

    async def measure() -> Found:
        found = Found([], 0)
        generator = Generator(load)
        await generator.open()
        for _ in range(ROUNDS):
            ages = []
            for stalled in (0, 1):
                on.value = stalled
                await asyncio.sleep(SETTLE_SECONDS)
                window = await generator.measure(seconds / ROUNDS)
                ages.append(window.ages)
                found = found._replace(lost=window.lost.total())
            found.rounds.append((ages[0], ages[1]))
        await generator.close()
        return found

    raise_open_files()
    return uvloop.run(measure())


def run(seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The stage: ROUNDS windows of each kind, `seconds` for all of a kind."""
    port, stallers = free_ports(1)[0], connections // 100
    on, target = context.Value("q", 0), Target("127.0.0.1", port, PATH)
    allowed = OPENING_SECONDS + 2 * (seconds + ROUNDS * SETTLE_SECONDS)
    with (
        valkey_server() as valkey,
        serving(_serve, valkey.url, port),
        process(publish, valkey.url),
        process(_stallers, target, stallers, on),
    ):
        found: Found = answer_of(allowed, _take_turns, target, connections, seconds, on)
    by_round = [tuple(milliseconds(ages) for ages in pair) for pair in found.rounds]
    moved = [round(beside["p99_ms"] - alone["p99_ms"], 1) for alone, beside in by_round]
    without, with_them = (_together(ages) for ages in zip(*found.rounds, strict=True))
    return {
        "name": "stalled",
        "figure": statistics.median(moved),
        "unit": "ms that the others' p99 moves",
        "baselines": [],
        "connections": connections,
        "stalled_connections": stallers,
        "moved_ms_by_round": moved,
        "p99_ms_alone_by_round": [alone["p99_ms"] for alone, _ in by_round],
        "age_ms": milliseconds(without),
        "age_ms_beside_stalled": milliseconds(with_them),
        "clients_lost": found.lost,
    }


def _together(parts: Iterable[Histogram]) -> Histogram:
    whole = Histogram()
    for each in parts:
        whole.add(each)
    return whole
