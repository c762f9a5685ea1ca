"""Candles on their way to a store that is slow, away, or back; ingest goes on meanwhile."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from edge.ingest import candles as keeping
from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.candles import CandleKeeper
from edge.ingest.limits import Limits
from edge.ingest.metrics import IngestMetrics
from edge.ingest.minutes import Minutes
from edge.ingest.publish import Publisher
from functions.shared.clock import micros
from functions.shared.domain.errors import Retryable
from functions.shared.stores.candles import Candle
from functions.shared.stores.quote_writer import QuoteWriter
from tests.support.eventually import until

AT = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)


class Store:
    """Takes what it is given while it is there."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], Candle] = {}
        self.away = False
        self.asked = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def write(self, candles: Sequence[Candle]) -> None:
        self.asked += 1
        self.goes_on.wait(60)
        if self.away:
            raise Retryable("away")
        self.kept |= {(each.symbol, each.minute): each for each in candles}


class Desk:
    """A book with trades of one symbol a minute, and its keeper."""

    def __init__(self, most: int = 100) -> None:
        self.now, self.store = AT, Store()
        minutes = Minutes(lambda wall: wall, most)
        self.book = Book({}, 0, minutes)
        soon = Limits(candles_pause_seconds=0.001, candles_pause_most_seconds=0.002)
        self.keeper = CandleKeeper(self.book, minutes, self.store, lambda: self.now, most, soon)
        self.task = asyncio.create_task(self.keeper.run())

    def minutes(self, count: int) -> None:
        """So many pass, each with a trade."""
        for _ in range(count):
            trade = (b"1", b"2", b"TCS", b"100", b"1", b"", b"")
            self.book.apply([trade], micros(self.now) // 1_000)
            self.now += timedelta(minutes=1)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_LOOK_SECONDS", 0.001)


async def test_what_is_complete_is_written_and_what_is_not_when_ingest_stops() -> None:
    desk = Desk()
    desk.minutes(3)
    await until(lambda: len(desk.store.kept) >= 2)
    await desk.stop()
    assert len(desk.store.kept) == 3
    assert (desk.keeper.written, desk.keeper.waiting, desk.keeper.dropped) == (3, 0, 0)


async def test_a_store_that_is_away_is_asked_again_and_gets_what_waited() -> None:
    desk = Desk()
    desk.store.away = True
    desk.minutes(5)
    await until(lambda: desk.keeper.away and desk.keeper.failures > 2)
    assert desk.keeper.waiting >= 4
    desk.store.away = False
    await until(lambda: not desk.keeper.away)
    await desk.stop()
    assert len(desk.store.kept) == 5
    nowhere = cast(QuoteWriter, None)
    idle = Publisher(desk.book, Announced({}), [], nowhere, lambda: desk.now)
    metrics = IngestMetrics(desk.book, [], idle, [desk.keeper])
    told = {each.name: each.value for metric in metrics.collect() for each in metric.samples}
    assert told["outcry_ingest_candles_total"] == desk.keeper.written >= 5
    assert told["outcry_ingest_candle_failures_total"] == desk.keeper.failures
    assert (told["outcry_ingest_candles_dropped_total"], told["outcry_ingest_candles_waiting"]) == (
        0, 0,
    )  # fmt: skip
    assert told["outcry_ingest_candle_store_away"] == 0
    assert metrics.state() == (True, "")


async def test_of_more_than_may_wait_the_oldest_go_and_are_counted() -> None:
    desk = Desk(most=10)
    desk.store.away = True
    for n in range(1, 7):
        desk.minutes(5)
        await until(lambda n=n: desk.keeper.waiting + desk.keeper.dropped >= 5 * n - 1)
    await desk.stop()
    assert desk.keeper.waiting == 10
    assert desk.keeper.dropped == 20
    assert desk.store.kept == {}


async def test_a_copy_that_came_while_the_earlier_was_written_is_written_too() -> None:
    desk = Desk()
    desk.store.goes_on.clear()
    desk.minutes(1)
    desk.now += timedelta(minutes=1)
    await until(lambda: desk.store.asked == 1)
    late = (b"1", b"2", b"TCS", b"105", b"1", b"", b"")
    desk.book.apply([late], micros(AT) // 1_000 + 59_000)
    desk.store.goes_on.set()
    await until(lambda: [each.trades for each in desk.store.kept.values()] == [2])
    await desk.stop()
    assert [each.close for each in desk.store.kept.values()] == [1_050_000]
