"""Batches out: what changed in the book, every 20 ms, in one Valkey pipeline.

Invariant: at most one batch is on its way. While Valkey is slow or away the book goes on taking
updates and the next batch carries only the newest values, so that a burst or an outage costs no
memory and is over in one batch.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from edge.ingest.announced import Announced
from edge.ingest.book import Book, SymbolState
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.clock import micros
from functions.shared.domain.errors import Retryable
from functions.shared.stores.quotes import QuoteWriter
from functions.shared.wire.announcements import MarketNews

BATCH_SECONDS = 0.02


class Publisher:
    """Moves the book's changes to Valkey. The figures are for /metrics and /health."""

    def __init__(
        self,
        book: Book,
        announced: Announced,
        writer: QuoteWriter,
        wall: Callable[[], datetime],
    ) -> None:
        self._book, self._announced, self._writer, self._wall = book, announced, writer, wall
        self.batches = self.quotes = self.failures = 0
        self.lag_ms = 0
        self.away = False

    async def run(self) -> None:
        """Publishes every BATCH_SECONDS until cancelled; late batches are not caught up."""
        loop, backoff = asyncio.get_running_loop(), Backoff()
        due = loop.time()
        while True:
            due = max(due + BATCH_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())
            dirty, announced = self._book.take_dirty(), self._announced.take_dirty()
            news = self._announced.take_news()
            if not dirty and not announced and not news:
                continue
            try:
                await self._publish(dirty, announced, news)
                backoff.reset()
            except Retryable as error:
                self._book.mark_all()  # Valkey may come back empty
                self._announced.mark_all()
                self._failed(str(error))
                await asyncio.sleep(backoff.next_seconds())

    async def _publish(
        self, dirty: set[SymbolState], announced: Mapping[str, bytes], news: Sequence[MarketNews]
    ) -> None:
        by_partition: dict[int, list[tuple[str, bytes]]] = {}
        newest = 0
        for state in dirty:
            pairs = by_partition.setdefault(state.partition, [])
            pairs.append((state.symbol, state.record()))
            newest = max(newest, state.timestamp_ms)
        now_us = micros(self._wall())
        await self._writer.write(by_partition, now_us, announced, news)
        if self.away:
            logger(__name__).info("the quote cache is back")
        self.away = False
        self.batches += 1
        self.quotes += len(dirty)
        if dirty:
            self.lag_ms = now_us // 1000 - newest

    def _failed(self, detail: str) -> None:
        if not self.away:
            logger(__name__).warning("the quote cache is away", detail=detail)
        self.away = True
        self.failures += 1
