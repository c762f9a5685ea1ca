"""`fanout`: quotes delivered per processor second of the fanout process.

Load: CONNECTIONS clients, each watching 20 of 500 symbols, each symbol moving each 100 ms
(market.py). The process is the shipped one with its default bounds (shipped_node.py): it checks
each client's token, reads its account from PostgreSQL, values its 20 holdings each second and
passes its events on, of which one user in 100 has one each second (account_events.py). Delivered is
the quotes that the clients received; processor seconds are user and system time of the fanout
process; ages are from a price's own stamp until it or a newer one arrived, on one connection in 40.
The clients are one process, on another core than the server.

`opening_seconds` is how long it took until the last of them was let in and subscribed, the others
being served meanwhile; `opening_ms` counts from when each was due, 800 a second. The window begins
when all are in and each portfolio has been read (`portfolios_waiting`: those that still are not).

Baselines in the same run: `websockets.broadcast()` with the same payloads, on as many clients as it
keeps up with; and a Centrifuge node under the same load where CENTRIFUGE_HOST names its `up`.
"""

import asyncio
import json
import os
import re
import resource
import subprocess
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from edge.fanout.rendering import QUOTE, render_ltp
from infra.load.dialects import OUTCRY, Dialect, outcry_hello
from infra.load.frames import masked_text
from infra.load.generator import Load
from infra.load.report import Report
from infra.load.run import SETTLE_SECONDS, raise_open_files, run_load
from infra.load.target import Target
from infra.local.ports import free_ports
from tests.bench.account_events import bring_events
from tests.bench.market import (
    BATCH_SECONDS,
    MOVE_SECONDS,
    SLICES,
    SYMBOLS,
    WATCHED,
    hello,
    moved,
    publish,
    watched,
)
from tests.bench.processes import (
    CantRunHere,
    answer_of,
    load_core,
    on_the_servers_core,
    process,
    serving,
)
from tests.bench.shipped_node import shipped_node
from tests.support.valkey import valkey_server

CONNECTIONS = 10_000
BASELINE_CONNECTIONS = 300
#: Below what a node lets in by default, so that it is its work that takes time and not its bound.
OPENINGS_PER_SECOND = 800.0
#: With what comes before and after, three such loads end within four minutes.
OPEN_SECONDS = 60.0
BASELINE_OPEN_SECONDS = 15.0
LOOK_AT_EACH = 40
#: Open files that a server needs beside its connections.
OTHER_FILES = 1_300

#: Users whose portfolio the node has yet to read.
_WAITING = "outcry_fanout_portfolios_waiting"

#: The library's own server, which says nothing when it has taken a subscription.
BROADCAST = OUTCRY._replace(subprotocol=None, ready=None)
#: It numbers nothing, since it sends every price. It asks with an empty object whether a client is
#: there, and cuts those that don't answer in eight seconds and those that answer unasked.
CENTRIFUGE = Dialect(
    subprotocol=None,
    needle=b'"push"',
    price=re.compile(rb'"symbol":"([^"]*)"(),"ltp":[^}]*"timestamp":(\d+)\}'),
    ready=b'"id":%d,' % (WATCHED + 1),
    asks=b"{}",
    answer=masked_text("{}"),
)


def _broadcaster(port: int, ready: Event) -> None:
    """The baseline: the library's own broadcast, a call a symbol and round."""

    async def serve_forever() -> None:
        watchers: dict[str, set[ServerConnection]] = {f"S{n}": set() for n in range(SYMBOLS)}

        async def handle(connection: ServerConnection) -> None:
            await connection.recv()
            symbols = json.loads(await connection.recv())["symbols"]
            for symbol in symbols:
                watchers[symbol].add(connection)
            await connection.wait_closed()
            for symbol in symbols:
                watchers[symbol].discard(connection)

        loop = asyncio.get_running_loop()
        async with serve(handle, "127.0.0.1", port, compression=None, ping_interval=None):
            ready.set()
            started, number = loop.time(), 0
            while True:
                await asyncio.sleep(started + number * BATCH_SECONDS - loop.time())
                for symbol in range(number % SLICES, SYMBOLS, SLICES):
                    text = render_ltp(QUOTE, moved(symbol, number // SLICES))
                    broadcast(watchers[f"S{symbol}"], text, text=True)
                number += 1

    raise_open_files()
    on_the_servers_core()
    uvloop.run(serve_forever())


def _measure(
    pid: int, target: Target, dialect: Dialect, hello: Callable[[int], bytes], count: int,
    seconds: float, settled: Callable[[], bool] = lambda: True,
) -> Report:  # fmt: skip
    """What so many clients found, from a process of their own."""
    few = count <= BASELINE_CONNECTIONS
    load = Load(
        target=target, dialect=dialect, hello=hello, connections=count,
        openings_per_second=OPENINGS_PER_SECOND,
        open_seconds=BASELINE_OPEN_SECONDS if few else OPEN_SECONDS,
        look_at_each=max(1, min(LOOK_AT_EACH, count // 100)),
    )  # fmt: skip
    allowed = OPEN_SECONDS + SETTLE_SECONDS + seconds + 30.0
    report: Report = answer_of(allowed, run_load, load, seconds, load_core(), pid, settled)
    return report


def measure_outcry(
    seconds: float, connections: int, market: Callable[[str], None] = publish
) -> tuple[Report, dict[str, float]]:
    """What clients of the shipped node found, with what it tells itself of the whole of it."""
    with valkey_server() as valkey, shipped_node(valkey.url, connections) as node:

        def hello(number: int) -> bytes:
            return outcry_hello(node.tokens[number], watched(number))

        with process(market, valkey.url), process(bring_events, valkey.url, node.owner_urls):
            target = Target("127.0.0.1", node.port, "/v1/stream")
            report = _measure(
                node.pid, target, OUTCRY, hello, connections, seconds,
                settled=lambda: node.figure(_WAITING) == 0,
            )  # fmt: skip
            told = {
                name: node.figure(f"outcry_fanout_{name}_total")
                for name in ("portfolios", "private_events", "private_gaps", "late_ticks")
            }
            return report, {**told, "portfolios_waiting": node.figure(_WAITING)}


def measure_broadcast(seconds: float) -> Report:
    """What clients of the library's own server found."""
    port = free_ports(1)[0]
    with serving(_broadcaster, port) as pid:
        target = Target("127.0.0.1", port, "/")
        return _measure(pid, target, BROADCAST, hello, BASELINE_CONNECTIONS, seconds)


def _centrifuge_hello(number: int) -> bytes:
    commands: list[dict[str, Any]] = [{"id": 1, "connect": {}}]
    for index, symbol in enumerate(watched(number)):
        commands.append({"id": index + 2, "subscribe": {"channel": symbol}})
    return masked_text("\n".join(map(json.dumps, commands)))


def _measure_centrifuge(seconds: float, connections: int) -> Report:
    """Raises CantRunHere where there is none."""
    up = os.environ.get("CENTRIFUGE_HOST")
    if not up:
        raise CantRunHere("CENTRIFUGE_HOST does not name its `up`")
    port = free_ports(1)[0]
    tick = str(round(MOVE_SECONDS * 1_000))
    environment = {**os.environ, "PORT": str(port), "SYMBOLS": str(SYMBOLS), "TICK_MS": tick}
    try:
        started = subprocess.run(
            [Path(up)], env=environment, capture_output=True, text=True, check=True,
            preexec_fn=on_the_servers_core,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        raise CantRunHere(f"{up} did not start it: {error}") from error
    pid = int(started.stdout.strip().splitlines()[-1])
    try:
        target = Target("127.0.0.1", port, "/connection/websocket")
        return _measure(pid, target, CENTRIFUGE, _centrifuge_hello, connections, seconds)
    finally:
        psutil.Process(pid).kill()


def facts_of(report: Report) -> dict[str, Any]:
    """What is told of a server."""
    node = report.node
    if node is None:
        raise ValueError("nothing was told of the process")
    return {
        "connections": report.opened, "connections_asked": report.asked,
        "clients_lost": sum(report.lost.values()),
        "clients_silent": report.silent, "opening_seconds": report.opening_seconds,
        "opening_ms": report.opening_ms, "turned_away": report.turned_away,
        "deliveries_per_second": report.per_second, "age_ms": report.age_ms,
        "ages": report.ages, "ages_of_replaced": report.replaced,
        "processor_share": node.processor_share, "resident_bytes": node.resident_bytes,
        "connection_bytes": node.bytes_per_connection,
        "load_processor_share": report.generator_share, "load_late_ms": report.generator_late_ms,
    }  # fmt: skip


def _per_processor_second(report: Report) -> float:
    return report.node.per_processor_second if report.node else 0.0


def require_files(connections: int) -> None:
    """Raises CantRunHere where a process may not open as many files."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < connections + OTHER_FILES:
        raise CantRunHere(
            f"{connections:,} connections need as many files; {allowed:,} are allowed"
        )


def run(seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The stage: ours, then its baselines, one after the other on the same machine."""
    require_files(connections)
    ours, told = measure_outcry(seconds, connections)
    plain = measure_broadcast(min(seconds, 5.0))
    baselines = [{"name": "websockets.broadcast()", "figure": _per_processor_second(plain)}]
    found = {**facts_of(ours), **told, "websockets": facts_of(plain)}
    try:
        peer = _measure_centrifuge(seconds, connections)
    except CantRunHere as error:
        found["centrifuge"] = f"not run: {error}"
        print(f"{'':<18}Centrifuge can't be run here: {error}")
    else:
        baselines.append({"name": "Centrifuge", "figure": _per_processor_second(peer)})
        found["centrifuge"] = facts_of(peer)
    return {
        "name": "fanout",
        "figure": _per_processor_second(ours),
        "unit": "deliveries/processor second",
        "baselines": baselines,
        **found,
    }
