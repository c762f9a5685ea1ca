"""One share as it stands on the floor: its book, band, phase, and the prices the day has made.

Invariant: `phase` is what applies now, a halt included. Market orders wait in `at_market` while the
phase collects, and nowhere else.
"""

from datetime import UTC, datetime
from typing import Any

from infra.exchange.bands import Band
from infra.exchange.book import Book
from infra.exchange.instruments import Instrument
from infra.exchange.phases import RULES, Phase, Rules
from infra.exchange.register import Order


class Board:
    """Prices in 1/10,000 rupee; 0 where there is none yet. `collecting`: orders came in that an
    auction has yet to match, so the book may cross. `matched`: the last auction found a price.
    """

    __slots__ = (
        "_value",
        "_volume",
        "at_market",
        "band",
        "base",
        "book",
        "close",
        "collecting",
        "instrument",
        "last",
        "matched",
        "phase",
        "reference",
    )

    def __init__(
        self, instrument: Instrument, base: int, *, refresh_keeps_place: bool = False
    ) -> None:
        self.instrument = instrument
        self.book = Book(refresh_keeps_place=refresh_keeps_place)
        self.at_market: dict[int, Order] = {}
        self.phase = Phase.CLOSED
        self.collecting = self.matched = False
        self._value = self._volume = 0
        self.new_day(base)

    @property
    def symbol(self) -> str:
        """Symbol(55)."""
        return self.instrument.symbol

    @property
    def rules(self) -> Rules:
        """What may be done now."""
        return RULES[self.phase]

    @property
    def auction_reference(self) -> int:
        """What an auction falls back to: the closing session's reference, or the previous close."""
        return self.reference or self.base

    @property
    def band_moved(self) -> bool:
        """Whether the band is no longer the one that the day began with."""
        first = Band(self.base, self.instrument.band_percent, self.instrument.tick)
        return (self.band.low, self.band.high) != (first.low, first.high)

    def new_day(self, base: int) -> None:
        """Begin a trade date that follows a close of `base`."""
        self.base = base
        self.last = self.reference = self.close = 0
        self.band = Band(base, self.instrument.band_percent, self.instrument.tick)
        self.mark()

    def mark(self) -> None:
        """Begin the window of the average price."""
        self._value = self._volume = 0

    def record(self, price: int, quantity: int) -> int:
        """Count a trade; return the direction in which the band is to flex, or 0."""
        self.last = price
        self._value += price * quantity
        self._volume += quantity
        return self.band.observe(price) if self.instrument.derivatives else 0

    def average(self) -> int:
        """Return the window's volume-weighted average price on the tick; else the day's last
        price, else the previous close.
        """
        if not self._volume:
            return self.last or self.base
        tick = self.instrument.tick
        return (2 * self._value + self._volume * tick) // (2 * self._volume * tick) * tick

    def figures(self) -> list[Any]:
        """Return phase and prices for the journal, in the order `restore` takes them."""
        band = self.band
        near = [band.near[way] for way in sorted(band.near)]
        return [
            *(self.phase.value, self.collecting),
            *(self.base, self.last, self.reference, self.close, self._value, self._volume),
            *(band.base, band.low, band.high, band.flexes, *near),
            *(band.direction, int(band.flex_at.timestamp()) if band.flex_at else 0),
        ]

    def restore(self, row: list[Any]) -> None:
        """Take the board up where the journal left it."""
        self.phase, self.collecting = Phase(row[0]), row[1]
        figures = row[2:]
        self.base, self.last, self.reference, self.close, self._value, self._volume = figures[:6]
        band = self.band
        band.base, band.low, band.high, band.flexes, *near = figures[6:-2]
        band.near = dict(zip(sorted(band.near), near, strict=True))
        band.direction, flex_at = figures[-2:]
        band.flex_at = datetime.fromtimestamp(flex_at, UTC) if flex_at else None
