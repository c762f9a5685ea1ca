"""The event source mapping: batches, failures, acknowledgements."""

import base64
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from edge.runtime.stream_lag import StreamLag
from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Delivered, Lag, Record
from infra.local.consumer import Consumer, kinesis_event
from infra.local.gateway.template import Function, StreamSource

SOURCE = StreamSource(Function("Apply", "apply.handler", 10, None), "executions.0", 10)


class RecordedStreams:
    """Gives each stream's records once and writes down what was acknowledged."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        self._waiting = {
            name: [Delivered(identity, "7", identity.encode()) for identity in ids]
            for name, ids in records.items()
        }
        self.acknowledged: list[str] = []
        self.away = False
        self.others: frozenset[str] = frozenset()

    def append(self, stream: str, records: Sequence[Record]) -> None:
        raise AssertionError("a consumer appends nothing")

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        for stream, records in batches.items():
            self.append(stream, records)

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        return frozenset(streams) - self.others

    def lag(self, stream: str, group: str) -> Lag:
        return Lag(records=3)

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        given = [(name, self._waiting.pop(name)) for name in streams if name in self._waiting]
        return [(name, records[:count]) for name, records in given]

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if self.away:
            raise Retryable("away")
        self.acknowledged += ids


class ScriptedHandler:
    """Answers by script; remembers which records each call had."""

    def __init__(self, *script: Any) -> None:
        self._script = list(script)
        self.calls: list[list[str]] = []

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        self.calls.append([r["kinesis"]["sequenceNumber"] for r in event["Records"]])
        answer = self._script.pop(0) if self._script else {"batchItemFailures": []}
        if isinstance(answer, Exception):
            raise answer
        return answer


class Hand:
    """A clock moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def consumer_of(
    handler: ScriptedHandler, partitions: int, streams: RecordedStreams, clock: Callable[[], float]
) -> Consumer:
    lag = StreamLag(streams, "ledger", CollectorRegistry(), clock)
    return Consumer({SOURCE: handler}, partitions, streams, lag, clock=clock)


def failed(identity: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identity}]}


def test_a_batch_that_was_taken_is_acknowledged_whole() -> None:
    streams, handler = RecordedStreams({"executions.0": ["1-0", "2-0"]}), ScriptedHandler()
    consumer = consumer_of(handler, 1, streams, time.monotonic)
    consumer.step()
    assert streams.acknowledged == ["1-0", "2-0"]
    assert consumer.state() == (True, "")


def test_from_the_first_failure_on_records_are_handed_over_again_in_order() -> None:
    streams = RecordedStreams({"executions.0": ["1-0", "2-0", "3-0"]})
    handler, clock = ScriptedHandler(failed("2-0")), Hand()
    consumer = consumer_of(handler, 1, streams, clock)
    consumer.step()
    assert streams.acknowledged == ["1-0"]
    assert not consumer.state()[0]
    clock.now = 10
    consumer.step(1)
    assert handler.calls == [["1-0", "2-0", "3-0"], ["2-0", "3-0"]]
    assert streams.acknowledged == ["1-0", "2-0", "3-0"]


def test_a_partition_that_does_not_move_stops_no_other() -> None:
    streams = RecordedStreams({"executions.0": ["1-0"], "executions.1": ["9-0"]})
    handler = ScriptedHandler(RuntimeError("a bug"))
    consumer = consumer_of(handler, 2, streams, Hand())
    consumer.step()
    assert streams.acknowledged == ["9-0"]
    assert consumer.state() == (False, "not taken yet: executions.0")


def test_pauses_between_tries_grow_to_a_bound() -> None:
    streams = RecordedStreams({"executions.0": ["1-0"]})
    handler, clock = ScriptedHandler(*[failed("1-0")] * 9), Hand()
    consumer = consumer_of(handler, 1, streams, clock)
    consumer.step()
    tries = []
    while len(handler.calls) < 9:
        clock.now = round(clock.now + 0.05, 2)
        before = len(handler.calls)
        consumer.step(1)
        tries += [clock.now] * (len(handler.calls) - before)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(2.0, abs=0.1)


def test_nothing_that_was_read_is_lost_when_the_streams_go_away() -> None:
    streams = RecordedStreams({"executions.0": ["1-0"], "executions.1": ["9-0"]})
    handler = ScriptedHandler()
    consumer = consumer_of(handler, 2, streams, Hand())
    streams.away = True
    with pytest.raises(Retryable):
        consumer.step()
    streams.away = False
    consumer.step(1)
    assert sorted(streams.acknowledged) == ["1-0", "9-0"]


def test_a_partition_that_became_another_processs_is_left_to_it() -> None:
    streams = RecordedStreams({"executions.0": ["1-0"], "executions.1": ["9-0"]})
    handler, clock = ScriptedHandler(failed("1-0")), Hand()
    consumer = consumer_of(handler, 2, streams, clock)
    consumer.step()
    streams.others = frozenset({"executions.0"})
    clock.now = 10
    consumer.step(1)
    assert handler.calls == [["1-0"], ["9-0"]]
    assert streams.acknowledged == ["9-0"]
    assert consumer.state() == (True, "")


def test_the_lag_of_what_is_ones_own_is_a_metric() -> None:
    streams, registry = RecordedStreams({}), CollectorRegistry()
    clock = Hand()
    lag = StreamLag(streams, "ledger", registry, clock)
    lag.look(["executions.0", "executions.1"])
    lag.look([])  # not time yet
    name = "outcry_stream_lag_records"
    labels = {"group": "ledger", "stream": "executions.1"}
    assert registry.get_sample_value(name, labels) == 3
    clock.now = 10
    lag.look(["executions.0"])
    assert registry.get_sample_value(name, labels) is None
    assert registry.get_sample_value("outcry_stream_lag_seconds", labels) is None


def test_a_record_has_the_shape_that_kinesis_gives_it() -> None:
    (record,) = kinesis_event(
        "executions.3", [Delivered("1700-2", "42", b"\x00data", at_ms=1_700)]
    )["Records"]
    assert record["eventSource"] == "aws:kinesis"
    assert record["eventSourceARN"].endswith("stream/executions.3")
    assert base64.b64decode(record["kinesis"]["data"]) == b"\x00data"
    assert record["kinesis"]["partitionKey"] == "42"
    assert record["kinesis"]["sequenceNumber"] == "1700-2"
    assert record["kinesis"]["approximateArrivalTimestamp"] == 1.7
