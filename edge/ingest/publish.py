"""Batches out: what changed in the book, every 20 ms, in one Valkey pipeline, while it is ours.

Invariant: at most one batch is on its way. While Valkey is slow or away the book goes on taking
updates and the next batch carries only the newest values, so that a burst or an outage costs no
memory and is over in one batch. A partition whose node is lost is left out of the batches, which go
on for the others, and gets everything anew when it is tried again. Nothing is published before
`begin` gave the fence that every batch bears, and a symbol's numbers under it exceed all that an
earlier holder gave out.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.feed import FeedPair
from edge.ingest.limits import DEFAULTS, Limits
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.clock import micros
from functions.shared.domain.errors import Retryable
from functions.shared.stores.quote_writer import Holder, QuoteWriter
from functions.shared.wire.day_figures import DayFigures
from functions.shared.wire.feed_state import PULSE_SECONDS, FeedState

BATCH_SECONDS = 0.02
#: A feed of which nothing was heard for so long is told to users as stale.
STALE_SECONDS = 1.5
#: Sequence numbers start at the wall clock's seconds times this: above all an earlier holder gave
#: out (a batch each 20 ms gives a symbol 50 a second), and exact in a JSON number until 2242.
SEQ_PER_SECOND = 1 << 20


class Publisher:
    """Moves the book's changes to Valkey. The figures are for /metrics and /health."""

    def __init__(
        self,
        book: Book,
        announced: Announced,
        feeds: Sequence[FeedPair],
        writer: QuoteWriter,
        wall: Callable[[], datetime],
        *,
        business: Callable[[], date] | None = None,
        batch_seconds: float = BATCH_SECONDS,
        stale_seconds: float = STALE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        limits: Limits = DEFAULTS,
    ) -> None:
        self._limits = limits
        self._book, self._announced, self._feeds = book, announced, feeds
        self._writer, self._wall, self._monotonic = writer, wall, monotonic
        self._trade_date = business or (lambda: wall().date())
        self._batch_seconds, self._stale_seconds = batch_seconds, stale_seconds
        self._fence: int | None = None
        self._begun = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._begun_at = self._pulsed_at = self._days_at = float("-inf")
        self._told: frozenset[int] | None = None
        self._lost: frozenset[int] = frozenset()
        self._lost_backoff, self._again_at = Backoff(), float("-inf")
        self.batches = self.quotes = self.failures = self.waits = 0
        self.lag_ms = 0
        self.away = False

    @property
    def publishing(self) -> bool:
        """Whether this process is the one that publishes."""
        return self._fence is not None

    @property
    def fence(self) -> int | None:
        """Of the lease that this process publishes by; None while another does."""
        return self._fence

    def begin(self, fence: int) -> None:
        """It is ours to publish, from a number above all earlier ones."""
        self._book.number_from(int(self._wall().timestamp()) * SEQ_PER_SECOND)
        self._announced.mark_all()
        self._begun_at, self._told = self._monotonic(), None
        self._days_at = float("-inf")
        self._fence = fence
        self._begun.set()

    async def end(self) -> None:
        """It is not ours any more; returns when nothing of it is on its way."""
        self._fence = None
        self._begun.clear()
        await self._idle.wait()

    def stale_feeds(self) -> list[FeedPair]:
        """Those of which nothing was heard for too long. Safe from any thread."""
        oldest = self._monotonic() - self._stale_seconds
        return [feed for feed in self._feeds if feed.fresh_at < oldest]

    def is_fit(self) -> bool:
        """Whether there is anything to publish: when not, another process may have it."""
        return len(self.stale_feeds()) < len(self._feeds)

    async def run(self) -> None:
        """Publishes every BATCH_SECONDS until cancelled; late batches are not caught up. Raises
        Fenced when another process has published since."""
        loop, backoff = asyncio.get_running_loop(), Backoff()
        task, due = asyncio.current_task(), loop.time()
        # The driver swallows a cancel that arrives together with the answer it waits for.
        while task is None or not task.cancelling():
            await self._begun.wait()
            due = max(due + self._batch_seconds, loop.time())
            await asyncio.sleep(due - loop.time())
            if self._fence is None:
                continue
            self._idle.clear()
            try:
                await self._publish(self._fence)
                backoff.reset()
            except Retryable as error:
                self._book.mark_all()  # Valkey may come back empty
                self._announced.mark_all()
                self._failed(str(error))
                await asyncio.sleep(backoff.next_seconds())
            finally:
                self._idle.set()

    async def _publish(self, fence: int) -> None:
        without = self._still_lost()
        dirty, announced = self._book.take_dirty(), self._announced.take_dirty()
        news, feed = self._announced.take_news(), self._pulse(fence)
        if not dirty and not announced and not news and feed is None:
            return
        by_partition: dict[int, list[tuple[str, bytes]]] = {}
        newest = 0
        for state in dirty:
            if state.partition in without:
                continue
            pairs = by_partition.setdefault(state.partition, [])
            pairs.append((state.symbol, state.record()))
            newest = max(newest, state.timestamp_ms)
        now_us = micros(self._wall())
        behind, lost = await self._writer.write(
            by_partition, now_us, announced, news,
            days=self._take_days(), day=self._trade_date(), feed=feed, holder=self._holder(fence),
            without=without,
        )  # fmt: skip
        if behind:
            self.waits += 1
            self._book.mark(state for state in dirty if state.partition in behind)
            self._announced.mark_all()
        self._note_lost(without, lost)
        self._written(sum(map(len, by_partition.values())), newest, now_us)

    def _still_lost(self) -> frozenset[int]:
        """The partitions to leave out of this batch: none when it is time to try them again, with
        everything, for their node may come back empty and hears of no change meanwhile."""
        if not self._lost or self._monotonic() < self._again_at:
            return self._lost
        self._book.mark(state for state in self._book.states() if state.partition in self._lost)
        self._announced.mark_all()
        self._told = None
        return frozenset()

    def _note_lost(self, without: frozenset[int], lost: frozenset[int]) -> None:
        self._lost = without | lost
        if lost:
            self._again_at = self._monotonic() + self._lost_backoff.next_seconds()
            self._failed(f"partitions {sorted(lost)}")
        elif not without:
            self._lost_backoff.reset()

    def _take_days(self) -> dict[str, DayFigures]:
        """Each `days_seconds`, the day's figures of what moved. A trade date begins long after the
        last trade of the one before, so none of it is written under the next one's."""
        if self._monotonic() - self._days_at < self._limits.days_seconds:
            return {}
        self._days_at = self._monotonic()
        taken = ((state.symbol, state.take_day_figures()) for state in self._book.states())
        return {symbol: figures for symbol, figures in taken if figures is not None}

    def _holder(self, fence: int) -> Holder:
        seen = {number: feed.seen_ms for feed in self._feeds for number in feed.partitions}
        # A venue whose clock was set back would keep its prices from everybody until then.
        insists = self._monotonic() - self._begun_at > self._limits.patience_seconds
        return Holder(fence, seen, insists)

    def _pulse(self, fence: int) -> FeedState | None:
        """What is to be told of the feed now: each PULSE_SECONDS, and when it changed."""
        now = self._monotonic()
        stale: frozenset[int] = frozenset().union(*(f.partitions for f in self.stale_feeds()))
        if stale == self._told and now - self._pulsed_at < PULSE_SECONDS:
            return None
        if stale and stale != self._told:
            logger(__name__).warning("prices stand still", partitions=sorted(stale))
        elif self._told and not stale:
            logger(__name__).info("prices are those of the market again")
        self._told, self._pulsed_at = stale, now
        return FeedState(fence=fence, stale=stale, at=micros(self._wall()))

    def _written(self, quotes: int, newest: int, now_us: int) -> None:
        if self.away and not self._lost:
            logger(__name__).info("the quote cache is back")
        self.away = bool(self._lost)
        self.batches += 1
        self.quotes += quotes
        if newest:
            self.lag_ms = now_us // 1000 - newest

    def _failed(self, detail: str) -> None:
        if not self.away:
            logger(__name__).warning("the quote cache is away", detail=detail)
        self.away = True
        self._told = None
        self.failures += 1
