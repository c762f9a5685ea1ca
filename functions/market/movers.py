"""The day's movers: who rose and fell most, and who traded most.

Invariant: only shares that traded today, with a previous close, are ranked; a tie goes by symbol,
so two questions about the same prices have the same answer.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from heapq import nsmallest
from typing import Final

from functions.shared.clock import from_micros, trade_date, wall_now
from functions.shared.domain.instruments import Instrument
from functions.shared.runtime.composition import Stores
from functions.shared.wire.quotes import Quote

MOVERS_MAX: Final = 50
#: All quotes are read at most as often: they are some hundred kilobytes.
_KEPT_SECONDS: Final = 1.0

Mover = tuple[Instrument, Quote]


class By(StrEnum):
    """What shares are ranked by."""

    GAINERS = "GAINERS"
    LOSERS = "LOSERS"
    VOLUME = "VOLUME"


def ranked(traded: Sequence[Mover], by: By, most: int) -> list[Mover]:
    """The first of them. Gainers are above their previous close, losers below it."""
    if by is By.VOLUME:
        return nsmallest(most, traded, key=lambda each: (-each[1].volume, each[1].symbol))
    sign = -1 if by is By.GAINERS else 1
    moved = [each for each in traded if each[1].change * sign < 0]
    return nsmallest(most, moved, key=lambda each: (sign * _percent(each[1]), each[1].symbol))


def traded_today(instruments: Mapping[str, Instrument], quotes: Mapping[str, Quote]) -> list[Mover]:
    """Shares, no indices, with a trade of today and a previous close. The exchange's time of a
    quote is compared with the wall clock, as its age is."""
    today = trade_date(wall_now())
    return [
        (instruments[symbol], quote)
        for symbol, quote in quotes.items()
        if instruments[symbol].kind == "EQUITY"
        and quote.ltp and quote.close and quote.volume
        and trade_date(from_micros(quote.timestamp_ms * 1000)) == today
    ]  # fmt: skip


class Movers:
    """What traded, as read a moment ago. One a process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._read_at = float("-inf")
        self._traded: list[Mover] = []

    def first(self, stores: Stores, by: By, most: int) -> list[Mover]:
        """The first `most`. Raises Retryable when the quote cache is away."""
        now = self._monotonic()
        if now - self._read_at >= _KEPT_SECONDS:
            instruments = stores.instruments.by_symbol()
            self._traded = traded_today(instruments, stores.quotes.get(instruments))
            self._read_at = now
        return ranked(self._traded, by, most)


def _percent(quote: Quote) -> float:
    """Only to be compared: the exact one is told with the quote."""
    return quote.change / quote.close
