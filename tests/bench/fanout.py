"""`fanout`: quotes delivered per processor second of the fanout process.

Load: CONNECTIONS clients, each watching 20 of 500 symbols, each symbol moving each 100 ms,
published open loop through a real Valkey by a process of its own. Every client is a user of its own
who holds 20 of the symbols and is told of its portfolio, and each second one user in 100 has an
event of an order. Delivered is the quotes that the clients received; processor seconds are user and
system time of the fanout process.

`opening_seconds` is how long it took until the last of them was let in, the others being served
meanwhile.

Baselines in the same run: `websockets.broadcast()` with the same payloads, on as many clients as it
keeps up with; and a Centrifuge node under the same load where CENTRIFUGE_HOST names its `up`.
"""

import asyncio
import json
import multiprocessing
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil
import redis.asyncio
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from edge.fanout.limits import Limits
from edge.fanout.rendering import QUOTE, render_ltp
from functions.shared.clock import micros, wall_now
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.wire.events import (
    EventBody,
    FundsFacts,
    HoldingFacts,
    UserEvent,
    encode_event,
    user_channel,
)
from functions.shared.wire.quotes import Quote, encode_record, partition_of_symbol
from infra.local.ports import free_ports
from tests.bench.stream_clients import Dialect, connected_clients, masked_text, raise_open_files
from tests.support.fanout import ORDER
from tests.support.fanout_node import Node
from tests.support.valkey import valkey_server

CONNECTIONS = 10_000
BASELINE_CONNECTIONS = 500
SYMBOLS = 500
WATCHED = HELD = 20
#: One user in so many has an event each second.
USERS_PER_EVENT = 100
MOVE_SECONDS = 0.1
#: Ingest's own batch: a fifth of the symbols each 20 ms.
SLICES = 5
WARM_SECONDS = 3.0
START_SECONDS = 15.0

#: The shipped ones, with room for all clients of the stage and for those from one of its addresses.
LIMITS = Limits(connections=CONNECTIONS + 10, connections_per_address=CONNECTIONS)

OUTCRY = Dialect("/v1/stream", "outcry.v1.json", b'"type":"quote"')
BROADCAST = Dialect("/", None, b'"type":"quote"')
CENTRIFUGE = Dialect("/connection/websocket", None, b'"push"')

context = multiprocessing.get_context("fork")


def watched(number: int) -> list[str]:
    """The symbols of a client: the same ones in every run."""
    return [f"S{n}" for n in random.Random(number).sample(range(SYMBOLS), WATCHED)]


def moved(number: int, round_: int) -> Quote:
    """A symbol's quote in a round."""
    ltp = 1_000_000 + (round_ * 37 + number * 101) % 5_000 * 100
    now = micros(wall_now()) // 1000
    return Quote(f"S{number}", number, round_ + 1, now, ltp, 1, 0, 0, 0, 1_200_000, 1, 0)


def hello(number: int) -> bytes:
    auth = {"action": "auth", "token": f"user:{number}"}
    subscribe = {"action": "subscribe", "symbols": watched(number), "mode": "ltp"}
    return masked_text(json.dumps(auth)) + masked_text(json.dumps(subscribe))


def _centrifuge_hello(number: int) -> bytes:
    commands: list[dict[str, Any]] = [{"id": 1, "connect": {}}]
    for index, symbol in enumerate(watched(number)):
        commands.append({"id": index + 2, "subscribe": {"channel": symbol}})
    return masked_text("\n".join(map(json.dumps, commands)))


def held(symbol: int) -> HoldingFacts:
    """Ten shares, bought a while ago."""
    return HoldingFacts(
        symbol=f"S{symbol}", quantity=10, settled=10, t1=0, bought_today=0, open_sell=0, pledged=0,
        cost=100_000,
    )  # fmt: skip


def serve_node(url: str, port: int, ready: Event) -> None:
    """The fanout process."""

    async def serve_forever() -> None:
        node = Node(url, LIMITS)
        node.ledger.holdings = [held(number * SYMBOLS // HELD) for number in range(HELD)]
        subscribing = asyncio.create_task(node.subscriber.run())
        await node.server.listen("127.0.0.1", port)
        ready.set()
        await subscribing

    raise_open_files()
    uvloop.run(serve_forever())


async def _happen(valkey: redis.asyncio.Redis, second: int) -> None:
    """One user in USERS_PER_EVENT has an event of an order, as most are."""
    pipeline = valkey.pipeline(transaction=False)
    seq = 1 + second // USERS_PER_EVENT
    funds = FundsFacts(cash=100, held=0, borrowed=0, unsettled=0, blocked=0, seq=seq)
    body = EventBody(funds=funds, order=ORDER)
    for user_id in range(second % USERS_PER_EVENT, CONNECTIONS, USERS_PER_EVENT):
        happened = UserEvent(user_id=user_id, user_seq=seq, kind="PLACED", at=1, body=body)
        pipeline.spublish(user_channel(user_id), encode_event(happened))
    await pipeline.execute()


def publish(url: str) -> None:
    """Publishes open loop: a round that comes late is followed by the next at its own time."""

    async def publish_forever() -> None:
        writer, loop = QuoteWriter(url), asyncio.get_running_loop()
        started, number = loop.time(), 0
        valkey, a_second = redis.asyncio.Redis.from_url(url), round(SLICES / MOVE_SECONDS)
        while True:
            await asyncio.sleep(started + number * MOVE_SECONDS / SLICES - loop.time())
            if number % a_second == 0:
                await _happen(valkey, number // a_second)
            batch: dict[int, list[tuple[str, bytes]]] = {}
            for symbol in range(number % SLICES, SYMBOLS, SLICES):
                quote = moved(symbol, number // SLICES)
                pairs = batch.setdefault(partition_of_symbol(quote.symbol), [])
                pairs.append((quote.symbol, encode_record(quote)))
            await writer.write(batch, micros(wall_now()))
            number += 1

    uvloop.run(publish_forever())


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
                await asyncio.sleep(started + number * MOVE_SECONDS / SLICES - loop.time())
                for symbol in range(number % SLICES, SYMBOLS, SLICES):
                    text = render_ltp(QUOTE, moved(symbol, number // SLICES))
                    broadcast(watchers[f"S{symbol}"], text, text=True)
                number += 1

    raise_open_files()
    uvloop.run(serve_forever())


@contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[int]:
    child = context.Process(target=target, args=arguments, daemon=True)
    child.start()
    try:
        yield child.pid or 0
    finally:
        child.kill()
        child.join(10)


@contextmanager
def serving(target: Callable[..., None], *arguments: object) -> Iterator[int]:
    """A process that says when it listens."""
    ready = context.Event()
    with process(target, *arguments, ready) as pid:
        if not ready.wait(START_SECONDS):
            raise RuntimeError("the server did not start")
        yield pid


def _processor_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _measure(
    pid: int, port: int, count: int, dialect: Dialect, hello: Callable[[int], bytes], seconds: float
) -> dict[str, float]:
    """Deliveries per processor second and per second over a window, and who was lost."""
    opening = time.monotonic()
    with connected_clients(port, count, dialect, hello) as clients:
        opened = time.monotonic() - opening
        time.sleep(WARM_SECONDS)
        began, used, had = time.monotonic(), _processor_seconds(pid), clients.received.value
        time.sleep(seconds)
        got = clients.received.value - had
        processor = _processor_seconds(pid) - used
        return {
            "per_processor_second": got / max(processor, 0.01),
            "per_second": got / (time.monotonic() - began),
            "resident_bytes": float(psutil.Process(pid).memory_info().rss),
            "lost": float(clients.lost.value),
            "opening_seconds": opened,
        }


def _measure_outcry(seconds: float, connections: int) -> dict[str, float]:
    port = free_ports(1)[0]
    with (
        valkey_server() as valkey,
        serving(serve_node, valkey.url, port) as pid,
        process(publish, valkey.url),
    ):
        return _measure(pid, port, connections, OUTCRY, hello, seconds)


def _measure_broadcast(seconds: float) -> dict[str, float]:
    port = free_ports(1)[0]
    with serving(_broadcaster, port) as pid:
        return _measure(pid, port, BASELINE_CONNECTIONS, BROADCAST, hello, seconds)


def _measure_centrifuge(up: Path, seconds: float, connections: int) -> dict[str, float]:
    port = free_ports(1)[0]
    environment = {**os.environ, "PORT": str(port), "SYMBOLS": str(SYMBOLS), "TICK_MS": "100"}
    started = subprocess.run([up], env=environment, capture_output=True, text=True, check=True)
    pid = int(started.stdout.strip().splitlines()[-1])
    try:
        return _measure(pid, port, connections, CENTRIFUGE, _centrifuge_hello, seconds)
    finally:
        psutil.Process(pid).kill()


def run(seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The stage: ours, then its baselines, one after the other on the same machine."""
    ours = _measure_outcry(seconds, connections)
    plain = _measure_broadcast(min(seconds, 5.0))
    baselines = [{"name": "websockets.broadcast()", "figure": plain["per_processor_second"]}]
    up = os.environ.get("CENTRIFUGE_HOST")
    if up:
        peer = _measure_centrifuge(Path(up), seconds, connections)
        baselines.append({"name": "Centrifuge", "figure": peer["per_processor_second"]})
    return {
        "name": "fanout",
        "figure": ours["per_processor_second"],
        "unit": "deliveries/processor second",
        "baselines": baselines,
        "connections": connections,
        "deliveries_per_second": ours["per_second"],
        "resident_bytes": ours["resident_bytes"],
        "clients_lost": ours["lost"],
        "opening_seconds": ours["opening_seconds"],
    }
