"""The cluster behind one server's interface, on nodes that answer what a test says."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
import redis
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError

from functions.shared.stores import valkey_cluster
from functions.shared.stores.valkey_address import Node, ValkeyAddress
from functions.shared.stores.valkey_cluster import ClusterValkey
from functions.shared.stores.valkey_slots import SLOTS, Layout

A, B = Node("a", 1), Node("b", 2)
LEFT, RIGHT = "foo", "bar"  # in slots 12182 and 5061
HALVES = Layout([(0, 8_000, B), (8_001, SLOTS - 1, A)])


class Server:
    """Answers each command with the next thing it was given, or with its own name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[tuple[Any, ...]] = []
        self.answers: list[object] = []
        self._queued: list[tuple[Any, ...]] = []

    def pipeline(self, transaction: bool) -> "Server":
        assert not transaction
        self._queued = []
        return self

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute_command(self, *words: Any, **_: Any) -> None:
        self._queued.append(words)

    def execute(self, raise_on_error: bool) -> Sequence[object]:
        assert not raise_on_error
        self.asked += self._queued
        answers = [self.answers.pop(0) if self.answers else self.name for _ in self._queued]
        for answer in answers:
            if isinstance(answer, redis.ConnectionError):
                raise answer
        return answers

    def close(self) -> None:
        self.name = "closed"


class Cluster:
    """Two servers and the layouts that are read, the last one again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *layouts: Layout) -> None:
        self.servers = {A: Server("a"), B: Server("b")}
        self.layouts, self.reads = list(layouts), 0
        monkeypatch.setattr(valkey_cluster, "read_layout", self._read)
        address = ValkeyAddress((A,), True, False, None, None)
        self.client = ClusterValkey(address, lambda node: cast(redis.Redis, self.servers[node]))

    def _read(self, *_: object) -> Layout:
        self.reads += 1
        return self.layouts.pop(0) if len(self.layouts) > 1 else self.layouts[0]


def test_commands_go_to_their_slots_primary_in_one_pipeline_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, HALVES)
    with cluster.client.pipeline(transaction=False) as pipeline:
        pipeline.get(LEFT)
        pipeline.mget([RIGHT])
        pipeline.eval("script", 1, LEFT, "argument")
        assert pipeline.execute() == ["a", "b", "a"]
    assert cluster.client.get(RIGHT) == "b"
    assert [words[0] for words in cluster.servers[A].asked] == ["GET", "EVAL"]
    assert cluster.reads == 1
    assert cluster.client.node_serving(RIGHT) is cast(redis.Redis, cluster.servers[B])
    cluster.client.close()
    assert {server.name for server in cluster.servers.values()} == {"closed"}


@pytest.mark.parametrize(
    "error", [MovedError("5061 a:1"), ClusterDownError("no"), redis.ConnectionError("cut off")]
)
def test_what_is_elsewhere_is_asked_for_once_more_by_a_layout_read_anew(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    cluster = Cluster(monkeypatch, HALVES, Layout.of_one(A))
    cluster.servers[B].answers = [error]
    with cluster.client.pipeline(transaction=False) as pipeline:
        pipeline.get(LEFT)
        pipeline.get(RIGHT)
        assert pipeline.execute() == ["a", "a"]
    assert [words[1] for words in cluster.servers[A].asked] == [LEFT, RIGHT]
    assert cluster.reads == 2


def test_a_second_failure_and_any_other_error_are_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, HALVES)
    cluster.servers[B].answers = [redis.ConnectionError("one"), redis.ConnectionError("two")]
    with pytest.raises(redis.ConnectionError, match="two"):
        cluster.client.get(RIGHT)
    cluster.servers[B].answers = [ResponseError("wrong type")]
    with pytest.raises(ResponseError, match="wrong type"):
        cluster.client.get(RIGHT)
    assert len(cluster.servers[B].asked) == 3


def test_a_key_that_is_at_its_new_home_already_is_asked_for_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, HALVES)
    cluster.servers[B].answers = [AskError("5061 a:1")]
    assert cluster.client.get(RIGHT) == "a"
    assert [words[0] for words in cluster.servers[A].asked] == ["ASKING", "GET"]
    assert cluster.reads == 1  # the slot is still where it was


def test_a_slot_without_a_primary_is_an_error_until_it_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, Layout([(8_001, SLOTS - 1, A)]), HALVES)
    with pytest.raises(ClusterDownError):
        cluster.client.get(RIGHT)
    assert cluster.client.get(RIGHT) == "b"
    with pytest.raises(ValueError, match="no transaction"):
        cluster.client.pipeline()
