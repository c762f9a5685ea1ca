"""What a look of the breaker's watch sees, with the index, the clock and the venue in hand."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from edge.ingest.announced import Announced, PhaseTold
from edge.ingest.book import Book
from edge.ingest.breaker import BreakerWatch
from edge.ingest.entries import CHANGE, PREVIOUS_CLOSE, TRADE
from functions.shared.clock import micros
from functions.shared.domain.market_halts import VenueWord
from functions.shared.domain.sessions import Phase, SecurityClass

AUCTION, OTHER = SecurityClass.CLOSING_AUCTION, SecurityClass.OTHER
MORNING = datetime(2026, 7, 10, 4, 30, tzinfo=UTC)
"""10:00 IST on a Friday that NSE trades."""


class Times:
    """NSE's business clock, `ahead` of the wall's by as much as a test has moved it."""

    hours: Literal["nse", "always-open"] = "nse"

    def __init__(self) -> None:
        self.wall = MORNING
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.business_at(self.wall)

    def business_at(self, wall: datetime) -> datetime:
        return wall + self.ahead


class Watched:
    """A watch that writes nothing: another process has the lease."""

    def __init__(self) -> None:
        self.times = Times()
        self.book = Book({"NIFTY 50": 1})
        self.announced = Announced({"RELIANCE": AUCTION})
        self.watch = BreakerWatch(
            self.book, self.announced, cast(Any, None), cast(Any, None), self.times,
            lambda: None, lambda: self.times.wall,
        )  # fmt: skip

    def index(self, level: bytes) -> None:
        figures = ((PREVIOUS_CLOSE, b"24000.00"), (TRADE, level))
        self.book.apply(
            [(CHANGE, kind, b"NIFTY 50", price, b"", b"", b"") for kind, price in figures],
            micros(self.times.wall) // 1000,
        )

    def percent(self) -> int:
        return self.watch.see().percent

    def phase(self, phase: Phase, security: SecurityClass | None = None) -> None:
        self.announced.phase(PhaseTold(phase, security, self.times.now(), ""))

    def word(self) -> VenueWord | None:
        return self.watch.see().venue


def test_the_index_counts_while_shares_trade_and_by_its_level_now() -> None:
    watched = Watched()
    assert watched.percent() == 0
    watched.index(b"21600.05")
    assert watched.percent() == 0
    watched.index(b"21600.00")
    assert watched.percent() == 10
    watched.index(b"28800.00")
    assert watched.percent() == 20
    watched.times.wall += timedelta(hours=6)  # 16:00 IST
    watched.index(b"21600.00")
    assert watched.percent() == 0


def test_a_level_of_the_day_before_is_none_of_a_day_that_a_moved_clock_began() -> None:
    watched = Watched()
    watched.index(b"21600.00")
    assert watched.percent() == 10
    watched.times.ahead = timedelta(days=3)
    assert watched.percent() == 0
    watched.index(b"21600.00")  # told as the venue's clock was not yet read anew
    assert watched.percent() == 0
    watched.times.wall += timedelta(seconds=2)
    watched.index(b"21600.00")
    assert watched.percent() == 10


def test_the_venue_speaks_of_the_market_when_it_has_spoken_of_every_class() -> None:
    watched = Watched()
    assert watched.word() is None
    watched.phase(Phase.HALTED, AUCTION)
    assert watched.word() is None
    watched.phase(Phase.OPEN, OTHER)
    assert watched.word() == (Phase.OPEN, MORNING)
    watched.times.wall += timedelta(minutes=1)
    watched.phase(Phase.HALTED)
    assert watched.word() == (Phase.HALTED, watched.times.wall)
    watched.phase(Phase.REOPENING, OTHER)
    assert watched.word() == (Phase.HALTED, watched.times.wall)
    watched.phase(Phase.REOPENING, AUCTION)
    assert watched.word() == (Phase.REOPENING, watched.times.wall)
