"""The quote cache, its channels and the subscriber, on a real Valkey."""

import asyncio
import signal
from collections.abc import Iterator

import pytest
import redis
import uvloop

from functions.shared.domain.errors import Fenced, Retryable
from functions.shared.stores.quote_writer import Holder, QuoteWriter
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.subscriber import ValkeySubscriber
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


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that the process runs on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


def quote(symbol: str, seq: int = 1) -> Quote:
    return Quote(symbol, 7, seq, 1_000, 29_505_000, 10, 1, 2, 3, 4, 5, 6)


def batch_of(*quotes: Quote) -> dict[int, list[tuple[str, bytes]]]:
    batch: dict[int, list[tuple[str, bytes]]] = {}
    for each in quotes:
        pairs = batch.setdefault(partition_of_symbol(each.symbol), [])
        pairs.append((each.symbol, encode_record(each)))
    return batch


async def test_what_is_written_is_read_back_by_symbol(valkey: ValkeyUnderTest) -> None:
    writer, cache = QuoteWriter(valkey.url), QuoteCache.open(valkey.url)
    quotes = [quote("RELIANCE"), quote("M&M"), quote("NIFTY 50")]
    await writer.write(batch_of(*quotes), 5)
    assert cache.get(["M&M", "NIFTY 50", "RELIANCE", "NOSUCH"]) == {q.symbol: q for q in quotes}
    assert cache.get([]) == {}
    await writer.close()
    cache.close()


async def test_a_subscriber_gets_each_batch_once_and_in_order(valkey: ValkeyUnderTest) -> None:
    writer, got, ready = QuoteWriter(valkey.url), [], asyncio.Event()
    subscriber = ValkeySubscriber(
        valkey.url, lambda _, payload: got.append(decode_batch(payload)), ready.set
    )
    subscriber.subscribe(quotes_channel(p) for p in range(PARTITIONS))
    running = asyncio.create_task(subscriber.run())
    await asyncio.wait_for(ready.wait(), WAIT_SECONDS)
    for seq in range(1, 51):
        await writer.write(batch_of(quote("TCS", seq)), seq)
    await until(lambda: len(got) == 50)
    assert [b.quotes[0].seq for b in got] == list(range(1, 51))
    running.cancel()
    await writer.close()


async def test_a_subscriber_comes_back_after_valkey_was_lost(valkey: ValkeyUnderTest) -> None:
    restored: list[None] = []
    got: list[tuple[bytes, bytes]] = []
    subscriber = ValkeySubscriber(
        valkey.url, lambda *message: got.append(message), lambda: restored.append(None)
    )
    running = asyncio.create_task(subscriber.run())
    await until(lambda: len(restored) == 1)
    subscriber.subscribe(["user:7"])
    valkey.stop(signal.SIGKILL)
    await until(lambda: not subscriber.connected)
    valkey.start()
    await until(lambda: len(restored) == 2)
    writer = QuoteWriter(valkey.url)
    await writer._valkey.publish("user:7", b"x")
    await until(lambda: bool(got))
    assert got == [(b"user:7", b"x")]
    running.cancel()
    await writer.close()


async def test_a_valkey_that_is_away_is_retryable(valkey: ValkeyUnderTest) -> None:
    valkey.stop()
    with pytest.raises(Retryable):
        QuoteCache.open(valkey.url).get(["TCS"])
    writer = QuoteWriter(valkey.url)
    with pytest.raises(Retryable):
        await writer.write(batch_of(quote("TCS")), 1)
    await writer.close()


async def test_a_value_that_cannot_be_read_is_no_quote(valkey: ValkeyUnderTest) -> None:
    writer, cache = QuoteWriter(valkey.url), QuoteCache.open(valkey.url)
    await writer.write(batch_of(quote("INFY"), quote("TCS"), quote("SBIN")), 1)
    with redis.Redis.from_url(valkey.url) as client:
        client.set(quote_key("INFY"), b"nonsense")
        client.set(quote_key("TCS"), encode_value(encode_record(quote("SBIN"))))
    assert cache.get(["INFY", "TCS", "SBIN"]) == {"SBIN": quote("SBIN")}
    cache.close()
    await writer.close()


async def test_an_earlier_holder_writes_nothing_and_a_later_one_nothing_older(
    valkey: ValkeyUnderTest,
) -> None:
    writer, cache = QuoteWriter(valkey.url), QuoteCache.open(valkey.url)
    key = partition_of_symbol("TCS")

    async def write(seq: int, fence: int, seen: int, *, insists: bool = False) -> frozenset[int]:
        batch = {key: [("TCS", encode_record(quote("TCS", seq)))]}
        return await writer.write(batch, 1, holder=Holder(fence, {key: seen}, insists))

    def shown() -> int:
        return cache.get(["TCS"])["TCS"].seq

    assert await write(1_001, 5, 100) == frozenset()
    assert await write(1_002, 5, 90) == frozenset()  # its own clock may be set back
    assert await write(1_003, 6, 80) == frozenset({key})
    assert shown() == 1_002
    assert await write(1_004, 6, 90) == frozenset()
    with pytest.raises(Fenced):
        await write(1_005, 5, 200)
    assert shown() == 1_004
    assert await write(1_006, 7, 10, insists=True) == frozenset()
    assert shown() == 1_006
    with pytest.raises(Fenced):
        await writer.write({}, 1, {"TCS": b"{}"}, holder=Holder(6))
    await writer.close()
    cache.close()
