"""What Valkey's streams promise beyond every bus: bounded memory, a server killed or emptied."""

import signal
import time
from collections.abc import Iterator

import pytest
import redis

from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Limits, Record, ValkeyStreams
from tests.support.eventually import wait_until
from tests.support.valkey import ValkeyUnderTest, valkey_server


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyUnderTest]:
    with valkey_server(durable=True) as running:
        yield running


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


def test_reading_writes_nothing_to_the_disk(server: ValkeyUnderTest) -> None:
    streams = ValkeyStreams(server.url)
    streams.append("quiet", [Record("1", b"a")])
    streams.divide(["quiet"], "shared", "me")
    with redis.Redis.from_url(server.url) as client:
        for group in ("alone", "shared"):
            streams.read(["quiet"], group, "me", 10, 50)
            written = client.info("persistence")["rdb_changes_since_last_save"]
            for _ in range(5):
                streams.append("quiet", [Record("1", b"b")])
                streams.divide(["quiet"], "shared", "me")
                ((_, got),) = streams.read(["quiet"], group, "me", 10, 50)
                assert [d.data for d in got] == [b"b"]
            assert client.info("persistence")["rdb_changes_since_last_save"] - written == 5


def test_the_lag_is_told_by_one_who_comes_later_and_by_what_was_dropped_unread(
    server: ValkeyUnderTest,
) -> None:
    before = ValkeyStreams(server.url)
    before.append("counted", [Record("1", b"%d" % n) for n in range(300)])
    ((_, got),) = before.read(["counted"], "g", "me", 300, 50)
    before.acknowledge("counted", "g", [d.id for d in got[:100]])
    after = ValkeyStreams(server.url)
    assert after.lag("counted", "g").records == 200
    with redis.Redis.from_url(server.url) as client:
        client.xtrim("counted", maxlen=50, approximate=False)
    assert after.lag("counted", "g").records == 50
    ((_, rest),) = after.read(["counted"], "g", "me", 300, 50)
    after.acknowledge("counted", "g", [d.id for d in rest])
    assert after.lag("counted", "g").records == 0
    assert after.lag("counted", "nobody").records == 0


def test_what_was_read_before_it_was_trimmed_is_passed_over(server: ValkeyUnderTest) -> None:
    before = ValkeyStreams(server.url)
    before.append("trimmed", [Record("1", b"a"), Record("1", b"b")])
    before.divide(["trimmed"], "g", "me")
    before.read(["trimmed"], "g", "me", 10, 50)
    with redis.Redis.from_url(server.url) as client:
        client.xtrim("trimmed", maxlen=1, approximate=False)
    after = ValkeyStreams(server.url)
    assert after.divide(["trimmed"], "g", "me") == {"trimmed"}
    ((_, got),) = after.read(["trimmed"], "g", "me", 10, 50)
    assert [d.data for d in got] == [b"b"]


def test_a_consumer_that_is_only_slow_keeps_what_nobody_else_took(
    server: ValkeyUnderTest,
) -> None:
    brief = Limits(takeover_seconds=0.001)
    slow = ValkeyStreams(server.url, limits=brief)
    slow.append("slow", [Record("1", b"a"), Record("1", b"b")])
    slow.divide(["slow"], "brief", "slow")
    ((_, got),) = slow.read(["slow"], "brief", "slow", 1, 50)
    time.sleep(0.01)  # its time is over; nobody wants it
    slow.acknowledge("slow", "brief", [got[0].id])
    other = ValkeyStreams(server.url, limits=brief)
    wait_until(lambda: other.divide(["slow"], "brief", "other") == {"slow"})
    ((_, theirs),) = other.read(["slow"], "brief", "other", 1, 50)
    assert theirs[0].data == b"b"
    # Back with the first, who had read on past it without knowing: it is there for it again.
    wait_until(lambda: slow.divide(["slow"], "brief", "slow") == {"slow"})
    ((_, again),) = slow.read(["slow"], "brief", "slow", 1, 50)
    assert (again[0].data, again[0].redelivered) == (b"b", True)
    with pytest.raises(Retryable):
        other.acknowledge("slow", "brief", [theirs[0].id])


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
        streams.divide(["lost"], "g", "me")
        streams.read(["lost"], "g", "me", 10, 50)
        server.stop()
        server.start()
        with pytest.raises(Retryable):
            streams.read(["lost"], "g", "me", 10, 50)
        streams.divide(["lost"], "g", "me")
        assert streams.read(["lost"], "g", "me", 10, 50) == []
        streams.append("lost", [Record("1", b"y")])
        ((_, got),) = streams.read(["lost"], "g", "me", 10, 50)
        assert [d.data for d in got] == [b"y"]


def test_what_a_server_gave_before_it_lost_its_files_moves_no_group_of_the_new_one() -> None:
    with valkey_server() as server:
        streams = ValkeyStreams(server.url)
        streams.append("lost", [Record("1", b"x")])
        ((_, got),) = streams.read(["lost"], "g", "me", 10, 50)
        server.stop()
        server.start()
        with pytest.raises(Retryable):
            streams.acknowledge("lost", "g", [got[0].id])
        ValkeyStreams(server.url).append("lost", [Record("1", b"y")])
        streams.acknowledge("lost", "g", ["9" + got[0].id])  # by a clock that was ahead of this one
        ((_, got),) = streams.read(["lost"], "g", "me", 10, 50)
        assert [d.data for d in got] == [b"y"]
