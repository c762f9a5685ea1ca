"""Several fanout processes on one port: one that dies or hangs is replaced."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import httpx
import psutil
import pytest
from prometheus_client import CollectorRegistry

from edge.fanout import workers
from edge.fanout.limits import Limits
from edge.fanout.workers import Workers
from edge.runtime.health import HealthServer, serve_health
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.wire.quotes import encode_record, partition_of_symbol
from infra.local.ports import free_ports
from tests.support.eventually import WAIT_SECONDS, until
from tests.support.fanout import quote
from tests.support.raw_stream import RawStream, frame
from tests.support.valkey import ValkeyUnderTest, valkey_server


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


class Node:
    """Two workers and their parent's health."""

    def __init__(self, workers: Workers, port: int, health: HealthServer) -> None:
        self.workers, self.port, self._health = workers, port, health

    def ready(self) -> bool:
        return self.workers.state()[0]

    def pids(self) -> list[int]:
        return [each.process.pid for each in self.workers.all if each.process is not None]

    async def ask(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as client:
            return await client.get(f"http://{self._health.address}{path}")

    async def metric(self, name: str) -> float:
        """A sample by its full name."""
        lines = (await self.ask("/metrics")).text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[-1])

    async def clients(self) -> list[list[RawStream]]:
        """Clients of each worker, some at least."""
        served: dict[int, list[RawStream]] = {pid: [] for pid in self.pids()}
        while not all(served.values()):
            stream = await RawStream.open(self.port)
            served[_server_of(stream, self.pids())].append(stream)
        return [served[pid] for pid in self.pids()]


def _server_of(stream: RawStream, pids: list[int]) -> int:
    """The process that has the other end of a client's socket."""
    for pid in pids:
        for each in psutil.Process(pid).net_connections("tcp4"):
            if each.raddr and each.raddr.port == stream.local_port():
                return pid
    raise AssertionError("nobody has it")


@contextlib.asynccontextmanager
async def two_workers(valkey: ValkeyUnderTest, silence: float) -> AsyncIterator[Node]:
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "tests.support.fanout_worker", valkey.url, str(port)]
    limits = Limits(workers=2, worker_silence_seconds=silence, drain_seconds=2.0)
    workers, registry = Workers(command, limits), CollectorRegistry()
    registry.register(workers)
    health = serve_health("127.0.0.1:0", "fanout", workers.state, registry)
    node = Node(workers, port, health)
    running = asyncio.create_task(workers.run())
    try:
        await until(node.ready)
        yield node
    finally:
        workers.stop()
        code = await running
        health.close()
    assert code == 0
    assert not any(map(psutil.pid_exists, node.pids()))


async def test_a_worker_that_dies_or_hangs_is_replaced_while_the_other_serves_on(
    valkey: ValkeyUnderTest,
) -> None:
    writer = QuoteWriter(valkey.url)
    async with two_workers(valkey, silence=5.0) as node:
        for victim, number in ((0, signal.SIGKILL), (1, signal.SIGSTOP)):
            groups = await node.clients()
            lost, kept = groups[victim], groups[1 - victim][0]
            before = node.pids()
            assert (await node.ask("/health")).status_code == 200
            os.kill(before[victim], number)
            await until(lambda: not node.ready())
            assert f"worker {victim + 1} of 2" in node.workers.state()[1]
            for stream in lost:
                await stream.ended()  # reset, and not before a stopped one was killed

            await kept.say(frame(b'{"action":"subscribe","symbols":["S1"]}'))
            await kept.hear(b'"subscribed"')
            record = ("S1", encode_record(quote("S1", 7 + victim)))
            await writer.write({partition_of_symbol("S1"): [record]}, 1)
            await kept.hear(b'"seq":%d,' % (7 + victim))

            await until(node.ready)
            assert [a == b for a, b in zip(before, node.pids(), strict=True)].count(True) == 1
            assert node.workers.all[victim].restarts == 1
        assert (await node.ask("/health")).status_code == 200
        assert await node.metric("outcry_fanout_worker_restarts_total") == 2
        assert await node.metric("outcry_fanout_workers_ready") == 2
        back = (await node.clients())[0][0]
        assert await node.metric('outcry_fanout_accepted_total{worker="1"}') >= 1
        node.workers.stop()
        assert await back.close_code() == 1012
    await writer.close()


@pytest.mark.parametrize(("code", "ends_with", "lives"), [(2, 2, 1), (7, 7, 3), (0, 1, 3)])
async def test_a_worker_that_can_not_be_kept_ends_the_node(
    monkeypatch: pytest.MonkeyPatch, code: int, ends_with: int, lives: int
) -> None:
    """Wrong settings end it at once, another end when it comes again and again."""
    monkeypatch.setattr(workers, "DEATHS_MOST", 2)
    command = [sys.executable, "-c", f"raise SystemExit({code})"]
    node = Workers(command, Limits(workers=1))
    assert await node.run() == ends_with
    assert node.all[0].restarts == lives - 1
