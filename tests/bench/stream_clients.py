"""Load clients of the fanout stages: many WebSocket connections in a process of their own.

They count what arrives by searching the bytes, so that ten thousand of them fit on one core. Frames
they send are masked with zeros, which RFC 6455 allows a client to choose.
"""

import asyncio
import base64
import itertools
import multiprocessing
import random
import resource
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from typing import NamedTuple, cast

import uvloop

OPENING_AT_ONCE = 100
CONNECT_SECONDS = 90.0
REFUSED_SECONDS = 2.0
#: A client that says nothing for a minute is closed.
PING_SECONDS = 20.0
COUNT_SECONDS = 0.1
PING = b"\x89\x80\x00\x00\x00\x00"


class Refused(Exception):
    """The server lets nobody in now, and says when to come again."""


class Dialect(NamedTuple):
    """How clients of one server speak, and which bytes each delivery holds once."""

    path: str
    subprotocol: str | None
    needle: bytes


class Clients(NamedTuple):
    """What the measuring process sees of them."""

    connected: "Synchronized[int]"
    received: "Synchronized[int]"
    lost: "Synchronized[int]"


def source_address(number: int) -> tuple[str, int]:
    """Where a client comes from: an address has ports for some 28,000."""
    return (f"127.0.0.{2 + number % 8}", 0)


def masked_text(text: str) -> bytes:
    """A client's text frame."""
    data = text.encode()
    if len(data) < 126:
        return struct.pack(">BB4x", 0x81, 0x80 | len(data)) + data
    return struct.pack(">BBH4x", 0x81, 0x80 | 126, len(data)) + data


class _Client(asyncio.Protocol):
    __slots__ = ("_dialect", "_hello", "_lost", "opened", "received", "transport")

    def __init__(self, dialect: Dialect, hello: bytes) -> None:
        self._dialect, self._hello = dialect, hello
        self.received = 0
        self.opened = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(bytes(16)).decode()
        offer = self._dialect.subprotocol
        protocol = f"Sec-WebSocket-Protocol: {offer}\r\n" if offer else ""
        self.transport.write(
            f"GET {self._dialect.path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{protocol}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            if not data.startswith(b"HTTP/1.1 101"):
                refused = data.startswith((b"HTTP/1.1 503", b"HTTP/1.1 429"))
                error = Refused if refused else ConnectionError
                self.opened.set_exception(error(data[:80].decode("latin-1")))
                return
            self.opened.set_result(None)
            if self.transport is not None:
                self.transport.write(self._hello)
        self.received += data.count(self._dialect.needle)

    def ping(self) -> None:
        if self.transport is not None:
            self.transport.write(PING)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed while opening"))


async def _run(
    port: int, count: int, dialect: Dialect, hello: Callable[[int], bytes], clients: Clients
) -> None:
    loop = asyncio.get_running_loop()
    all_clients: list[_Client] = []
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(number: int) -> None:
        async with gate:
            while True:
                _, client = await loop.create_connection(
                    lambda: _Client(dialect, hello(number)),
                    "127.0.0.1", port, local_addr=source_address(number),
                )  # fmt: skip
                try:
                    await client.opened
                except Refused:
                    await asyncio.sleep(random.uniform(0, REFUSED_SECONDS))
                else:
                    all_clients.append(client)
                    return

    opening = asyncio.gather(*(open_one(number) for number in range(count)))
    turns = round(PING_SECONDS / COUNT_SECONDS)
    for turn in itertools.cycle(range(turns)):
        await asyncio.sleep(COUNT_SECONDS)
        for client in all_clients[turn::turns]:
            client.ping()
        if opening.done():
            opening.result()
        clients.connected.value = len(all_clients)
        clients.received.value = sum(client.received for client in all_clients)
        clients.lost.value = sum(client.transport is None for client in all_clients)


def _main(
    port: int, count: int, dialect: Dialect, hello: Callable[[int], bytes], clients: Clients
) -> None:
    raise_open_files()
    uvloop.run(_run(port, count, dialect, hello, clients))


def raise_open_files() -> None:
    """A socket a client, on both sides."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def connected_clients(
    port: int, count: int, dialect: Dialect, hello: Callable[[int], bytes]
) -> Iterator[Clients]:
    """`count` clients that have sent their hello. Raises RuntimeError when they can't connect."""
    context = multiprocessing.get_context("fork")
    clients = Clients(context.Value("q", 0), context.Value("q", 0), context.Value("q", 0))
    process = context.Process(target=_main, args=(port, count, dialect, hello, clients))
    process.daemon = True
    process.start()
    try:
        deadline = time.monotonic() + CONNECT_SECONDS
        while clients.connected.value < count:
            if not process.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"{clients.connected.value} of {count} clients connected")
            time.sleep(0.1)
        yield clients
    finally:
        process.kill()
        process.join(10)
