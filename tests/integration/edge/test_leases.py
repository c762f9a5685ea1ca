"""Leases in PostgreSQL, and two processes for one work: the holder is stopped past its lease, the
other takes over, and the first, continued, changes nothing and stands by.
"""

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from functions.shared.domain.errors import Fenced
from functions.shared.domain.orders import Side
from functions.shared.stores.fix_checkpoint import LedgerCheckpoint
from functions.shared.stores.leases import LedgerLeases
from functions.shared.stores.outbox import Outbox
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.venue_review import LedgerVenueReview
from functions.shared.wire.events import LEDGER_EVENTS_STREAM, decode_event
from infra.local.postgres import APPLICATION, EDGE, OWNER
from tests.support.eventually import wait_until
from tests.support.ledger import LAKH, NOON, Trader
from tests.support.postgres import ShardsUnderTest
from tests.support.processes import ProcessUnderTest
from tests.support.valkey import ValkeyUnderTest, valkey_server
from tests.support.waiting import stopped

WAIT_SECONDS = 90.0
NAMES = ["OUTCRY-O1", "OUTCRY-O2"]


def test_one_holder_has_all_of_its_leases_and_the_next_one_a_higher_fence(
    edge_shards: Shards,
) -> None:
    leases = LedgerLeases(edge_shards.control)
    first = leases.take(NAMES, "here", 60)
    assert first is not None
    assert leases.take(["OUTCRY-O2", "OUTCRY-O3"], "there", 60) is None
    assert leases.take(["OUTCRY-O3"], "there", 60) is not None  # the refused one had taken nothing
    again = leases.take(NAMES, "here", 60)  # its next process need not wait
    assert again is not None
    assert again > first
    assert (leases.renew(NAMES, first, 60), leases.renew(NAMES, again, 0)) == (False, True)
    # It ran out and nobody took it: its holder may go on. Then somebody does.
    assert leases.renew(NAMES, again, 0)
    taken = leases.take(["OUTCRY-O2"], "there", 60)
    assert taken is not None
    assert taken > again
    assert not leases.renew(NAMES, again, 60)
    leases.release(["OUTCRY-O2"], again)  # not its to give up any more
    assert leases.take(["OUTCRY-O2"], "here", 60) is None
    leases.release(["OUTCRY-O2"], taken)
    assert leases.take(["OUTCRY-O2"], "here", 60) is not None


def test_many_who_ask_at_once_are_one_holder(edge_urls: list[str]) -> None:
    found: list[int | None] = []
    barrier = threading.Barrier(8)

    def ask(number: int) -> None:
        shards = Shards(edge_urls, "test")
        leases = LedgerLeases(shards.control)
        barrier.wait()
        found.append(leases.take(["work"], f"holder {number}", 60))
        shards.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Counter(found).items(), key=str) == [(1, 1), (None, 7)]


def test_what_a_stale_holder_writes_is_refused(edge_shards: Shards) -> None:
    control = edge_shards.control
    leases = LedgerLeases(control)
    names = ["OUTCRY-O1", "relay"]
    stale = leases.take(names, "here", 0)
    fence = leases.take(names, "there", 60)
    assert (stale, fence) == (1, 2)
    for written in (
        lambda: LedgerCheckpoint(edge_shards, 1).move("OUTCRY-O1", 9),
        lambda: LedgerCheckpoint(edge_shards, 1).begin_numbering("OUTCRY-O1"),
        lambda: LedgerVenueReview(edge_shards, 1).note("OUTCRY-O1", ["LOST_ORDER"], [], NOON),
        lambda: Outbox(control, lambda: 1).delete([1]),
    ):
        with pytest.raises(Fenced):
            written()
    assert Outbox(control, lambda: 1).read(10) == []
    checkpoint = LedgerCheckpoint(edge_shards, 2)
    assert (checkpoint.numbering("OUTCRY-O1"), checkpoint.through("OUTCRY-O1")) == ("OUTCRY-O1", 0)
    checkpoint.move("OUTCRY-O1", 9)
    checkpoint.begin_numbering("OUTCRY-O1")
    numbering = checkpoint.numbering("OUTCRY-O1")
    checkpoint.move(numbering, 3)
    assert (numbering, checkpoint.through(numbering)) == ("OUTCRY-O1#2", 3)
    assert checkpoint.through("OUTCRY-O1") == 9


@pytest.fixture
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server(durable=True) as server:
        yield server


def pair(
    module: str, valkey: ValkeyUnderTest, databases: ShardsUnderTest, folder: Path
) -> tuple[ProcessUnderTest, ProcessUnderTest]:
    """The holder, at work, and a standby."""
    stores = {
        "POSTGRES_URLS": ",".join(databases.urls(EDGE)),
        "VALKEY_URL": valkey.url,
        "STREAMS_URL": valkey.url,
    }
    first, second = (
        ProcessUnderTest(module, {**stores, "INSTANCE": f"{module}.{n}"}, folder / f"{module}.{n}")
        for n in (1, 2)
    )
    first.start()
    first.wait_ready()
    second.start()
    second.wait_ready()
    return first, second


def test_a_relay_stopped_past_its_lease_hands_nothing_on_when_it_is_continued(
    valkey: ValkeyUnderTest, databases: ShardsUnderTest, tmp_path: Path
) -> None:
    shards = Shards(databases.urls(APPLICATION), "test")
    traders = [Trader(shards, user, LAKH) for user in (5, 63)]  # one on each shard
    first, second = pair("edge.relay.main", valkey, databases, tmp_path)
    with redis.Redis.from_url(valkey.url) as client:

        def told() -> Counter[tuple[int, int]]:
            events = (decode_event(f[b"d"]) for _, f in client.xrange(LEDGER_EVENTS_STREAM))
            return Counter((event.user_id, event.user_seq) for event in events)

        def expected() -> set[tuple[int, int]]:
            return {(t.user_id, n + 1) for t in traders for n in range(t.funds().seq)}

        def handed_on() -> bool:
            """Told, and known to be: what a relay told and still has is told again by the next."""
            left = [owner.run("SELECT count(*) FROM ledger.outbox")[0][0] for owner in owners]
            return told().keys() == expected() and not any(left)

        owners = [Database(url, "test") for url in databases.urls(OWNER)]
        try:
            for trader in traders:
                trader.buy(1)
            wait_until(handed_on, WAIT_SECONDS)
            first.signal(signal.SIGSTOP)
            for trader in traders:
                trader.buy(1)
            wait_until(lambda: told().keys() == expected(), WAIT_SECONDS)
            first.signal(signal.SIGCONT)
            assert first.wait_ended(WAIT_SECONDS) == 1
            for trader in traders:
                trader.buy(1)
            wait_until(handed_on, WAIT_SECONDS)
            assert set(told().values()) == {1}
            first.start()
            first.wait_ready()  # as a standby
            second.kill()
            traders[0].buy(1)
            wait_until(lambda: told().keys() == expected(), WAIT_SECONDS)
            assert set(told().values()) == {1}
        finally:
            first.kill()
            second.kill()
            shards.close()
            for owner in owners:
                owner.close()


def test_a_watch_stopped_past_its_lease_is_taken_over_with_all_that_waits(
    valkey: ValkeyUnderTest, databases: ShardsUnderTest, tmp_path: Path
) -> None:
    shards = Shards(databases.urls(APPLICATION), "test")
    trader = Trader(shards, 5, LAKH)
    stopped(trader, Side.BUY, 1, 110)
    first, second = pair("edge.triggers.main", valkey, databases, tmp_path)
    try:
        wait_until(lambda: first.metric("outcry_triggers_watched") == 1, WAIT_SECONDS)
        first.signal(signal.SIGSTOP)
        wait_until(lambda: second.metric_or("outcry_triggers_watched", 0.0) == 1, WAIT_SECONDS)
        first.signal(signal.SIGCONT)
        assert first.wait_ended(WAIT_SECONDS) == 1
        second.wait_ready()
    finally:
        first.kill()
        second.kill()
        shards.close()
