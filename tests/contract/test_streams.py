"""What every stream adapter promises, on a real Valkey and on Kinesis' API."""

import signal
from collections.abc import Iterator

import boto3
import pytest
import redis
from moto import mock_aws

from functions.shared.domain.errors import Retryable
from functions.shared.stores.kinesis import KinesisStreams
from functions.shared.stores.streams import Record, Streams, ValkeyStreams
from tests.support.valkey import ValkeyUnderTest, valkey_server


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyUnderTest]:
    with valkey_server(durable=True) as running:
        yield running


class Readable:
    """An adapter and a way to see what a stream holds, whatever reads it."""

    def __init__(self, streams: Streams, kinesis: object = None) -> None:
        self.streams = streams
        self._kinesis = kinesis

    def everything(self, stream: str) -> list[tuple[str, bytes]]:
        if self._kinesis is None:
            read = self.streams.read([stream], "look", "me", 1000, 50)
            return [(d.key, d.data) for _, entries in read for d in entries]
        found = []
        for shard in self._kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = self._kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = self._kinesis.get_records(ShardIterator=iterator, Limit=1000)["Records"]
            found += [(r["PartitionKey"], r["Data"]) for r in records]
        return found


@pytest.fixture(params=["valkey", "kinesis"])
def readable(request: pytest.FixtureRequest) -> Iterator[Readable]:
    if request.param == "valkey":
        server = request.getfixturevalue("server")
        yield Readable(ValkeyStreams(server.url))
        return
    with mock_aws():
        client = boto3.client("kinesis", region_name="ap-south-1")
        client.create_stream(StreamName="s.everything", ShardCount=2)
        client.create_stream(StreamName="s.empty", ShardCount=1)
        yield Readable(KinesisStreams(client, pause=lambda _: None), client)


def test_what_was_appended_is_there_in_the_order_of_each_key(readable: Readable) -> None:
    records = [Record(str(n % 3), b"%d" % n) for n in range(60)]
    readable.streams.append("s.everything", records)
    found = readable.everything("s.everything")
    assert sorted(found) == sorted((r.key, r.data) for r in records)
    for key in "012":
        assert [int(d) for k, d in found if k == key] == [n for n in range(60) if str(n % 3) == key]


def test_appending_nothing_leaves_nothing(readable: Readable) -> None:
    readable.streams.append("s.empty", [])
    assert readable.everything("s.empty") == []


def test_an_unacknowledged_record_comes_again_after_a_restart_and_says_so(
    server: ValkeyUnderTest,
) -> None:
    before = ValkeyStreams(server.url)
    before.append("orders.7", [Record("1", b"a"), Record("1", b"b")])
    ((_, first),) = before.read(["orders.7"], "gateway", "me", 10, 50)
    assert [(d.data, d.redelivered) for d in first] == [(b"a", False), (b"b", False)]
    before.acknowledge("orders.7", "gateway", [first[0].id])

    after = ValkeyStreams(server.url)
    after.append("orders.7", [Record("1", b"c")])
    got = [
        d
        for _ in range(3)
        for _, ds in after.read(["orders.7"], "gateway", "me", 10, 50)
        for d in ds
    ]
    assert [(d.data, d.redelivered) for d in got] == [(b"b", True), (b"c", False)]


def test_an_acknowledged_record_is_gone_for_its_group_alone(server: ValkeyUnderTest) -> None:
    streams = ValkeyStreams(server.url)
    streams.append("shared", [Record("1", b"x")])
    ((_, one),) = streams.read(["shared"], "first", "me", 10, 50)
    streams.acknowledge("shared", "first", [one[0].id])
    assert streams.read(["shared"], "first", "me", 10, 1) == []
    ((_, other),) = streams.read(["shared"], "second", "me", 10, 50)
    assert [d.data for d in other] == [b"x"]


def test_several_streams_are_read_at_once(server: ValkeyUnderTest) -> None:
    streams = ValkeyStreams(server.url)
    streams.append("many.0", [Record("1", b"x")])
    streams.append("many.1", [Record("2", b"y")])
    got = dict(streams.read(["many.0", "many.1"], "g", "me", 10, 50))
    assert {name: [d.data for d in ds] for name, ds in got.items()} == {
        "many.0": [b"x"],
        "many.1": [b"y"],
    }


def test_acknowledged_entries_are_trimmed_and_unread_ones_stay(server: ValkeyUnderTest) -> None:
    now = iter(range(0, 10_000, 10))
    streams = ValkeyStreams(server.url, clock=lambda: float(next(now)))
    streams.append("long", [Record("1", b"%d" % n) for n in range(1_000)])
    ((_, got),) = streams.read(["long"], "g", "me", 900, 50)
    streams.acknowledge("long", "g", [d.id for d in got])
    with redis.Redis.from_url(server.url) as client:
        assert 100 <= client.xlen("long") <= 200
    ((_, rest),) = streams.read(["long"], "g", "me", 900, 50)
    assert [int(d.data) for d in rest] == list(range(900, 1_000))


def test_records_survive_a_kill_of_the_server() -> None:
    with valkey_server(durable=True) as server:
        streams = ValkeyStreams(server.url)
        streams.append("kept", [Record("1", b"x")])
        server.stop(signal.SIGKILL)
        with pytest.raises(Retryable):
            streams.append("kept", [Record("1", b"y")])
        server.start()
        ((_, got),) = streams.read(["kept"], "g", "me", 10, 50)
        assert [d.data for d in got] == [b"x"]


def test_a_server_that_lost_its_files_is_read_on_from_empty_streams() -> None:
    with valkey_server() as server:
        streams = ValkeyStreams(server.url)
        streams.append("lost", [Record("1", b"x")])
        streams.read(["lost"], "g", "me", 10, 50)
        server.stop()
        server.start()
        with pytest.raises(Retryable):
            streams.read(["lost"], "g", "me", 10, 50)
        assert streams.read(["lost"], "g", "me", 10, 50) == []
        streams.append("lost", [Record("1", b"y")])
        ((_, got),) = streams.read(["lost"], "g", "me", 10, 50)
        assert [d.data for d in got] == [b"y"]
