"""`ingest`: market-data entries taken per processor second of the ingest process.

Load: 35=X messages of 100 entries over 500 symbols, prepared beforehand and sent as fast as the
socket takes them by a process of its own; the ingest parts parse, keep the book, make candles and
publish to a real Valkey every 20 ms, as shipped. Baseline in the same run: the same parsing with
one SET per entry, pipelined by the hundred, instead of the conflated batches.
"""

import asyncio
import multiprocessing
import random
import socket
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import psutil
import redis.asyncio
import uvloop

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.entries import parse_incremental
from edge.ingest.feed import Feed
from edge.ingest.fix import Framer, encode_message
from edge.ingest.minutes import Minutes
from edge.ingest.publish import Publisher
from functions.shared.clock import RealClock, wall_now
from functions.shared.stores.quotes import QuoteWriter
from tests.support.valkey import valkey_server

SYMBOLS = 500
ENTRIES = 100
MESSAGES = 20_000
CANDLES = 200_000
WARM_SECONDS = 1.0
READ_BYTES = 1 << 16

_context = multiprocessing.get_context("fork")


def _messages() -> bytes:
    """Numbered 35=X messages; numbers start at 2, behind the logon."""
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
    framed = []
    for number in range(2, MESSAGES + 2):
        group = "".join(rng.choices(entries, k=ENTRIES))
        head = [(35, "X"), (34, str(number)), (49, "XNSE"), (52, "20261123-04:30:00.125")]
        # The group is one more field to the encoder: 268's value runs on into the entries.
        count = (268, f"{ENTRIES}\x01{group}".removesuffix("\x01"))
        framed.append(encode_message([*head, (56, "OUTCRY-M1"), (262, "1"), count]))
    return b"".join(framed)


def _logon() -> bytes:
    head = [(35, "A"), (34, "1"), (49, "XNSE"), (52, "20261123-04:30:00.125")]
    return encode_message([*head, (56, "OUTCRY-M1"), (98, "0"), (108, "1"), (141, "Y")])


def _venue(listener: socket.socket, data: bytes) -> None:
    """Answers each logon with the whole prepared stream; the session then begins again."""
    logon = _logon()
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.recv(READ_BYTES)
                connection.sendall(logon + data)
            except OSError:
                continue  # the measuring side went on to its next connection


def _shipped(url: str, port: int, taken: "Synchronized[int]") -> None:
    async def take_forever() -> None:
        book = Book({}, 0, Minutes(RealClock().business_at, CANDLES))
        announced = Announced({})
        publisher = Publisher(book, announced, QuoteWriter(url), wall_now)
        feed = Feed("OUTCRY-M1", ("127.0.0.1", port), ["S0"], book, announced, wall_now)
        tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(feed.run())]
        while not any(task.done() for task in tasks):
            await asyncio.sleep(0.05)
            taken.value = book.updates

    uvloop.run(take_forever())


def _set_per_entry(url: str, port: int, taken: "Synchronized[int]") -> None:
    async def take_forever() -> None:
        valkey = redis.asyncio.Redis.from_url(url)
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_logon())
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


def _measure(target: Callable[..., None], url: str, port: int, seconds: float) -> float:
    taken = _context.Value("q", 0)
    process = _context.Process(target=target, args=(url, port, taken), daemon=True)
    process.start()
    try:
        time.sleep(WARM_SECONDS)
        measured = psutil.Process(process.pid)
        had, began = taken.value, measured.cpu_times()
        time.sleep(seconds)
        got, ended = taken.value - had, measured.cpu_times()
        used = ended.user + ended.system - began.user - began.system
        return float(got / max(used, 0.01))
    finally:
        process.kill()
        process.join(10)


def run(seconds: float) -> dict[str, Any]:
    """The stage and its baseline, one after the other on the same machine."""
    data = _messages()
    with valkey_server() as valkey, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        venue = _context.Process(target=_venue, args=(listener, data), daemon=True)
        venue.start()
        try:
            ours = _measure(_shipped, valkey.url, port, seconds)
            plain = _measure(_set_per_entry, valkey.url, port, min(seconds, 5.0))
        finally:
            venue.kill()
            venue.join(10)
    return {
        "name": "ingest",
        "figure": ours,
        "unit": "updates/processor second",
        "baselines": [{"name": "one SET per update", "figure": plain}],
        "symbols": SYMBOLS,
        "entries_per_message": ENTRIES,
    }
