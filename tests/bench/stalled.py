"""`stalled`: by how much the p99 of quotes moves when one client in a hundred stops reading.

Load: CONNECTIONS clients of 20 symbols and PROBES of the same kind that take the age of each quote;
against them a hundredth as many that watch more symbols, so as to be behind within two seconds,
never read, and come back as soon as they are cut. Windows with and without them follow each other
ROUNDS times on the same node, so that a machine that is busy elsewhere is so in both.
"""

import asyncio
import functools
import json
import multiprocessing
import re
import socket
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from typing import Any, cast

import uvloop
from hdrh.histogram import HdrHistogram

from infra.local.ports import free_ports
from tests.bench.churn import REQUEST
from tests.bench.fanout import OUTCRY, hello, process, publish, serve_node, serving
from tests.bench.stream_clients import (
    PING,
    PING_SECONDS,
    connected_clients,
    masked_text,
    raise_open_files,
    source_address,
)
from tests.support.valkey import valkey_server

CONNECTIONS = 2_000
PROBES = 50
ROUNDS = 3
STALLED_WATCHED = 100
SETTLE_SECONDS = 4.0
#: What is measured: nothing, ages without anybody stalled, ages beside the stalled; or the end.
NOTHING, ALONE, BESIDE, ENDED = range(4)
PERCENTILES = (50.0, 99.0, 99.9)

_TIME = re.compile(rb'"timestamp":(\d{13})')
_context = multiprocessing.get_context("fork")
_Ages = tuple[HdrHistogram, HdrHistogram]


def _stalled_hello(number: int) -> bytes:
    """It watches what others watch as well, so that all it adds is that it does not read."""
    auth = {"action": "auth", "token": f"user:{number}"}
    subscribe = {"action": "subscribe", "symbols": [f"S{n}" for n in range(STALLED_WATCHED)]}
    return masked_text(json.dumps(auth)) + masked_text(json.dumps(subscribe))


def _was_cut(link: socket.socket) -> bool:
    return link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


async def _stall(port: int, number: int, on: "Synchronized[int]") -> None:
    """Opens a connection that never reads, and another when it has been cut."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0.1)
        if not on.value:
            continue
        with socket.socket() as link:
            link.setblocking(False)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            link.bind(source_address(number))
            await loop.sock_connect(link, ("127.0.0.1", port))
            await loop.sock_sendall(link, REQUEST + _stalled_hello(number))
            while on.value and not _was_cut(link):  # noqa: ASYNC110  nothing reads it
                await asyncio.sleep(0.1)


def _stallers(port: int, count: int, on: "Synchronized[int]") -> None:
    async def stall_all() -> None:
        await asyncio.gather(*(_stall(port, number, on) for number in range(count)))

    raise_open_files()
    uvloop.run(stall_all())


class _Probe(asyncio.Protocol):
    """A client that takes the age of each quote it is sent, in milliseconds."""

    def __init__(self, number: int, taking: Callable[[], HdrHistogram | None]) -> None:
        self._number, self._taking = number, taking
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(REQUEST + hello(self._number))

    def ping(self) -> None:
        """Says that it is there."""
        if self._transport is not None:
            self._transport.write(PING)

    def data_received(self, data: bytes) -> None:
        ages = self._taking()
        if ages is not None:
            now = time.time_ns() // 1_000_000
            for found in _TIME.findall(data):
                ages.record_value(max(1, now - int(found)))


def _probes(port: int, window: "Synchronized[int]", answers: Any) -> None:
    """Takes ages into the histogram of the window's kind, and gives both at the end."""

    async def probe() -> None:
        loop = asyncio.get_running_loop()
        ages: _Ages = (HdrHistogram(1, 60_000, 3), HdrHistogram(1, 60_000, 3))

        def taking() -> HdrHistogram | None:
            return ages[window.value - ALONE] if window.value in {ALONE, BESIDE} else None

        made = (functools.partial(_Probe, number, taking) for number in range(PROBES))
        probes = [(await loop.create_connection(each, "127.0.0.1", port))[1] for each in made]
        pinged = loop.time()
        while window.value != ENDED:
            await asyncio.sleep(0.1)
            if loop.time() - pinged > PING_SECONDS:
                pinged = loop.time()
                for each in probes:
                    each.ping()
        answers.put([[each.get_value_at_percentile(p) for p in PERCENTILES] for each in ages])

    uvloop.run(probe())


def run(seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The stage: ROUNDS windows of each kind, `seconds` for all of a kind."""
    port, stallers = free_ports(1)[0], connections // 100
    on, window = _context.Value("q", 0), _context.Value("q", 0)
    answers = _context.Queue()
    with (
        valkey_server() as valkey,
        serving(serve_node, valkey.url, port),
        process(publish, valkey.url),
        connected_clients(port, connections, OUTCRY, hello) as clients,
        process(_stallers, port, stallers, on),
        process(_probes, port, window, answers),
    ):
        for _ in range(ROUNDS):
            for kind in (ALONE, BESIDE):
                on.value = int(kind == BESIDE)
                time.sleep(SETTLE_SECONDS)
                window.value = kind
                time.sleep(seconds / ROUNDS)
                window.value = NOTHING
        window.value = ENDED
        without, with_them = answers.get(timeout=60)
        lost = clients.lost.value
    return {
        "name": "stalled",
        "figure": float(with_them[1] - without[1]),
        "unit": "ms that the others' p99 moves",
        "baselines": [],
        "connections": connections,
        "stalled_connections": stallers,
        "p50_p99_p999_ms": without,
        "p50_p99_p999_ms_beside_stalled": with_them,
        "clients_lost": float(lost),
    }
