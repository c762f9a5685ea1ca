"""The triggers' process on the real ledger, streams and prices: what has come is asked for, and
done once, whoever dies between seeing it and its commit.
"""

import asyncio
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.triggers.feed import Ended, change_of
from functions.shared.clock import micros, wall_now
from functions.shared.domain.orders import Side
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.seen_prices import read_seen
from functions.shared.stores.streams import Delivered, ValkeyStreams
from functions.shared.stores.valkey import open_valkey
from functions.shared.stores.waiting_orders import WaitingOrders
from functions.shared.wire.events import encode_stored_event
from functions.shared.wire.quotes import Quote, encode_record, partition_of_symbol
from functions.shared.wire.trigger_commands import (
    ReleaseOrder,
    commands_stream,
    decode_trigger_command,
)
from infra.command import verify_ledger
from infra.local.postgres import APPLICATION, EDGE, OWNER
from tests.support.eventually import WAIT_SECONDS, wait_until
from tests.support.ledger import ACME, LAKH, NOON, Trader, price
from tests.support.linked_exits import pair
from tests.support.postgres import ShardsUnderTest
from tests.support.processes import ProcessUnderTest
from tests.support.valkey import ValkeyUnderTest, valkey_server
from tests.support.waiting import gtt, modify_stop, release, stopped

_RELEASES = (
    "SELECT ref, count(*) FROM ledger.ledger_event WHERE user_id = :u"
    " AND kind = 'ORDER_RELEASED' GROUP BY ref"
)
_EVENTS = "SELECT seq, kind, at, body FROM ledger.ledger_event WHERE user_id = :u ORDER BY seq"


@dataclass
class Market:
    """Prices of one share, published as ingest does."""

    url: str
    seq: int = 0
    high: int = 0
    low: int = 10**12

    def trade(self, rupees: float) -> None:
        self.seq += 1
        units = price(rupees)
        self.high, self.low = max(self.high, units), min(self.low, units)
        quote = Quote(ACME.symbol, 1, self.seq, self.seq, units, 1, units, self.high, self.low,
                      units, 1, units)  # fmt: skip

        async def publish() -> None:
            writer = QuoteWriter(self.url)
            batch = {partition_of_symbol(ACME.symbol): [(ACME.symbol, encode_record(quote))]}
            await writer.write(batch, micros(wall_now()))
            await writer.close()

        asyncio.run(publish())


@dataclass
class Worker:
    """Does what the commands ask, as the orders' function does, and keeps what it was asked."""

    url: str
    urls: list[str]
    asked: list[ReleaseOrder] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        streams, shards = ValkeyStreams(self.url), Shards(self.urls, "test")
        names = [commands_stream(number) for number in range(4)]
        trader = object.__new__(Trader)
        trader.shards, trader.now = shards, NOON
        while not self.stop.is_set():
            for name, records in streams.read(names, "test", "test", 10, 50):
                for record in records:
                    command = decode_trigger_command(record.data)
                    assert isinstance(command, ReleaseOrder)
                    assert command.tick is not None
                    self.asked.append(command)
                    trader.user_id = command.user_id
                    rupees = command.tick.price / 10_000
                    release(trader, command.order_id, rupees, version=command.version)
                streams.acknowledge(name, "test", [record.id for record in records])
        shards.close()


@pytest.fixture
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server(durable=True) as server:
        yield server


@pytest.fixture
def worker(valkey: ValkeyUnderTest, databases: ShardsUnderTest) -> Iterator[Worker]:
    made = Worker(valkey.url, databases.urls(APPLICATION))
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.stop.set()
    thread.join(WAIT_SECONDS)


@pytest.fixture
def triggers(
    valkey: ValkeyUnderTest, databases: ShardsUnderTest, tmp_path: Path
) -> Iterator[ProcessUnderTest]:
    """The process, with a relay beside it that hands the ledger's events on."""
    clock = tmp_path / "clock.json"
    noon = NOON.isoformat()
    clock.write_text(
        f'{{"version":1,"hours":"nse","wall":"{wall_now().isoformat()}","business":"{noon}"}}'
    )
    stores = {
        "POSTGRES_URLS": ",".join(databases.urls(EDGE)),
        "VALKEY_URL": valkey.url,
        "STREAMS_URL": valkey.url,
    }
    relay = ProcessUnderTest("edge.relay.main", stores, tmp_path / "relay.log")
    watcher = ProcessUnderTest(
        "edge.triggers.main", {**stores, "CLOCK": f"file://{clock}"}, tmp_path / "triggers.log"
    )
    relay.start()
    watcher.start()
    try:
        relay.wait_ready()
        watcher.wait_ready()
        yield watcher
    finally:
        watcher.kill()
        relay.kill()


def released(trader: Trader) -> dict[int, int]:
    """How often each order was."""
    return {row[0]: row[1] for row in trader.database().run(_RELEASES, u=trader.user_id)}


def test_every_stop_goes_once_however_often_its_watcher_is_killed(
    triggers: ProcessUnderTest, worker: Worker, valkey: ValkeyUnderTest,
    databases: ShardsUnderTest,
) -> None:  # fmt: skip
    rng, market = random.Random(3), Market(valkey.url)
    market.trade(100)
    shards = Shards(databases.urls(APPLICATION), "test")
    traders = [Trader(shards, user, LAKH) for user in (5, 63)]
    stops = {
        stopped(trader, Side.BUY, 1, 101 + rng.randrange(190) / 10): trader
        for trader in traders for _ in range(20)
    }  # fmt: skip
    for step in range(105, 122, 3):
        market.trade(step)
        if step % 2:  # at this moment its commands are made, queued, taken, or none of it
            triggers.kill()
            triggers.start()
    triggers.wait_ready()

    def done() -> bool:
        return sum(len(released(trader)) for trader in traders) == len(stops)

    wait_until(done)
    assert dict.fromkeys(stops, 1) == {**released(traders[0]), **released(traders[1])}
    shards.close()
    assert verify_ledger.run(databases.urls(OWNER)).problems == []


def test_what_is_placed_changed_or_cancelled_while_it_runs_is_watched_as_it_is(
    triggers: ProcessUnderTest, worker: Worker, valkey: ValkeyUnderTest,
    databases: ShardsUnderTest,
) -> None:  # fmt: skip
    market = Market(valkey.url)
    market.trade(100)
    shards = Shards(databases.urls(APPLICATION), "test")
    trader = Trader(shards, 5, LAKH)
    trader.own(30)
    cancelled, moved, kept = (stopped(trader, Side.SELL, 1, 95) for _ in range(3))
    bought = stopped(trader, Side.BUY, 1, 106)
    trader.cancel(cancelled)
    modify_stop(trader, moved, 2, 90)
    for _ in range(2):  # five are watched only once it knows of all that was done before
        stopped(trader, Side.BUY, 1, 115)
    wait_until(lambda: triggers.metric("outcry_triggers_watched") == 5)
    market.trade(94)
    market.trade(107)
    wait_until(lambda: set(released(trader)) == {kept, bought})
    assert [command.order_id for command in worker.asked] == [kept, bought]
    assert worker.asked[0].tick is not None
    assert worker.asked[0].tick.price == price(94)
    wait_until(lambda: triggers.metric("outcry_triggers_watched") == 3)
    assert triggers.metric("outcry_triggers_unanswered") == 0
    shards.close()


def test_a_price_that_came_and_went_while_nobody_watched_fires_what_waited_for_it(
    triggers: ProcessUnderTest, worker: Worker, valkey: ValkeyUnderTest,
    databases: ShardsUnderTest,
) -> None:  # fmt: skip
    market = Market(valkey.url)
    shards = Shards(databases.urls(APPLICATION), "test")
    trader = Trader(shards, 5, LAKH)
    order = stopped(trader, Side.BUY, 1, 110)
    wait_until(lambda: triggers.metric("outcry_triggers_watched") == 1)
    market.trade(100)
    with open_valkey(valkey.url) as client:

        def kept() -> bool:
            seen = read_seen(client)
            return seen is not None and ACME.symbol in seen.ranges

        wait_until(kept)
    triggers.kill()
    market.trade(111)
    market.trade(100)
    triggers.start()
    wait_until(lambda: released(trader) == {order: 1})
    shards.close()


def test_orders_read_from_the_ledger_are_those_its_events_tell_of(
    databases: ShardsUnderTest,
) -> None:
    shards = Shards(databases.urls(APPLICATION), "test")
    trader = Trader(shards, 5, LAKH)
    gone = stopped(trader, Side.BUY, 1, 101)
    stopped(trader, Side.BUY, 2, 102.5)
    stopped(trader, Side.BUY, 3, 103, limit=104)
    gtt(trader, Side.BUY, 4, 95, 96)
    release(trader, gone, 101)
    trader.own(5)
    fired, standing_by = pair(trader, Side.SELL, 5, stop=95, target=105)
    release(trader, fired, 95)
    trader.buy(1)
    watched = {}
    for seq, kind, at, body in trader.database().run(_EVENTS, u=5):
        record = Delivered("1-0", "5", encode_stored_event(5, seq, kind, micros(at), body))
        change = change_of(record)
        if isinstance(change, Ended):
            watched.pop(change.order_id, None)
        elif change is not None:
            watched[change.order_id] = change
    edge = WaitingOrders(Shards(databases.urls(EDGE), "test"))
    read = {order.order_id: order for page in edge.all() for order in page}
    assert read == watched
    assert [order.rising for order in read.values()] == [True, True, False, False, True]
    assert read[standing_by].trigger is None
    edge.close()
    shards.close()
