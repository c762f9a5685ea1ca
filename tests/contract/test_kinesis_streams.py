"""What Kinesis asks of its clients: refused records are sent again, and shards split and merge."""

from typing import Any

import boto3
import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.stores.kinesis import KinesisStreams
from functions.shared.stores.streams import Delivered, Record
from tests.support.eventually import wait_until


class Throttled:
    """Takes one record of so many, from the first on, of the first requests, as a shard at its
    limit does; of none when `takes` is 0."""

    def __init__(self, kinesis: Any, requests: int, takes: int) -> None:
        self._kinesis = kinesis
        self._left = requests
        self._takes = takes

    def put_records(self, **request: Any) -> Any:
        if not self._left:
            return self._kinesis.put_records(**request)
        self._left -= 1
        records = request["Records"]
        taken = set(range(0, len(records), self._takes)) if self._takes else set()
        if taken:
            passed = [record for number, record in enumerate(records) if number in taken]
            self._kinesis.put_records(**{**request, "Records": passed})
        refused = {"ErrorCode": "ProvisionedThroughputExceededException"}
        answers = [{} if number in taken else refused for number in range(len(records))]
        return {"FailedRecordCount": len(records) - len(taken), "Records": answers}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kinesis, name)


def clients(region: str) -> tuple[Any, Any]:
    return boto3.client("kinesis", region), boto3.client("dynamodb", region)


def read_all(streams: KinesisStreams, count: int) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []

    def read() -> bool:
        for _, records in streams.read(["s"], "g", "me", 10, 20):
            found.extend((d.key, int(d.data)) for d in records)
            streams.acknowledge("s", "g", [d.id for d in records])
        return len(found) >= count

    wait_until(read)
    return found


def of_key(found: list[tuple[str, int]], key: str) -> list[int]:
    return [number for one, number in found if one == key]


def test_what_a_shard_refused_is_sent_again_behind_nothing_of_its_key(aws: str) -> None:
    kinesis, dynamodb = clients(aws)
    kinesis.create_stream(StreamName="s", ShardCount=2)
    pauses: list[float] = []
    streams = KinesisStreams(Throttled(kinesis, 3, takes=2), dynamodb, pause=pauses.append)
    streams.append("s", [Record(str(n % 4), b"%d" % n) for n in range(40)])
    assert pauses
    found = read_all(KinesisStreams(kinesis, dynamodb), 40)
    for key in "0123":
        assert of_key(found, key) == [n for n in range(40) if str(n % 4) == key]
    streams = KinesisStreams(Throttled(kinesis, 9, takes=0), dynamodb, pause=pauses.append)
    with pytest.raises(Retryable, match="refused 4 times"):
        streams.append("s", [Record("1", b"1")])


def test_a_keys_records_keep_their_order_over_a_split_and_a_restart(aws: str) -> None:
    kinesis, dynamodb = clients(aws)
    kinesis.create_stream(StreamName="s", ShardCount=1)
    writer = KinesisStreams(kinesis, dynamodb)
    keys = [f"user-{n}" for n in range(8)]

    def append(first: int, count: int) -> None:
        for number in range(first, first + count):
            writer.append("s", [Record(key, b"%d" % number) for key in keys])

    append(0, 3)
    (shard,) = kinesis.list_shards(StreamName="s")["Shards"]
    kinesis.split_shard(
        StreamName="s", ShardToSplit=shard["ShardId"], NewStartingHashKey=str(2**127)
    )
    append(3, 3)
    found = read_all(KinesisStreams(kinesis, dynamodb), 20)
    # The parent was left half read; the next process begins there, and at its children after it.
    found += read_all(KinesisStreams(kinesis, dynamodb), 48 - len(found))
    assert len(found) == 48
    for key in keys:
        assert of_key(found, key) == [*range(6)]


def test_what_could_not_be_acknowledged_is_given_again_to_one_who_was_told_to_drop_it(
    aws: str,
) -> None:
    streams, other = KinesisStreams(*clients(aws)), KinesisStreams(*clients(aws))
    streams.append("s", [Record("1", b"0"), Record("1", b"1")])
    assert streams.divide(["s"], "g", "me") == {"s"}
    given: list[Delivered] = []

    def read(reader: KinesisStreams) -> bool:
        given[:] = [d for _, found in reader.read(["s"], "g", "me", 10, 20) for d in found]
        return len(given) == 2

    wait_until(lambda: read(streams))
    wait_until(lambda: read(other))  # whose fence is the later one
    for _ in range(2):  # and without a reader nothing can be said at all
        with pytest.raises(Retryable):
            streams.acknowledge("s", "g", [d.id for d in given])
    assert streams.divide(["s"], "g", "me") == frozenset()
    assert streams.divide(["s"], "g", "me") == {"s"}
    wait_until(lambda: read(streams))
    streams.acknowledge("s", "g", [d.id for d in given])
    assert read_all(KinesisStreams(*clients(aws)), 0) == []
