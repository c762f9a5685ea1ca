"""`ingest`: market-data entries taken per processor second of the ingest process.

Load: 35=X messages of 100 entries over 500 symbols, prepared beforehand and sent on two lines as
fast as the sockets take them by a process of its own; the ingest parts arbitrate, parse, keep the
book, make candles and publish to a real Valkey every 20 ms, as shipped. An entry counts once.
Baselines in the same run: one line alone; and the same parsing with one SET per entry, pipelined by
the hundred, instead of the conflated batches. A second load is paced, with a burst of five times as
much: how old the newest update of any batch was when it was published.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import psutil
import redis.asyncio
import uvloop

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.entries import parse_incremental
from edge.ingest.feed import FeedPair
from edge.ingest.fix import Framer, encode_message, format_sending_time
from edge.ingest.minutes import Minutes
from edge.ingest.publish import Publisher
from functions.shared.clock import RealClock, wall_now
from functions.shared.stores.quote_writer import QuoteWriter
from tests.support.valkey import valkey_server

SYMBOLS = 500
ENTRIES = 100
MESSAGES = 10_000
CANDLES = 200_000
WARM_SECONDS = 1.0
READ_BYTES = 1 << 16
AT = "20261123-04:30:00.125"
USUAL_RATE, BURST, BURST_SECONDS, PACED_SECONDS = 60_000, 5, 1.0, 4.0

_context = multiprocessing.get_context("fork")


def _groups() -> list[str]:
    """The entries of a message, from NoMDEntries(268) on, as many times as there are messages."""
    rng = random.Random(1)
    prices = [
        f"{rupees}.{paise:02d}" for rupees in range(1_000, 1_100) for paise in range(0, 100, 5)
    ]
    entries = []
    for _ in range(5_000):
        symbol, price, size = f"S{rng.randrange(SYMBOLS)}", rng.choice(prices), rng.randint(1, 999)
        kind = rng.choices("012B", (40, 40, 10, 10))[0]
        text = f"279=1\x01269={kind}\x0155={symbol}\x01"
        if kind != "B":
            text += f"270={price}\x01"
        text += f"271={size}\x01"
        if kind in "01":
            text += f"290={rng.randint(1, 5)}\x01"
        entries.append(text)
    groups = ("".join(rng.choices(entries, k=ENTRIES)) for _ in range(MESSAGES))
    # The group is one more field to the encoder: 268's value runs on into the entries.
    return [f"{ENTRIES}\x01{group}".removesuffix("\x01") for group in groups]


def _message(kind: str, number: int, *fields: tuple[int, str], at: str = AT) -> bytes:
    head = [(35, kind), (34, str(number)), (49, "XNSE"), (52, at), (56, "OUTCRY-M1")]
    return encode_message([*head, *fields])


def _opening(publication: str) -> bytes:
    """The logon and the one snapshot that was asked for, as messages 1 and 2."""
    named = [(262, "1"), (1180, publication), (1181, "0")]
    level = "1\x01269=0\x01270=1000.00\x01271=1\x01290=1"
    return _message("A", 1, (98, "0"), (108, "1"), (141, "Y")) + _message(
        "W", 2, *named, (55, "S0"), (268, level)
    )


def _updates(publication: str, groups: Sequence[str]) -> bytes:
    """Numbered 35=X messages, from 3 on, behind the opening."""
    return b"".join(
        _message("X", n + 2, (262, "1"), (1180, publication), (1181, str(n)), (268, group))
        for n, group in enumerate(groups, 1)
    )


def _line(listener: socket.socket, passes: Sequence[bytes]) -> None:
    """Answers each logon with the next pass, again and again; the session then begins anew. One
    pass has another name than the last, or its numbers would be known already."""
    for data in itertools.cycle(passes):
        connection, _ = listener.accept()
        with connection:
            try:
                connection.recv(READ_BYTES)
                connection.sendall(data)
            except OSError:
                continue  # the measuring side went on to its next connection


def _venue(listeners: Sequence[socket.socket], passes: Sequence[bytes]) -> None:
    lines = [threading.Thread(target=_line, args=(each, passes)) for each in listeners]
    for line in lines:
        line.start()


def _paced(listener: socket.socket, groups: Sequence[str]) -> None:
    """Sends at the usual rate and, in the middle of each PACED_SECONDS, at the burst's; each
    message at the time it tells."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(READ_BYTES)
        connection.sendall(_opening("paced"))
        began, due = time.monotonic(), 0.0
        for n, group in enumerate(itertools.cycle(groups), 1):
            within = due % PACED_SECONDS
            bursts = 0 <= within - PACED_SECONDS / 2 < BURST_SECONDS
            due += ENTRIES / (USUAL_RATE * (BURST if bursts else 1))
            time.sleep(max(0.0, began + due - time.monotonic()))
            named = [(262, "1"), (1180, "paced"), (1181, str(n)), (268, group)]
            connection.sendall(_message("X", n + 2, *named, at=format_sending_time(wall_now())))


def _shipped(url: str, ports: Sequence[int], taken: "Synchronized[int]", lag: Any) -> None:
    async def take_forever() -> None:
        book = Book({}, minutes=Minutes(RealClock().business_at, CANDLES))
        announced, writer = Announced({}), QuoteWriter(url)
        addresses = [("127.0.0.1", port) for port in ports]
        feed = FeedPair("OUTCRY-M1", addresses, ["S0"], book, announced, wall_now)
        publisher = Publisher(book, announced, [feed], writer, wall_now)
        publisher.begin(1)
        tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(feed.run())]
        while not any(task.done() for task in tasks):
            await asyncio.sleep(0.01)
            taken.value = book.updates
            lag.value = max(lag.value, publisher.lag_ms)

    uvloop.run(take_forever())


def _set_per_entry(url: str, ports: Sequence[int], taken: "Synchronized[int]", _lag: Any) -> None:
    async def take_forever() -> None:
        valkey = redis.asyncio.Redis.from_url(url)
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
            writer.write(_opening("asks"))
            framer = Framer()
            while data := await reader.read(READ_BYTES):
                for body in framer.feed(data):
                    if not body.startswith(b"35=X"):
                        continue
                    pipeline = valkey.pipeline(transaction=False)
                    for entry in parse_incremental(body):
                        pipeline.set(b"quote:" + entry[2], b"|".join(entry))
                    await pipeline.execute()
                    taken.value += ENTRIES
            writer.close()

    uvloop.run(take_forever())


class _Run:
    """One process that takes the feed, and what it has told so far."""

    def __init__(self, target: Callable[..., None], url: str, ports: Sequence[int]) -> None:
        self.taken, self.lag = _context.Value("q", 0), _context.Value("q", 0)
        arguments = (url, ports, self.taken, self.lag)
        self.process = _context.Process(target=target, args=arguments, daemon=True)

    def per_processor_second(self, seconds: float) -> float:
        self.process.start()
        try:
            time.sleep(WARM_SECONDS)
            measured = psutil.Process(self.process.pid)
            had, began = self.taken.value, measured.cpu_times()
            self.lag.value = 0
            time.sleep(seconds)
            got, ended = self.taken.value - had, measured.cpu_times()
            used = ended.user + ended.system - began.user - began.system
            return float(got / max(used, 0.01))
        finally:
            self.process.kill()
            self.process.join(10)


def run(seconds: float) -> dict[str, Any]:
    """The stage and its baselines, one after the other on the same machine."""
    groups = _groups()
    passes = [_opening(name) + _updates(name, groups) for name in "PQ"]
    with contextlib.ExitStack() as stack:
        valkey = stack.enter_context(valkey_server())
        a, b, paced = (stack.enter_context(_listener()) for _ in range(3))
        ports = [each.getsockname()[1] for each in (a, b, paced)]
        for target, arguments in ((_venue, ([a, b], passes)), (_paced, (paced, groups))):
            stack.enter_context(_running(target, arguments))
        short = min(seconds, 5.0)
        ours = _Run(_shipped, valkey.url, ports[:2]).per_processor_second(seconds)
        alone = _Run(_shipped, valkey.url, ports[:1]).per_processor_second(short)
        plain = _Run(_set_per_entry, valkey.url, ports[:1]).per_processor_second(short)
        burst = _Run(_shipped, valkey.url, ports[2:])
        burst.per_processor_second(2 * PACED_SECONDS)
    return {
        "name": "ingest",
        "figure": ours,
        "unit": "updates/processor second",
        "baselines": [
            {"name": "one line alone", "figure": alone},
            {"name": "one SET per update", "figure": plain},
        ],
        "symbols": SYMBOLS,
        "entries_per_message": ENTRIES,
        "burst": {
            "usual_per_second": USUAL_RATE,
            "times": BURST,
            "seconds": BURST_SECONDS,
            "lag_most_ms": burst.lag.value,
        },
    }


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextlib.contextmanager
def _running(target: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[None]:
    process = _context.Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join(10)
