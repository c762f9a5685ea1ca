"""Complete candles on their way to the store, beside the quotes' path and never in it.

Invariant: a candle stays here until the store took it, the newest copy of each symbol's minute;
when more than `most` wait, those that waited longest go and are counted. A store that is slow or
away costs ingest that memory and nothing else: it is asked from a thread, one write at a time,
after growing pauses.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

from edge.ingest.book import Book
from edge.ingest.limits import DEFAULTS, Limits
from edge.ingest.minutes import Minutes
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.clock import micros
from functions.shared.domain.errors import Retryable
from functions.shared.stores.candles import Candle

_LOOK_SECONDS: Final = 1.0


class CandleSink(Protocol):
    """Where candles are kept."""

    def write(self, candles: Sequence[Candle]) -> None:
        """Raises Retryable when they were not taken, or nobody knows."""


class CandleKeeper:
    """Takes what is complete once a second and writes it. The figures are for /metrics."""

    def __init__(
        self,
        book: Book,
        minutes: Minutes,
        store: CandleSink,
        wall: Callable[[], datetime],
        most: int,
        limits: Limits = DEFAULTS,
    ) -> None:
        self._book, self._minutes, self._store, self._wall = book, minutes, store, wall
        self._most, self._limits = most, limits
        self._waiting: OrderedDict[tuple[int, str], Candle] = OrderedDict()
        self._dropped = 0
        self.written = self.failures = 0
        self.away = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """Candles that nobody could keep."""
        return self._dropped + self._minutes.dropped

    async def run(self) -> None:
        """Keeps candles until cancelled; then writes what there is, once."""
        loop, limits = asyncio.get_running_loop(), self._limits
        backoff = Backoff(limits.candles_pause_seconds, limits.candles_pause_most_seconds)
        not_before = loop.time()
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                wall_ms = micros(self._wall()) // 1_000
                self._add(self._minutes.ended(self._book.states(), wall_ms))
                if not self._waiting or loop.time() < not_before:
                    continue
                if await self._write():
                    backoff.reset()
                else:
                    not_before = loop.time() + backoff.next_seconds()
        finally:
            self._add(self._minutes.all(self._book.states()))
            if self._waiting and not self.away:
                await self._write()

    async def _write(self) -> bool:
        """Writes those that wait longest; whether the store took them."""
        batch = list(islice(self._waiting.values(), self._limits.candles_write))
        try:
            await asyncio.to_thread(self._store.write, batch)
        except Retryable as error:
            if not self.away:
                logger(__name__).warning("the candles' store is away", detail=str(error))
            self.away = True
            self.failures += 1
            return False
        if self.away:
            logger(__name__).info("the candles' store is back", waiting=len(self._waiting))
        self.away = False
        self.written += len(batch)
        for candle in batch:
            key = (candle.minute, candle.symbol)
            if self._waiting.get(key) is candle:  # and not a later copy
                del self._waiting[key]
        return True

    def _add(self, candles: Sequence[Candle]) -> None:
        for candle in candles:
            self._waiting[candle.minute, candle.symbol] = candle
        while len(self._waiting) > self._most:
            self._waiting.popitem(last=False)
            self._dropped += 1
