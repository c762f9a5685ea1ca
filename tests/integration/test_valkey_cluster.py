"""Quotes while a Valkey cluster changes under them: slots that move, primaries that die."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
import uvloop

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.publish import Publisher
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Retryable
from functions.shared.stores import quote_servers, quote_writer, subscriber_link
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.valkey import open_valkey
from functions.shared.wire.quotes import (
    PARTITIONS,
    Quote,
    decode_batch,
    partition_of_symbol,
    quotes_channel,
)
from tests.support.eventually import WAIT_SECONDS, until
from tests.support.valkey_cluster import ClusterUnderTest, valkey_cluster

SYMBOLS = [f"S{number}" for number in range(60)]
CHANNELS = frozenset(map(quotes_channel, range(PARTITIONS)))


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that the process runs on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def started() -> Iterator[ClusterUnderTest]:
    with valkey_cluster(spare=1) as cluster:
        yield cluster


@pytest.fixture
def cluster(started: ClusterUnderTest) -> ClusterUnderTest:
    """Empty: two markets within a second would number their quotes alike."""
    for node in started.nodes[:3]:
        node.client.flushall()
    return started


def channel_of(symbol: str) -> str:
    return quotes_channel(partition_of_symbol(symbol))


class Screen:
    """A subscriber that keeps last prices, and reads the cache again when it is told to."""

    def __init__(self, url: str) -> None:
        self.prices: dict[str, int] = {}
        self.restored: list[frozenset[str]] = []
        self._seqs: dict[str, int] = {}
        # A node that hangs is not waited for as patiently as a slow machine is elsewhere.
        self._cache = QuoteCache(open_valkey(url, answer_timeout_seconds=2.0))
        self.subscriber = ValkeySubscriber(url, self._deliver, self._restored)
        self.subscriber.subscribe(CHANNELS)

    def _deliver(self, _: bytes, payload: bytes) -> None:
        self._take(decode_batch(payload).quotes)

    def _take(self, quotes: Iterable[Quote]) -> None:
        for quote in quotes:
            if quote.seq > self._seqs.get(quote.symbol, 0):
                self._seqs[quote.symbol] = quote.seq
                self.prices[quote.symbol] = quote.ltp // 10_000

    def _restored(self, missed: frozenset[str]) -> None:
        self.restored.append(missed)
        self._read()

    def _read(self) -> None:
        try:
            quotes = self._cache.get(SYMBOLS)
        except Retryable:
            asyncio.get_running_loop().call_later(0.05, self._read)
            return
        self._take(quotes.values())


class Market:
    """A publisher whose symbols all trade at a new price whenever a test says so."""

    def __init__(self, url: str) -> None:
        self.price = 0
        self._book = Book({})
        self._writer = QuoteWriter(url)
        self.publisher = Publisher(
            self._book, Announced({}), [], self._writer, wall_now, batch_seconds=0.001
        )
        self.publisher.begin(1)

    def trade(self) -> dict[str, int]:
        """One more rupee for everything; what a screen must come to show."""
        self.price += 1
        for symbol in SYMBOLS:
            price = b"%d" % self.price
            self._book.apply([(b"0", b"2", symbol.encode(), price, b"1", b"", b"")], self.price)
        return dict.fromkeys(SYMBOLS, self.price)

    async def close(self) -> None:
        await self._writer.close()


@contextlib.asynccontextmanager
async def trading(url: str) -> AsyncIterator[tuple[Market, Screen]]:
    """Prices that are published and shown."""
    market, screen = Market(url), Screen(url)
    tasks = [
        asyncio.create_task(market.publisher.run()),
        asyncio.create_task(screen.subscriber.run()),
    ]
    try:
        await until(lambda: screen.subscriber.connected)
        shown = market.trade()
        await until(lambda: screen.prices == shown)
        yield market, screen
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await market.close()


async def test_slots_that_move_while_prices_are_published_lose_none_for_good(
    cluster: ClusterUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber_link, "DEAD_AFTER_SECONDS", WAIT_SECONDS)
    async with trading(cluster.url) as (market, screen):
        for number in range(3):
            key = quotes_channel(number)
            source = cluster.primary_of(key)
            to = next(node for node in cluster.nodes[:3] if node is not source)
            moving = asyncio.create_task(asyncio.to_thread(cluster.move_slot, key, to))
            while not moving.done():
                market.trade()
                await asyncio.sleep(0.005)
            await moving
            shown = market.trade()
            await until(lambda shown=shown: screen.prices == shown)  # type: ignore[misc]
            await until(lambda: screen.subscriber.connected)
        moved = {quotes_channel(number) for number in range(3)}
        assert set().union(*screen.restored[1:]) == moved  # no other was interrupted


async def test_a_primary_that_hangs_is_left_for_its_replica_and_found_again_as_a_primary(
    cluster: ClusterUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quote_servers, "STRAGGLER_SECONDS", 0.25)
    monkeypatch.setattr(quote_writer, "TIMEOUT_SECONDS", 2.0)
    monkeypatch.setattr(subscriber_link, "DEAD_AFTER_SECONDS", 2.0)
    async with trading(cluster.url) as (market, screen):
        hung = cluster.nodes[1]
        replica = await asyncio.to_thread(cluster.add_replica, hung)
        held = {s for s in SYMBOLS if cluster.primary_of(channel_of(s)) is hung}
        assert held
        hung.signal(signal.SIGSTOP)  # its connections stay open
        market.trade()
        await until(lambda: all(screen.prices[s] == market.price for s in SYMBOLS if s not in held))
        shown = market.trade()
        await until(lambda: screen.prices == shown)
        await until(lambda: screen.subscriber.connected)
        hung.signal(signal.SIGCONT)
        # It is the new primary's replica by now, with healthy connections; so the other, then.
        await until(lambda: hung.client.info("replication").get("master_link_status") == "up")
        hung.ask("CLUSTER", "FAILOVER")
        await until(lambda: hung.client.info("replication")["role"] == "master")
        shown = market.trade()
        await until(lambda: screen.prices == shown)
        await until(lambda: replica.ask("PUBSUB", "SHARDCHANNELS") == [])
        await until(lambda: screen.subscriber.connected)


async def test_without_a_replica_the_other_partitions_go_on_and_the_lost_come_back_whole(
    cluster: ClusterUnderTest,
) -> None:
    async with trading(cluster.url) as (market, screen):
        dead = cluster.nodes[2]
        lost = {symbol for symbol in SYMBOLS if cluster.primary_of(channel_of(symbol)) is dead}
        dead.kill()
        assert lost
        before, after = market.price, market.trade()
        expected = {s: before if s in lost else price for s, price in after.items()}
        await until(lambda: screen.prices == expected)
        await until(lambda: market.publisher.away)
        dead.start()  # empty
        await until(lambda: screen.prices == after)
        await until(lambda: screen.subscriber.connected and not market.publisher.away)
        cache = QuoteCache.open(cluster.url)
        assert {s: q.ltp // 10_000 for s, q in cache.get(SYMBOLS).items()} == after
        cache.close()
