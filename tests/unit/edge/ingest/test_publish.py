"""Batches while the bus lags, who may publish, and what is said of the feed; no Valkey anywhere."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.entries import Entry
from edge.ingest.feed import FeedPair
from edge.ingest.publish import SEQ_PER_SECOND, STALE_SECONDS, Publisher
from functions.shared.domain.errors import Fenced, Retryable
from functions.shared.stores.quote_writer import FEED, Holder, QuoteWriter, Taken
from functions.shared.wire.feed_state import PULSE_SECONDS, FeedState
from functions.shared.wire.quotes import Quote, decode_value, encode_value, partition_of_symbol
from tests.support.eventually import WAIT_SECONDS, until

WALL = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
SYMBOLS = [f"S{number}" for number in range(500)]
ALL = Taken(frozenset(), frozenset())


class Bus:
    """Takes batches when it is let; `answers` come first: an error, or what was not taken."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.answers: list[Exception | Taken] = []
        self.batches: list[list[Quote]] = []
        self.days: list[Mapping[str, Any]] = []
        self.states: list[FeedState] = []
        self.holders: list[Holder] = []
        self.without: list[frozenset[int]] = []

    async def write(
        self,
        batch: Mapping[int, Sequence[tuple[str, bytes]]],
        published_us: int,
        announced: object,
        news: object,
        *,
        days: Mapping[str, Any],
        day: object,
        feed: FeedState | None,
        holder: Holder,
        without: frozenset[int],
    ) -> Taken:
        await self.open.wait()
        answer = self.answers.pop(0) if self.answers else ALL
        if isinstance(answer, Exception):
            raise answer
        pairs = (pair for each in batch.values() for pair in each)
        self.batches.append([decode_value(encode_value(record)) for _, record in pairs])
        self.days.append(days)
        self.states += [feed] if feed is not None else []
        self.holders.append(holder)
        self.without.append(without)
        return answer


class Parts:
    """A publisher on a bus, a book and a feed of every symbol, on clocks that the test moves."""

    def __init__(self) -> None:
        self.now, self.wall = 100.0, WALL
        self.bus, self.book = Bus(), Book({})
        nowhere = [("127.0.0.1", 1)]
        announced = Announced({})
        self.feed = FeedPair("OUTCRY-M1", nowhere, SYMBOLS, self.book, announced, lambda: WALL)
        self.feed.fresh_at = self.now
        self.publisher = Publisher(
            self.book, announced, [self.feed], cast(QuoteWriter, self.bus), lambda: self.wall,
            batch_seconds=0.001, monotonic=lambda: self.now,
        )  # fmt: skip
        self.task = asyncio.create_task(self.publisher.run())

    def trade(self, symbol: str, rupees: int, at: datetime = WALL) -> None:
        entry: Entry = (b"0", b"2", symbol.encode(), b"%d" % rupees, b"1", b"", b"")
        self.book.apply([entry], int(at.timestamp() * 1000))

    async def sent(self, count: int) -> list[Quote]:
        await until(lambda: len(self.bus.batches) >= count)
        return self.bus.batches[count - 1]


async def test_a_bus_that_lags_under_300_000_updates_is_level_again_with_one_batch() -> None:
    parts = Parts()
    parts.publisher.begin(1)
    parts.trade("S0", 1)
    await asyncio.sleep(0)
    for update in range(300_000):
        parts.trade(SYMBOLS[update % len(SYMBOLS)], 1 + update // len(SYMBOLS))
        if update % 50_000 == 0:
            await asyncio.sleep(0)  # nothing gets out meanwhile
    parts.trade("S0", 9_999, WALL + timedelta(seconds=1))
    parts.wall += timedelta(seconds=1, milliseconds=30)
    parts.bus.open.set()
    await until(lambda: any(len(batch) == len(SYMBOLS) for batch in parts.bus.batches))
    assert len(parts.bus.batches) <= 2  # the one that was on its way, and all that came since
    level = {quote.symbol: quote.ltp for quote in parts.bus.batches[-1]}
    assert level == dict.fromkeys(SYMBOLS, 600 * 10_000) | {"S0": 9_999 * 10_000}
    assert parts.publisher.lag_ms == 30
    parts.task.cancel()


async def test_nothing_is_published_before_it_is_ours_and_the_numbers_begin_above_all() -> None:
    parts = Parts()
    parts.bus.open.set()
    parts.trade("S1", 10)
    assert not parts.publisher.publishing
    assert [state.symbol for state in parts.book.take_dirty()] == ["S1"]  # it had not been taken
    parts.publisher.begin(7)
    (quote,) = await parts.sent(1)
    assert quote.seq == int(WALL.timestamp()) * SEQ_PER_SECOND + 1
    assert parts.bus.holders[0].fence == 7
    assert {s: f.close for s, f in parts.bus.days[0].items()} == {"S1": 100_000}
    await parts.publisher.end()
    assert not parts.publisher.publishing
    parts.wall += timedelta(seconds=5)
    parts.publisher.begin(9)
    await until(lambda: parts.bus.holders[-1].fence == 9)
    assert [q.seq for q in parts.bus.batches[-1]] == [quote.seq + 5 * SEQ_PER_SECOND]
    parts.task.cancel()


async def test_what_the_last_holder_had_read_further_is_sent_again_and_in_the_end_insisted_on() -> (
    None
):
    parts = Parts()
    parts.bus.answers = [Taken(frozenset({partition_of_symbol("S1")}), frozenset())]
    parts.bus.open.set()
    parts.trade("S1", 10)
    parts.trade("S2", 10)
    parts.publisher.begin(7)
    assert {quote.symbol for quote in await parts.sent(1)} == {"S1", "S2"}
    assert {quote.symbol for quote in await parts.sent(2)} == {"S1"}
    assert not parts.bus.holders[1].insists
    parts.now += 10
    parts.trade("S2", 11)
    await until(lambda: parts.bus.holders[-1].insists)
    parts.task.cancel()


async def test_a_lost_bus_gets_everything_anew_and_a_later_holder_ends_it() -> None:
    parts = Parts()
    parts.bus.open.set()
    parts.trade("S1", 10)
    parts.publisher.begin(7)
    await parts.sent(1)
    parts.bus.answers = [Retryable("away")]
    parts.trade("S2", 10)
    assert {quote.symbol for quote in await parts.sent(2)} == {"S1", "S2"}
    assert (parts.publisher.failures, parts.publisher.away) == (1, False)
    parts.bus.answers = [Fenced("another")]
    parts.trade("S2", 11)
    with pytest.raises(Fenced):
        await parts.task


async def test_a_lost_node_gets_everything_anew_while_the_others_go_on() -> None:
    parts = Parts()
    gone = frozenset({FEED, partition_of_symbol("S1")})
    parts.bus.open.set()
    for symbol in ("S1", "S2"):
        parts.trade(symbol, 10)
    parts.bus.answers = [Taken(frozenset(), gone)]
    parts.publisher.begin(7)
    await parts.sent(1)
    assert parts.publisher.away
    parts.trade("S1", 11)
    parts.trade("S2", 11)
    await until(lambda: any(parts.bus.batches[1:]))
    assert [quote.symbol for quote in parts.bus.batches[-1]] == ["S2"]
    assert set(parts.bus.without[1:]) == {gone}
    parts.now += 10  # past the longest wait
    await until(lambda: parts.bus.without[-1] == frozenset())
    (again,) = parts.bus.batches[-1]
    assert (again.symbol, again.ltp) == ("S1", 110_000)
    await until(lambda: not parts.publisher.away)
    assert parts.publisher.failures == 1
    parts.task.cancel()


async def test_the_feeds_state_is_told_at_once_when_it_changes_and_else_as_a_pulse() -> None:
    parts = Parts()
    parts.bus.open.set()
    parts.publisher.begin(7)
    await until(lambda: len(parts.bus.states) == 1)
    assert parts.publisher.is_fit()
    parts.now += PULSE_SECONDS
    await until(lambda: len(parts.bus.states) == 2)
    parts.now += STALE_SECONDS
    await until(lambda: len(parts.bus.states) == 3)
    parts.feed.fresh_at = parts.now
    await until(lambda: len(parts.bus.states) == 4)
    said = [parts.bus.states[n].stale for n in (0, 1, 2, 3)]
    assert said == [frozenset(), frozenset(), frozenset(range(16)), frozenset()]
    parts.feed.fresh_at = float("-inf")
    assert not parts.publisher.is_fit()
    parts.task.cancel()


async def test_a_cancel_that_the_driver_swallows_ends_the_publishing_all_the_same() -> None:
    parts = Parts()
    taken = asyncio.Event()

    async def write(*_: object, **__: object) -> Taken:
        taken.set()
        with contextlib.suppress(asyncio.CancelledError):  # the answer came together with it
            await asyncio.Event().wait()
        return ALL

    parts.bus.write = write  # type: ignore[method-assign]
    parts.publisher.begin(1)
    parts.trade("S1", 10)
    await taken.wait()
    parts.task.cancel()
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.wait([parts.task])
    assert parts.task.done()
