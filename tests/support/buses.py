"""The three buses, as tests see them: a real Valkey, Kinesis' API (simulated, or the server at
AWS_ENDPOINT_URL), and a real Kafka where there is one (tests/support/kafka.py)."""

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Delivered, Limits, Streams, open_streams
from infra.local.ports import free_ports
from tests.support.aws import REGION
from tests.support.eventually import WAIT_SECONDS
from tests.support.kafka import KafkaBroker
from tests.support.valkey import valkey_server

#: One worker has all three servers.
ON_ONE_WORKER = [pytest.mark.xdist_group("buses"), pytest.mark.timeout(1500)]
BATCH_BYTES = 64 * 1024


@dataclass
class Bus:
    """One bus, empty, as processes of their own see it."""

    url: str
    takeover_seconds: float
    counts_records: bool = True
    opened: list[Streams] = field(default_factory=list)

    def open(self, **limits: Any) -> Streams:
        known = {"takeover_seconds": self.takeover_seconds, "batch_bytes": BATCH_BYTES}
        self.opened.append(open_streams(self.url, Limits(**{**known, **limits})))
        return self.opened[-1]

    def close(self) -> None:
        for streams in self.opened:
            streams.close()

    @contextlib.contextmanager
    def reader(self, group: str, name: str, streams: list[str]) -> "Iterator[OtherReader]":
        """A consumer in a process of its own, which has been given something when this yields."""
        words = [self.url, group, name, str(self.takeover_seconds), *streams]
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.bus_reader", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                given = json.loads(process.stdout.readline())
                yield OtherReader(process, dict(given))
            finally:
                process.kill()


class Worker:
    """A consumer as the ledger's is one: what it could not acknowledge (a rebalance came between)
    it tries again, and forgets when the stream is another's. With a name it divides the streams.

    `done`: what was acknowledged of each stream, in that order; several may share one."""

    def __init__(
        self, streams: Streams, group: str, done: dict[str, list[Delivered]], name: str = ""
    ) -> None:
        self.done = done
        self._streams = streams
        self._group = group
        self._name = name
        self._owed: dict[str, list[Delivered]] = {}

    def turn(self, count: int = 100) -> frozenset[str]:
        """Reads and acknowledges once; gives the streams that are its own. A bus that asks for
        another try gives anew what was not acknowledged."""
        wanted = frozenset(self.done)
        try:
            mine = self._streams.divide(sorted(wanted), self._group, self._name) & wanted
            return self._work(mine, count)
        except Retryable:
            self._owed.clear()
            return frozenset()

    def read(self, count: int = 100) -> frozenset[str]:
        """The same of streams that are all its own anyway."""
        try:
            return self._work(frozenset(self.done), count)
        except Retryable:  # a server that is slow to answer: all of it is given again
            self._owed.clear()
            return frozenset()

    def _work(self, mine: frozenset[str], count: int) -> frozenset[str]:
        self._owed = {name: records for name, records in self._owed.items() if name in mine}
        free = sorted(mine - self._owed.keys())
        for stream, records in self._streams.read(free, self._group, self._name, count, 50):
            assert stream in mine
            self._owed[stream] = records
        for stream, records in list(self._owed.items()):
            with contextlib.suppress(Retryable):
                self._streams.acknowledge(stream, self._group, [record.id for record in records])
                self.done[stream] += records
                del self._owed[stream]
        return mine

    @property
    def all_done(self) -> list[Delivered]:
        return [record for records in self.done.values() for record in records]


@dataclass
class OtherReader:
    """Its process, and what it was given."""

    process: "subprocess.Popen[str]"
    given: dict[str, list[str]]

    def acknowledge(self) -> str:
        """Lets it; what it says of it."""
        told, _ = self.process.communicate("\n", timeout=WAIT_SECONDS)
        return told.strip()


@pytest.fixture(scope="session")
def simulated_aws() -> Iterator[str]:
    """Its address. A server: a test's other processes ask it, too."""
    from moto.server import ThreadedMotoServer  # a second's import, for the worker that needs it

    server = ThreadedMotoServer("127.0.0.1", free_ports(1)[0], verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def valkey_bus() -> Iterator[str]:
    """Its address."""
    with valkey_server(durable=True) as running:
        yield running.url


@pytest.fixture(params=["valkey", "kinesis", "kafka"])
def bus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    made = _bus(request, monkeypatch)
    yield made
    made.close()


def _bus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bus:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    match request.param:
        case "valkey":  # streams have names of their own in each test
            return Bus(request.getfixturevalue("valkey_bus"), 1.0)
        case "kinesis":
            simulated = request.getfixturevalue("simulated_aws")
            as_aws(monkeypatch, os.environ.get("AWS_ENDPOINT_URL", simulated))
            # LocalStack fetches its DynamoDB from the network, and may have none.
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", simulated)
            return Bus(f"kinesis://{REGION}/{prefix}", 1.0, counts_records=False)
    broker: KafkaBroker = request.getfixturevalue("kafka")
    return Bus(broker.url(prefix), broker.takeover_seconds)


def as_aws(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
