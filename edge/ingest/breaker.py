"""The watch over a stop of the whole market: the index, the venue's word, an operator's.

    book, announced -> look (each LOOK_SECONDS) -> PostgreSQL -> every shard, Valkey, the stream

Invariant: only who writes the quotes makes statements, and its fence is in each; two watchers, or
one that is killed at any moment, say nothing twice and leave nothing unsaid, for each look thinks
anew from what stands in PostgreSQL. What can't be written now is thought of again at the next look.
"""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, NamedTuple

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.runtime.log import logger
from functions.shared.clock import Clock, from_micros, micros, wall_now
from functions.shared.domain.breaker import BreakerRules, breaker_rules
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Fenced, Retryable
from functions.shared.domain.market_halts import MarketHalt, VenueWord, next_halt, trade_day
from functions.shared.domain.sessions import Phase, SecurityClass
from functions.shared.stores.market_halts import (
    cache_halt,
    last_halt,
    say_halt_fenced,
    spread_halt,
)
from functions.shared.stores.postgres import Shards
from functions.shared.stores.valkey import Valkey
from functions.shared.wire.announcements import HaltNews, MarketNews

LOOK_SECONDS: Final = 0.5
#: How often a statement is thought of again that another came before; what then is left is the next
#: look's.
_THOUGHTS_MOST: Final = 3
#: After a trade date begins, levels that came earlier than so long after it may be of the one
#: before: a clock that was moved by hand is read by the venue a moment later than here.
_NEW_DAY_MS: Final = 1_000


class Seen(NamedTuple):
    """What one look sees. `percent`: the highest level that the index has reached, 0 for none."""

    now: datetime
    percent: int
    venue: VenueWord | None
    rules: BreakerRules


class BreakerWatch:
    """The watch of one process. `fence`: of the lease to write quotes, None while another has it.
    Raises nothing: whatever is away is asked again at the next look."""

    def __init__(
        self,
        book: Book,
        announced: Announced,
        shards: Shards,
        valkey: Valkey,
        clock: Clock,
        fence: Callable[[], int | None],
        wall: Callable[[], datetime] = wall_now,
    ) -> None:
        self._book, self._announced = book, announced
        self._shards, self._valkey = shards, valkey
        self._clock, self._fence, self._wall = clock, fence, wall
        self._day: date | None = None
        self._day_ms = 0
        self._spread: tuple[date, int, int] | None = None
        self._told: tuple[date, int, Phase | None] | None = None
        self._trouble = ""
        self.said = self.failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Once."""
        fence = self._fence()
        try:
            seen = self.see()
            if fence is None:
                self._told = None  # who takes over tells what stands
                return
            halt = await asyncio.to_thread(self._settle, seen, fence)
        except (Retryable, Fenced, LookupError) as error:
            self._failed(str(error))
            return
        self._trouble = ""
        if halt is not None:
            self._tell(halt, seen.now)

    def see(self) -> Seen:
        """What there is to be seen now. Raises LookupError on a day without rules."""
        now = self._clock.now()
        today = trade_day(now)
        rules = breaker_rules(today)
        if today != self._day:
            if self._day is not None:
                self._day_ms = micros(self._wall()) // 1000 + _NEW_DAY_MS
            self._day = today
        return Seen(now, self._percent(now, rules), self._announced.market_word(), rules)

    def _percent(self, now: datetime, rules: BreakerRules) -> int:
        """By the index's last level of this trade date, while any class trades continuously."""
        hours = self._clock.hours
        if all(market_status(now, hours, kind).phase is not Phase.OPEN for kind in SecurityClass):
            return 0
        index = self._book.find(rules.index)
        if index is None or index.timestamp_ms < self._day_ms:
            return 0
        at = self._clock.business_at(from_micros(index.timestamp_ms * 1000))
        return rules.reached(index.ltp, index.close) if trade_day(at) == self._day else 0

    def _settle(self, seen: Seen, fence: int) -> MarketHalt | None:
        """On a thread: says what is to be said, and has it known everywhere. What stands then of
        this trade date. Raises Retryable, Fenced."""
        control = self._shards.control
        standing = last_halt(control)
        for _ in range(_THOUGHTS_MOST):
            halt = next_halt(standing, seen.now, seen.percent, seen.venue, seen.rules)
            if halt is None:
                break
            if say_halt_fenced(control, halt, fence):
                self.said += 1
                logger(__name__).warning("market halt", source=halt.source, text=halt.text)
                standing = halt
            else:
                standing = last_halt(control)
        if standing is None or standing.trade_date != trade_day(seen.now):
            return None
        mark = (standing.trade_date, standing.seq, len(self._shards.databases))
        if mark != self._spread and not spread_halt(self._shards, standing):
            self._spread = mark
        cache_halt(self._valkey, standing)
        return standing

    def _tell(self, halt: MarketHalt, now: datetime) -> None:
        """Tells the stream when a statement is made, and when its time brings another phase."""
        phase = halt.phase_at(now)
        told = (halt.trade_date, halt.seq, phase)
        before, self._told = self._told, told
        if told == before or (before is None and phase is None):
            return
        if phase is None:
            phase_now = market_status(now, self._clock.hours).phase
            self._announced.tell(MarketNews(phase=phase_now, at=micros(now), text=halt.text))
            return
        self._announced.tell(
            MarketNews(phase=phase, at=micros(now), text=halt.text, halt=HaltNews.of(halt))
        )

    def _failed(self, detail: str) -> None:
        self.failures += 1
        if not self._trouble:
            logger(__name__).warning("halts of the market can't be kept now", detail=detail)
        self._trouble = detail
