"""`terminal`: the processor share of the terminal while 2,000 quotes a second come in.

The terminal runs as it does for a user: its own process on a pty of 200x50, its real stream client
on a WebSocket. A source in another process sends what it subscribed to, UPDATES_PER_S in all, in
messages of the stream's own shape, BATCHES_PER_S a second. What a user does comes in through the
pty: a cursor key each KEY_EVERY_S, timed from the write until the row that it leads to is painted
with the cursor's ground, as read back from the pty.

The figure is user and system time of the process by the wall's. Beside it: p99 and the longest key,
and resident memory, at the beginning (WARM_S after the first price), at the end, and in between.
Baseline: the same messages into Textual's DataTable, a cell at a time.
"""

import asyncio
import fcntl
import itertools
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import psutil
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from infra.local.ports import free_ports
from outcry_client.protocol import SUBPROTOCOL
from tests.bench.processes import serving

UPDATES_PER_S: Final = 2_000
BATCHES_PER_S: Final = 50
SYMBOLS: Final = [f"SYM{number:03}" for number in range(50)]
"""As many as a watchlist holds."""
SIZE: Final = (50, 200)
WARM_S: Final = 8.0
START_S: Final = 60.0
KEY_EVERY_S: Final = 0.25
LATE_S: Final = 5.0
MEMORY_EVERY_S: Final = 10.0
DOWN, UP = b"\x1b[B", b"\x1b[A"
_PAINT = re.compile(rb"\x1b\[([0-9;]*)m ?(SYM\d{3})")
_GROUND = re.compile(rb"48;(?:2;\d+;\d+;\d+|5;\d+)")


class NotPainted(Exception):
    """A key's row did not come within LATE_S, or the program ended."""


# The source


def _quote(symbol: str, tick: int, kind: str = "quote") -> dict[str, object]:
    """Every figure but the open moves with each tick."""
    paise = 290_000 + (tick * 7 + int(symbol[3:]) * 131) % 2_000 * 5
    change = paise - 295_000
    return {
        "type": kind, "symbol": symbol, "ltp": _rupees(paise), "change": _rupees(change),
        "change_percent": f"{change / 2_950:.2f}", "seq": tick, "timestamp": 1_795_433_400_000,
        "volume": 3_641_000 + tick, "open": "2938.00", "high": _rupees(paise + 500),
        "low": _rupees(paise - 500), "close": "2950.00",
    }  # fmt: skip


def _rupees(paise: int) -> str:
    sign, whole = "-" if paise < 0 else "", abs(paise)
    return f"{sign}{whole // 100}.{whole % 100:02}"


async def _feed(socket: ServerConnection) -> None:
    """Answer the client's messages, and send UPDATES_PER_S of what it watches."""
    watched: dict[str, None] = {}

    async def listen() -> None:
        async for text in socket:
            asked = json.loads(text)
            if asked["action"] == "subscribe":
                watched.update(dict.fromkeys(asked["symbols"]))
                await socket.send(json.dumps([_quote(s, 0, "snapshot") for s in asked["symbols"]]))
            elif asked["action"] == "unsubscribe":
                for symbol in asked["symbols"]:
                    watched.pop(symbol, None)
            elif asked["action"] == "ping":
                await socket.send(json.dumps({"type": "pong", "id": asked["id"]}))

    listening = asyncio.create_task(listen())
    ticks, start, batch = itertools.count(1), time.monotonic(), 0
    try:
        while not listening.done():
            batch += 1
            await asyncio.sleep(max(0.0, start + batch / BATCHES_PER_S - time.monotonic()))
            now = list(watched)
            if not now:
                continue
            due = [next(ticks) for _ in range(UPDATES_PER_S // BATCHES_PER_S)]
            await socket.send(json.dumps([_quote(now[tick % len(now)], tick) for tick in due]))
    except ConnectionClosed:
        pass  # the measured program has ended
    finally:
        listening.cancel()


def _source(port: int, ready: Event) -> None:
    async def serve_forever() -> None:
        protocols = [Subprotocol(SUBPROTOCOL)]
        async with serve(_feed, "127.0.0.1", port, subprotocols=protocols, compression=None):
            ready.set()
            await asyncio.Event().wait()

    asyncio.run(serve_forever())


# The terminal, seen from outside


class Screen:
    """A program on a pty: what is typed into it and what it paints."""

    def __init__(self, command: list[str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        named = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, **named},
        )  # fmt: skip
        os.close(slave)
        self.painted = bytearray()
        """The end of what was painted."""

    def read(self, until: float) -> bytes:
        """What is painted next, empty when nothing is before `until` (monotonic)."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return b""
        try:
            piece = os.read(self._master, 1 << 16)
        except OSError as error:  # the program has ended, and its side is closed
            raise NotPainted(f"it ended: {bytes(self.painted[-2000:])!r}") from error
        self.painted = self.painted[-4_000:] + piece
        return piece

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self._master)


class Keys:
    """Walks the cursor down and up again, and times each step."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._at = 0
        self._key = DOWN
        self._plain: set[bytes] = set()
        """The ground of rows without the cursor."""
        self._tail = b""
        self.seconds: list[float] = []

    def learn(self, until_painted: bytes) -> None:
        """Wait for a symbol, then for WARM_S: the symbols but the first have other rows' ground."""
        until, is_up = time.monotonic() + START_S, False
        while time.monotonic() < until:
            for ground, symbol in self._paints(self._screen.read(until)):
                if symbol != SYMBOLS[0].encode():
                    self._plain.add(ground)
                if symbol == until_painted and not is_up:
                    until, is_up = time.monotonic() + WARM_S, True
        if not is_up:
            raise NotPainted(f"nothing after {START_S} s: {bytes(self._screen.painted[-500:])!r}")

    def step(self) -> None:
        """Press a key and wait until the row that it leads to has the cursor's ground."""
        if self._at in (0, 12):
            self._key = DOWN if self._at == 0 else UP
        self._at += 1 if self._key == DOWN else -1
        wanted, began = SYMBOLS[self._at].encode(), time.monotonic()
        self._screen.press(self._key)
        while time.monotonic() < began + LATE_S:
            for ground, symbol in self._paints(self._screen.read(began + LATE_S)):
                if symbol == wanted and ground not in self._plain:
                    self.seconds.append(time.monotonic() - began)
                    return
        raise NotPainted(f"{wanted!r} was not painted within {LATE_S} s of its key")

    def rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._paints(self._screen.read(until))

    def _paints(self, piece: bytes) -> list[tuple[bytes, bytes]]:
        """The symbols in `piece`, each with the ground it stands on."""
        text = self._tail + piece
        found = list(_PAINT.finditer(text))
        self._tail = text[found[-1].end() :][-200:] if found else text[-200:]
        return [(b"".join(_GROUND.findall(each[1])[-1:]), each[2]) for each in found]


def _measure(kind: str, url: str, home: Path, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.terminal_app", kind, url, str(home), *SYMBOLS]
    screen = Screen(command)
    try:
        keys = Keys(screen)
        keys.learn(SYMBOLS[3].encode())
        process = psutil.Process(screen.process.pid)
        before, began = process.cpu_times(), time.monotonic()
        memory = [process.memory_info().rss]
        while time.monotonic() < began + seconds:
            keys.step()
            keys.rest(KEY_EVERY_S)
            if time.monotonic() > began + len(memory) * MEMORY_EVERY_S:
                memory.append(process.memory_info().rss)
        took, after = time.monotonic() - began, process.cpu_times()
        memory.append(process.memory_info().rss)
    finally:
        screen.close()
    spent = after.user + after.system - before.user - before.system
    milliseconds = sorted(each * 1000 for each in keys.seconds)
    return {
        "share_percent": round(100 * spent / took, 1),
        "keys": len(milliseconds),
        "key_p50_ms": round(statistics.median(milliseconds), 1),
        "key_p99_ms": round(milliseconds[int(len(milliseconds) * 0.99)], 1),
        "key_longest_ms": round(milliseconds[-1], 1),
        "memory_begin_mib": round(memory[0] / 2**20, 1),
        "memory_end_mib": round(memory[-1] / 2**20, 1),
        "memory_mib": [round(each / 2**20, 1) for each in memory],
    }


def run(seconds: float) -> dict[str, Any]:
    """The stage; the baseline has at most ten seconds."""
    port = free_ports(1)[0]
    url = f"ws://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as home, serving(_source, port):
        ours = _measure("ours", url, Path(home), seconds)
        plain = _measure("plain", url, Path(home), min(seconds, 10.0))
    return {
        "name": "terminal",
        "figure": ours["share_percent"],
        "unit": f"% of a core at {UPDATES_PER_S:,} quotes/s",
        "baselines": [{"name": "DataTable, cell by cell", "figure": plain["share_percent"]}],
        "updates_per_second": UPDATES_PER_S,
        "outcry": ours,
        "data_table": plain,
    }
