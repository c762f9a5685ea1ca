"""What Valkey's streams promise beyond every bus: bounded memory, a server killed or emptied, a
position that never moves back."""

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


def position(server: ValkeyUnderTest, stream: str, group: str) -> str:
    with redis.Redis.from_url(server.url) as client:
        groups = client.xinfo_groups(stream)
    (mine,) = [one for one in groups if one["name"].decode() == group]
    return str(mine["last-delivered-id"].decode())


def test_a_late_word_of_a_reader_that_was_stopped_moves_no_group_back(
    server: ValkeyUnderTest,
) -> None:
    stopped, heir = ValkeyStreams(server.url), ValkeyStreams(server.url)
    stopped.append("orders", [Record("1", b"%d" % n) for n in range(5)])
    ((_, old),) = stopped.read(["orders"], "gateway", "me", 100, 50)
    stopped.append("orders", [Record("1", b"%d" % n) for n in range(5, 50)])
    ((_, got),) = heir.read(["orders"], "gateway", "me", 100, 50)
    assert len(got) == 50
    heir.acknowledge("orders", "gateway", [d.id for d in got])
    with pytest.raises(Retryable):
        stopped.acknowledge("orders", "gateway", [d.id for d in old])
    # Told again it is no news: the group is beyond them.
    stopped.acknowledge("orders", "gateway", [d.id for d in old])
    assert position(server, "orders", "gateway") == got[-1].id
    assert stopped.read(["orders"], "gateway", "me", 100, 50) == []
    assert heir.lag("orders", "gateway").records == 0
    heir.append("orders", [Record("1", b"50")])
    assert heir.lag("orders", "gateway").records == 1


class Hand:
    """A clock moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


#: So that nobody's time is over before a test says so, however slow the machine; and its quarter.
LONG, NEXT_WORD = Limits(takeover_seconds=1_000), 250


def end_time_of(server: ValkeyUnderTest, group: str, consumer: str, streams: list[str]) -> None:
    """As if it had not been heard of for too long."""
    with redis.Redis.from_url(server.url) as client:
        client.zadd(f"members:{group}", {consumer: 1})
        for stream in streams:
            if client.hget(f"owners:{group}", stream) == consumer.encode():
                client.hset(f"owners:{group}", f"{stream} until", 1)


def test_a_stream_that_was_anothers_meanwhile_is_told_to_be_gone_and_goes_on_where_that_one_was(
    server: ValkeyUnderTest,
) -> None:
    hand = Hand()
    first, other = ValkeyStreams(server.url, hand, LONG), ValkeyStreams(server.url, hand, LONG)
    first.append("lent", [Record("1", b"%d" % n) for n in range(10)])
    assert first.divide(["lent"], "back", "first") == {"lent"}
    ((_, mine),) = first.read(["lent"], "back", "first", 3, 50)
    end_time_of(server, "back", "first", ["lent"])
    assert other.divide(["lent"], "back", "other") == {"lent"}
    ((_, theirs),) = other.read(["lent"], "back", "other", 10, 50)
    other.acknowledge("lent", "back", [d.id for d in theirs])
    end_time_of(server, "back", "other", ["lent"])
    hand.now = NEXT_WORD
    assert first.divide(["lent"], "back", "first") == frozenset()  # so what it kept may go
    assert first.divide(["lent"], "back", "first") == {"lent"}
    first.acknowledge("lent", "back", [d.id for d in mine])
    assert position(server, "lent", "back") == theirs[-1].id


def test_what_another_gave_up_is_taken_a_tenth_of_a_second_later(server: ValkeyUnderTest) -> None:
    names, clocks = [f"shared.{n}" for n in range(4)], [Hand(), Hand()]
    old, new = (ValkeyStreams(server.url, clock, LONG) for clock in clocks)
    assert old.divide(names, "taken", "a") == {*names}
    assert new.divide(names, "taken", "b") == frozenset()
    clocks[0].now = NEXT_WORD
    kept = old.divide(names, "taken", "a")
    assert len(kept) == 2
    clocks[1].now = 0.1
    assert new.divide(names, "taken", "b") == {*names} - kept


def test_what_was_a_dead_consumers_is_taken_when_its_time_is_over(server: ValkeyUnderTest) -> None:
    names, hand = [f"left.{n}" for n in range(4)], Hand()
    dead = ValkeyStreams(server.url, limits=Limits(takeover_seconds=100))
    heir = ValkeyStreams(server.url, hand, LONG)
    assert heir.divide(names[1:2], "left", "b") == {names[1]}
    assert len(dead.divide(names, "left", "a")) == 2
    hand.now = NEXT_WORD
    assert len(heir.divide(names, "left", "b")) == 2
    end_time_of(server, "left", "a", names)
    hand.now += 100  # long before its own next word
    assert heir.divide(names, "left", "b") == {*names}


def test_what_an_older_version_left_pending_is_delivered_again(server: ValkeyUnderTest) -> None:
    streams = ValkeyStreams(server.url)
    streams.append("upgraded", [Record("1", b"%d" % n) for n in range(8)])
    with redis.Redis.from_url(server.url) as client:
        client.xgroup_create("upgraded", "g", id="0")
        ((_, given),) = client.xreadgroup("g", "me", {"upgraded": ">"}, count=6)
        client.xack("upgraded", "g", *[number for number, _ in given[:2]])
    ((_, got),) = streams.read(["upgraded"], "g", "me", 100, 50)
    assert [int(d.data) for d in got] == [2, 3, 4, 5, 6, 7]
    assert all(d.redelivered for d in got)
    assert streams.lag("upgraded", "g").records == 6
    streams.acknowledge("upgraded", "g", [d.id for d in got[:1]])
    assert streams.lag("upgraded", "g").records == 5
    ((_, again),) = ValkeyStreams(server.url).read(["upgraded"], "g", "me", 100, 50)
    assert again == got[1:]


def test_what_is_acknowledged_after_a_failure_is_not_given_again_and_counts_once() -> None:
    with valkey_server(durable=True) as server:
        streams = ValkeyStreams(server.url)
        streams.append("s", [Record("1", b"%d" % n) for n in range(5)])
        ((_, got),) = streams.read(["s"], "g", "me", 100, 50)
        streams.acknowledge("s", "g", [got[0].id])
        server.stop(signal.SIGKILL)
        with pytest.raises(Retryable):
            streams.read(["s"], "g", "me", 100, 50)
        server.start()
        streams.acknowledge("s", "g", [d.id for d in got[1:4]])
        streams.acknowledge("s", "g", [d.id for d in got[1:4]])  # had the first answer been lost
        ((_, rest),) = streams.read(["s"], "g", "me", 100, 50)
        assert [d.data for d in rest] == [b"4"]
        streams.acknowledge("s", "g", [rest[0].id])
        streams.append("s", [Record("1", b"new")] * 5)
        assert streams.lag("s", "g").records == 5


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


def test_what_was_given_of_a_server_that_lost_its_files_comes_again_as_redelivered() -> None:
    with valkey_server() as server:
        killed = ValkeyStreams(server.url)
        killed.append("lost", [Record("1", b"x")])
        ((_, got),) = killed.read(["lost"], "g", "me", 10, 50)
        killed.acknowledge("lost", "g", [got[0].id])
        server.stop()
        server.start()
        ValkeyStreams(server.url).append("lost", [Record("1", b"y")])
        ((_, got),) = killed.read(["lost"], "g", "me", 10, 50)  # it has noticed nothing
        ((_, again),) = ValkeyStreams(server.url).read(["lost"], "g", "me", 10, 50)
        assert (again[0].data, again[0].redelivered) == (b"y", True)
        with pytest.raises(Retryable):  # nor does it know where that server's group is
            killed.acknowledge("lost", "g", [got[0].id])
