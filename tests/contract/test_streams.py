"""What every bus promises (tests/support/buses.py says what stands for each)."""

import signal
import uuid

import pytest

from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.stores.stream_records import RECORD_BYTES_MOST
from functions.shared.stores.streams import Delivered, Limits, Record, Streams, open_streams
from infra.local.ports import free_ports
from tests.support.aws import REGION
from tests.support.buses import BATCH_BYTES, ON_ONE_WORKER, Bus, Worker, as_aws
from tests.support.eventually import wait_until

pytestmark = ON_ONE_WORKER


@pytest.fixture
def name() -> str:
    """What the streams of one test begin with."""
    return f"s{uuid.uuid4().hex[:8]}"


def drain(
    streams: Streams, wanted: list[str], group: str, most: int, name: str = ""
) -> list[Delivered]:
    """The next `most` records, acknowledged as they come; divided by a worker that has a name."""
    worker = Worker(streams, group, {stream: [] for stream in wanted}, name)

    def read() -> bool:
        (worker.turn if name else worker.read)()
        return len(worker.all_done) >= most

    wait_until(read)
    return worker.all_done


def test_what_was_appended_is_there_in_the_order_of_each_key(bus: Bus, name: str) -> None:
    streams = bus.open()
    records = [Record(str(n % 3), b"%d" % n) for n in range(60)]
    streams.append(name, records[:40])
    streams.append(name, [])
    streams.append(name, records[40:])
    found = drain(bus.open(), [name], "look", 60)
    assert sorted((d.key, d.data) for d in found) == sorted((r.key, r.data) for r in records)
    for key in "012":
        mine = [int(d.data) for d in found if d.key == key]
        assert mine == [n for n in range(60) if str(n % 3) == key]
    assert all(d.at_ms > 1_600_000_000_000 for d in found)
    assert len({d.id for d in found}) == 60
    looked = list(bus.open().look(name))  # which is nobody's reading
    assert sorted((d.id, d.data) for d in looked) == sorted((d.id, d.data) for d in found)
    assert list(bus.open().look(f"{name}-empty")) == []


def test_what_was_not_acknowledged_comes_again_after_a_restart_and_says_so(
    bus: Bus, name: str
) -> None:
    before = bus.open()
    before.append(name, [Record("1", b"a"), Record("1", b"b")])
    given: list[Delivered] = []
    wait_until(lambda: given.extend(read_one(before, name, "gateway")) or len(given) == 2)
    assert [d.data for d in given] == [b"a", b"b"]
    before.acknowledge(name, "gateway", [given[0].id])

    after = bus.open()
    (again,) = drain(after, [name], "gateway", 1)
    assert (again.data, again.redelivered) == (b"b", True)
    assert read_one(after, name, "gateway") == []
    after.append(name, [Record("1", b"c")])
    (new,) = drain(after, [name], "gateway", 1)
    assert (new.data, new.redelivered) == (b"c", False)
    # Another group has its own place.
    assert [d.data for d in drain(after, [name], "second", 3)] == [b"a", b"b", b"c"]


def read_one(streams: Streams, stream: str, group: str) -> list[Delivered]:
    return [d for _, found in streams.read([stream], group, "me", 10, 50) for d in found]


def test_several_streams_are_read_at_once_within_count_and_bytes(bus: Bus, name: str) -> None:
    streams = bus.open()
    wanted = [f"{name}.{number}" for number in range(3)]
    for stream in wanted[:2]:
        streams.append(stream, [Record("1", b"%d" % n + b"." * 20_000) for n in range(5)])
    streams.append(wanted[2], [Record("2", b"%d" % n) for n in range(25)])
    reader = bus.open()
    found: dict[str, list[int]] = {stream: [] for stream in wanted}

    def read() -> bool:
        for stream, records in reader.read(wanted, "g", "me", 10, 50):
            assert len(records) <= 10
            assert sum(len(d.data) for d in records) <= BATCH_BYTES
            found[stream] += [int(d.data.strip(b".")) for d in records]
            reader.acknowledge(stream, "g", [d.id for d in records])
        return sum(map(len, found.values())) == 35

    wait_until(read)
    assert found == {wanted[0]: [*range(5)], wanted[1]: [*range(5)], wanted[2]: [*range(25)]}


def test_a_stream_may_be_appended_to_before_and_after_its_neighbours(bus: Bus, name: str) -> None:
    streams = bus.open()
    for number in (2, 0, 5):  # of a topic that grows while its writer knows it
        streams.append(f"{name}.{number}", [Record("1", b"%d" % number)])
    for number in (5, 0, 2):
        assert [d.data for d in drain(streams, [f"{name}.{number}"], "g", 1)] == [b"%d" % number]


def test_streams_that_are_appended_to_together_keep_each_its_own_and_their_order(
    bus: Bus, name: str
) -> None:
    streams, names = bus.open(), [f"{name}.{number}" for number in range(3)]
    streams.append_each({})
    streams.append_each({names[0]: [Record("1", b"a"), Record("1", b"b")], names[1]: []})
    streams.append_each({names[0]: [Record("1", b"c")], names[2]: [Record("2", b"d")]})
    assert [d.data for d in drain(streams, [names[0]], "g", 3)] == [b"a", b"b", b"c"]
    assert [(d.key, d.data) for d in drain(streams, [names[2]], "g", 1)] == [("2", b"d")]
    assert list(streams.look(names[1])) == []


def test_a_record_that_is_too_large_for_a_bus_is_refused_with_all_of_its_batch(
    bus: Bus, name: str
) -> None:
    streams = bus.open()
    largest = Record("1", bytes(RECORD_BYTES_MOST))
    with pytest.raises(InvariantViolated):
        streams.append(name, [Record("1", b"x"), Record("1", bytes(RECORD_BYTES_MOST + 1))])
    streams.append(name, [largest])
    assert [d.data for d in drain(streams, [name], "g", 1)] == [largest.data]


def test_consumers_of_a_group_share_its_streams_and_no_key_is_with_two_at_once(
    bus: Bus, name: str
) -> None:
    wanted = [f"{name}.{number}" for number in range(4)]
    writer, one, two = bus.open(), bus.open(), bus.open()
    for stream in wanted:
        writer.append(stream, [Record(f"{stream}-{n % 2}", b"%d" % n) for n in range(20)])
    done: dict[str, list[Delivered]] = {stream: [] for stream in wanted}
    workers = [Worker(one, "g", done, "one"), Worker(two, "g", done, "two")]
    shares: set[tuple[int, ...]] = set()

    def both(each: int) -> bool:
        shares.add(tuple(len(worker.turn(3)) for worker in workers))
        return all(len(records) >= each for records in done.values()) and (2, 2) in shares

    wait_until(lambda: both(20))
    for stream in wanted:
        writer.append(stream, [Record(f"{stream}-{20 % 2}", b"20")])
    wait_until(lambda: both(21))
    for stream, records in done.items():
        for parity in (0, 1):
            of_key = [int(d.data) for d in records if d.key == f"{stream}-{parity}"]
            assert of_key == [n for n in range(21) if n % 2 == parity]


def test_a_consumer_that_stops_is_succeeded_and_can_acknowledge_nothing_any_more(
    bus: Bus, name: str
) -> None:
    wanted = [f"{name}.0"]
    heir = bus.open()
    heir.append(wanted[0], [Record("7", b"a"), Record("7", b"b")])
    with bus.reader("g", "first", wanted) as first:
        assert first.given[wanted[0]][0] == "a"
        first.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: heir.divide(wanted, "g", "heir") == frozenset(wanted))
        heir.append(wanted[0], [Record("7", b"c")])
        assert [d.data for d in drain(heir, wanted, "g", 3, "heir")] == [b"a", b"b", b"c"]
        first.process.send_signal(signal.SIGCONT)
        assert first.acknowledge() == "refused"
    heir.append(wanted[0], [Record("7", b"d")])
    assert [d.data for d in drain(heir, wanted, "g", 1, "heir")] == [b"d"]


def test_what_a_killed_consumer_had_comes_again_to_the_one_that_takes_its_name(
    bus: Bus, name: str
) -> None:
    wanted = [f"{name}.0", f"{name}.1"]
    for stream in wanted:
        bus.open().append(stream, [Record("7", b"a"), Record("7", b"b")])
    with bus.reader("g", "worker", wanted) as killed:
        killed.process.kill()
    heir = bus.open()
    wait_until(lambda: heir.divide(wanted, "g", "worker") == frozenset(wanted))
    found = drain(heir, wanted, "g", 4, "worker")
    assert [d.data for d in found if d.data in b"ab"].count(b"a") == 2
    assert all(d.redelivered for d in found)


def test_a_group_tells_how_far_it_is_behind_on_each_stream(bus: Bus, name: str) -> None:
    streams = bus.open()
    streams.append(name, [Record("1", b"%d" % n) for n in range(7)])
    given: list[Delivered] = []
    wait_until(lambda: given.extend(read_one(streams, name, "g")) or len(given) == 7)
    lag = streams.lag(name, "g")
    if not bus.counts_records:
        assert lag.records is None
        assert lag.seconds is not None
        return
    assert lag.records == 7
    streams.acknowledge(name, "g", [d.id for d in given[:5]])
    assert streams.lag(name, "g").records == 2
    streams.acknowledge(name, "g", [d.id for d in given[5:]])
    assert streams.lag(name, "g").records == 0


@pytest.mark.parametrize("kind", ["redis", "kinesis", "kafka"])
def test_a_bus_that_is_away_is_worth_another_try(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"127.0.0.1:{free_ports(1)[0]}"
    as_aws(monkeypatch, f"http://{away}")
    if kind == "kafka":
        pytest.importorskip("confluent_kafka")
    url = f"kinesis://{REGION}/away" if kind == "kinesis" else f"{kind}://{away}/0"
    streams = open_streams(url, Limits(append_seconds=0.3))
    with pytest.raises(Retryable):
        streams.append("executions.0", [Record("1", b"x")])
    with pytest.raises(Retryable):
        streams.read(["executions.0"], "g", "me", 10, 50)
    with pytest.raises(Retryable):
        streams.divide(["executions.0"], "g", "me")
