"""The quote cache, its channels and the subscriber: one suite, on a server and on a cluster."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
import uvloop

from functions.shared.access.guesses import Guesses, LoginPatience
from functions.shared.access.throttle import Limit, Throttle
from functions.shared.domain.errors import Fenced, Refused, Retryable
from functions.shared.domain.sessions import Phase
from functions.shared.stores.channels import OUTBOX_HINT, Channels
from functions.shared.stores.put_off import note_put_off, was_put_off
from functions.shared.stores.quote_writer import Holder, QuoteWriter, Taken
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.valkey import node_serving, open_valkey
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.announcements import NEWS_CHANNEL, MarketNews, decode_news
from functions.shared.wire.day_figures import DayFigures, day_figures_key
from functions.shared.wire.events import user_channel
from functions.shared.wire.feed_state import FEED_CHANNEL, FeedState, decode_feed_state
from functions.shared.wire.quotes import (
    PARTITIONS,
    Quote,
    decode_batch,
    encode_record,
    encode_value,
    partition_of_symbol,
    quote_key,
    quotes_channel,
)
from tests.support.eventually import WAIT_SECONDS, until
from tests.support.valkey import ValkeyUnderTest, valkey_server
from tests.support.valkey_cluster import ClusterUnderTest, valkey_cluster

ALL = Taken(frozenset(), frozenset())


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that the process runs on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterUnderTest]:
    with valkey_cluster() as started:
        yield started


@pytest.fixture
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["server", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty Valkey of either kind."""
    if request.param == "server":
        served: ValkeyUnderTest = request.getfixturevalue("valkey")
        return served.url
    shared: ClusterUnderTest = request.getfixturevalue("cluster")
    for node in shared.nodes:
        node.client.flushall()
    return shared.url


def quote(symbol: str, seq: int = 1) -> Quote:
    return Quote(symbol, 7, seq, 1_000, 29_505_000, 10, 1, 2, 3, 4, 5, 6)


def batch_of(*quotes: Quote) -> dict[int, list[tuple[str, bytes]]]:
    batch: dict[int, list[tuple[str, bytes]]] = {}
    for each in quotes:
        pairs = batch.setdefault(partition_of_symbol(each.symbol), [])
        pairs.append((each.symbol, encode_record(each)))
    return batch


async def test_what_is_written_is_read_back_by_symbol(url: str) -> None:
    writer, cache = QuoteWriter(url), QuoteCache.open(url)
    quotes = [quote("RELIANCE"), quote("M&M"), quote("NIFTY 50")]
    day, figures = date(2026, 7, 10), DayFigures(open=1, high=3, low=1, close=2, volume=9)
    feed = FeedState(fence=1, at=5)
    await writer.write(batch_of(*quotes), 5, days={"M&M": figures}, day=day, feed=feed)
    assert cache.get(["M&M", "NIFTY 50", "RELIANCE", "NOSUCH"]) == {q.symbol: q for q in quotes}
    assert cache.facts(["M&M", "NOSUCH"]) == [(quotes[1], None), (None, None)]
    assert cache.order_facts("RELIANCE") == (quotes[0], None, None, None, feed)
    assert (cache.day("M&M", day), cache.feed()) == (figures, feed)
    valkey, kept, last = open_valkey(url), day_figures_key("M&M", day), quote_key("M&M")
    week = 7 * 24 * 60 * 60
    assert week - 60 * 60 < node_serving(valkey, kept).ttl(kept) <= week
    assert node_serving(valkey, last).ttl(last) == -1  # for as long as Valkey lasts
    valkey.close()
    assert cache.get([]) == {}
    await writer.close()
    cache.close()


async def test_a_subscriber_gets_each_batch_once_and_in_order(url: str) -> None:
    writer, ready = QuoteWriter(url), asyncio.Event()
    got: dict[bytes, list[bytes]] = {}
    subscriber = ValkeySubscriber(
        url, lambda channel, payload: got.setdefault(channel, []).append(payload),
        lambda _: ready.set(),
    )  # fmt: skip
    subscriber.subscribe(quotes_channel(p) for p in range(PARTITIONS))
    subscriber.subscribe([FEED_CHANNEL, NEWS_CHANNEL])
    running = asyncio.create_task(subscriber.run())
    await asyncio.wait_for(ready.wait(), WAIT_SECONDS)
    news, told = MarketNews(phase=Phase.OPEN, at=1), FeedState(fence=1, at=5)
    symbols = [f"S{number}" for number in range(60)]
    for seq in range(1, 51):
        batch = batch_of(*(quote(symbol, seq) for symbol in symbols))
        assert await writer.write(batch, seq) == ALL
    await writer.write({}, 51, None, [news], feed=told)
    await until(lambda: sum(map(len, got.values())) == 50 * PARTITIONS + 2)
    for number in range(PARTITIONS):
        batches = map(decode_batch, got[quotes_channel(number).encode()])
        assert [batch.quotes[0].seq for batch in batches] == list(range(1, 51))
    assert decode_feed_state(got[FEED_CHANNEL.encode()][0]) == told
    assert decode_news(got[NEWS_CHANNEL.encode()][0]) == [news]
    running.cancel()
    await writer.close()


async def test_what_is_wanted_later_is_heard_and_what_is_not_wanted_is_not(url: str) -> None:
    got: list[bytes] = []
    restored: list[frozenset[str]] = []
    subscriber = ValkeySubscriber(url, lambda _, payload: got.append(payload), restored.append)
    running = asyncio.create_task(subscriber.run())
    await until(lambda: subscriber.connected)
    users = [user_channel(number) for number in range(1, 2_000)]
    subscriber.subscribe(users)
    publisher = open_valkey(url)

    def publish() -> int:
        """Tells every user; how many were told."""
        got.clear()
        with publisher.pipeline(transaction=False) as pipeline:
            for channel in users:
                pipeline.spublish(channel, channel)
            return int(sum(pipeline.execute()))

    await until(lambda: publish() == len(users))  # what was just asked for is not heard at once
    await until(lambda: len(got) == len(users))
    assert set(got) == {channel.encode() for channel in users}
    subscriber.unsubscribe(users)
    await until(lambda: publisher.spublish(users[0], b"x") == 0)
    assert subscriber.connected
    running.cancel()
    publisher.close()


def test_limits_notes_and_hints_are_kept_beside_the_quotes(url: str) -> None:
    valkey, throttle, guesses = (
        open_valkey(url),
        Throttle(open_valkey(url)),
        Guesses(open_valkey(url)),
    )
    limit, patience = Limit("few", 2, 600_000), LoginPatience(2, 100)
    for number in range(30):
        throttle.take(limit, "10.0.0.1", str(number))
        guesses.take(patience.of_stranger(str(number), "10.0.0.1"))
    throttle.take(limit, "10.0.0.1", "0")
    with pytest.raises(Refused):
        throttle.take(limit, "10.0.0.1", "0")
    first = patience.of_stranger("0", "10.0.0.1")
    guesses.right(first)
    guesses.take(first)
    guesses.take(first)
    note_put_off(valkey, 7, 1)
    assert (was_put_off(valkey, 7, 1), was_put_off(valkey, 7, 2)) == (True, False)
    stop, channels = threading.Event(), Channels(url)
    with ThreadPoolExecutor(1) as listening:
        hint = listening.submit(lambda: next(channels.listen(OUTBOX_HINT, stop)))
        while not hint.done():
            assert wake_relay(valkey, 1)
        assert hint.result() == b"1"
    channels.publish([(user_channel(number), b"x") for number in range(20)])
    channels.close()
    valkey.close()


async def test_a_subscriber_comes_back_after_valkey_was_lost(valkey: ValkeyUnderTest) -> None:
    restored: list[frozenset[str]] = []
    got: list[tuple[bytes, bytes]] = []
    subscriber = ValkeySubscriber(valkey.url, lambda *message: got.append(message), restored.append)
    running = asyncio.create_task(subscriber.run())
    await until(lambda: len(restored) == 1)
    subscriber.subscribe(["user:7"])
    valkey.stop(signal.SIGKILL)
    await until(lambda: not subscriber.connected)
    valkey.start()
    await until(lambda: len(restored) == 2)
    assert restored == [frozenset(), {"user:7"}]
    with open_valkey(valkey.url) as publisher:
        assert publisher.spublish("user:7", b"x") == 1
    await until(lambda: bool(got))
    assert got == [(b"user:7", b"x")]
    running.cancel()


async def test_a_valkey_that_is_away_is_retryable(valkey: ValkeyUnderTest) -> None:
    valkey.stop()
    with pytest.raises(Retryable):
        QuoteCache.open(valkey.url).get(["TCS"])
    writer = QuoteWriter(valkey.url)
    with pytest.raises(Retryable):
        await writer.write(batch_of(quote("TCS")), 1)
    await writer.close()


async def test_a_value_that_cannot_be_read_is_no_quote(url: str) -> None:
    writer, cache = QuoteWriter(url), QuoteCache.open(url)
    await writer.write(batch_of(quote("INFY"), quote("TCS"), quote("SBIN")), 1)
    with open_valkey(url) as client:
        client.set(quote_key("INFY"), b"nonsense")
        client.set(quote_key("TCS"), encode_value(encode_record(quote("SBIN"))))
    assert cache.get(["INFY", "TCS", "SBIN"]) == {"SBIN": quote("SBIN")}
    cache.close()
    await writer.close()


async def test_an_earlier_holder_writes_nothing_and_a_later_one_nothing_older(
    url: str,
) -> None:
    writer, cache = QuoteWriter(url), QuoteCache.open(url)
    key = partition_of_symbol("TCS")

    async def write(seq: int, fence: int, seen: int, *, insists: bool = False) -> Taken:
        batch = {key: [("TCS", encode_record(quote("TCS", seq)))]}
        return await writer.write(batch, 1, holder=Holder(fence, {key: seen}, insists))

    def shown() -> int:
        return cache.get(["TCS"])["TCS"].seq

    assert await write(1_001, 5, 100) == ALL
    assert await write(1_002, 5, 90) == ALL  # its own clock may be set back
    assert await write(1_003, 6, 80) == (frozenset({key}), frozenset())
    assert shown() == 1_002
    assert await write(1_004, 6, 90) == ALL
    with pytest.raises(Fenced):
        await write(1_005, 5, 200)
    assert shown() == 1_004
    assert await write(1_006, 7, 10, insists=True) == ALL
    assert shown() == 1_006
    with pytest.raises(Fenced):
        await writer.write({}, 1, {"TCS": b"{}"}, holder=Holder(6))
    await writer.close()
    cache.close()
