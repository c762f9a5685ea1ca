"""What Kafka's streams promise beyond every bus: a broker that is killed, and topics that grow."""

import signal

import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Delivered, Limits, Record, Streams, open_streams
from tests.support.eventually import wait_until
from tests.support.kafka import OwnKafka, own_kafka

pytestmark = [pytest.mark.xdist_group("buses"), pytest.mark.timeout(1500)]


def reads(streams: Streams, most: int) -> list[Delivered]:
    """The next records of the group, acknowledged; a broker that is away is waited for."""
    found: list[Delivered] = []

    def read() -> bool:
        try:
            mine = streams.divide(["executions.0"], "g", "me")
            for stream, records in streams.read(sorted(mine), "g", "me", 10, 50):
                streams.acknowledge(stream, "g", [record.id for record in records])
                found.extend(records)
        except Retryable:
            return False
        return len(found) >= most

    wait_until(read)
    return found


def appended(streams: Streams, record: Record) -> bool:
    try:
        streams.append("executions.0", [record])
    except Retryable:
        return False
    return True


def away(streams: Streams, broker: OwnKafka) -> None:
    """Kills the broker, and waits until a reader and a writer have noticed."""
    broker.stop(signal.SIGKILL)
    assert not appended(streams, Record("1", b"b"))

    def noticed() -> bool:
        try:
            streams.read(["executions.0"], "g", "me", 10, 50)
        except Retryable:
            return True
        return False

    wait_until(noticed)


def test_records_and_positions_survive_a_kill_of_the_broker() -> None:
    with own_kafka() as broker:
        limits = Limits(append_seconds=2.0, takeover_seconds=broker.takeover_seconds)
        streams = open_streams(broker.url("kill"), limits)
        assert appended(streams, Record("1", b"a"))
        assert [d.data for d in reads(streams, 1)] == [b"a"]
        away(streams, broker)
        broker.start()
        wait_until(lambda: appended(streams, Record("1", b"b")))
        # What was appended in vain was taken back, or is there once: never in front of "a".
        assert {d.data for d in reads(streams, 1)} == {b"b"}
        # The producer knew the topic before it had this partition.
        streams.append("executions.5", [Record("1", b"five")])
        ((_, got),) = streams.read(["executions.5"], "other", "me", 10, 1000)
        assert [d.data for d in got] == [b"five"]
