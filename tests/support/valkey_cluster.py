"""A real Valkey cluster for one test: three primaries on the loopback, gone when the test is."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from functions.shared.stores.valkey_slots import SLOTS, slot_of
from infra.local.ports import free_ports
from tests.support.eventually import wait_until
from tests.support.valkey import PASSWORD, START_SECONDS, server_program

#: A dead primary is known as such after this; a test waits that long for it.
NODE_TIMEOUT_MS = 1_000
#: Where a node meets the others: its port plus this, unless told otherwise.
_SHARDS = 3


class ClusterNode:
    """One server of a cluster, which a test may stop and start again on the same port."""

    def __init__(self, port: int, bus_port: int, folder: Path) -> None:
        self.port, self._bus_port, self._folder = port, bus_port, folder
        self.client = redis.Redis(port=port, password=PASSWORD)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        options = {
            "port": self.port, "bind": "127.0.0.1", "requirepass": PASSWORD,
            "primaryauth": PASSWORD, "save": "", "appendonly": "no", "dir": self._folder,
            "cluster-enabled": "yes", "cluster-config-file": "nodes.conf",
            "cluster-port": self._bus_port, "cluster-node-timeout": NODE_TIMEOUT_MS,
            "cluster-require-full-coverage": "no", "cluster-replica-validity-factor": 0,
            "repl-diskless-sync-delay": 0,
        }  # fmt: skip
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [server_program(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers)

    def ask(self, *words: Any) -> Any:
        """What a command gives."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class ClusterUnderTest:
    """Three primaries with a third of the slots each, and replicas that a test adds."""

    def __init__(self, folder: Path, spare: int = 0) -> None:
        ports = free_ports(2 * (_SHARDS + spare))
        pairs = zip(ports[::2], ports[1::2], strict=True)
        self.nodes = [ClusterNode(p, bus, folder / str(p)) for p, bus in pairs]
        self._bus_ports = dict(zip(ports[::2], ports[1::2], strict=True))

    @property
    def url(self) -> str:
        seeds = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:_SHARDS])
        return f"redis-cluster://:{PASSWORD}@{seeds}"

    def start(self) -> None:
        for node in self.nodes[:_SHARDS]:
            node.start()
        for number, node in enumerate(self.nodes[:_SHARDS]):
            first, last = number * SLOTS // _SHARDS, (number + 1) * SLOTS // _SHARDS - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:_SHARDS]:
            self._meet(node)
        self.wait_for_view(_SHARDS, self.nodes[:_SHARDS])

    def add_replica(self, of: ClusterNode) -> ClusterNode:
        """Starts the next spare node as a replica that is level with its primary."""
        node = next(each for each in self.nodes[_SHARDS:] if each._process is None)
        node.start()
        self._meet(node)
        name = of.ask("CLUSTER", "MYID").decode()
        wait_until(lambda: name in node.ask("CLUSTER", "NODES").decode())
        node.ask("CLUSTER", "REPLICATE", name)
        wait_until(lambda: node.client.info("replication")["master_link_status"] == "up")
        return node

    def primary_of(self, key: str) -> ClusterNode:
        """By what the first node that answers says."""
        slot = slot_of(key)
        for first, last, (_, port, *_), *_ in self.nodes[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody has {key}")

    def move_slot(self, key: str, to: ClusterNode) -> None:
        """Moves a slot with its keys while it is written to."""
        source, slot = self.primary_of(key), slot_of(key)
        target = to.ask("CLUSTER", "MYID").decode()
        source.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)
        wait_until(lambda: self.primary_of(key) is to)

    def wait_for_view(self, known: int, nodes: Sequence[ClusterNode]) -> None:
        """Until each of the nodes knows of so many and finds the cluster in order."""

        def agreed() -> bool:
            infos = [node.ask("CLUSTER", "INFO").decode() for node in nodes]
            return all(f"cluster_known_nodes:{known}\r" in info for info in infos) and all(
                "cluster_state:ok" in info for info in infos
            )

        wait_until(agreed)

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
            node.client.close()

    def _meet(self, node: ClusterNode) -> None:
        first = self.nodes[0]
        node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, self._bus_ports[first.port])


@contextlib.contextmanager
def valkey_cluster(spare: int = 0) -> Iterator[ClusterUnderTest]:
    """A cluster that is in order; `spare` nodes may be added as replicas."""
    with tempfile.TemporaryDirectory(prefix="outcry-valkey-cluster-") as folder:
        cluster = ClusterUnderTest(Path(folder), spare)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
