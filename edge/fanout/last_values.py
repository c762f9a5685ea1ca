"""The last values of every symbol, and their prices laid out for valuing many books at once.

Invariant: of a symbol only what is newer is taken, and `paise` agrees with `quotes`. A symbol keeps
its place for as long as the process runs, so that a place may be kept by whoever values books.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Protocol, TypeVar

from functions.shared.domain.money import PRICE_UNITS_PER_PAISA
from functions.shared.wire.quotes import Quote

T = TypeVar("T")


class Pick(Protocol):
    """Takes what stands at some places out of a list, in one go."""

    def __call__(self, values: Sequence[T], /) -> tuple[T, ...]: ...


class LastValues:
    """Of one process."""

    def __init__(self) -> None:
        self.quotes: dict[str, Quote] = {}
        #: Counts the changes of previous closes, which are few.
        self.closes = 0
        #: By place: the last price, None where it is not known or has a part of a paisa.
        self.paise: list[int | None] = []
        self.symbols: list[str] = []
        self._places: dict[str, int] = {}

    def take(self, quote: Quote) -> bool:
        """Takes a quote; False when it has no price or is not newer than what is known."""
        symbol, ltp = quote.symbol, quote.ltp
        before = self.quotes.get(symbol)
        if before is None:
            if not ltp:
                return False
            self.closes += 1
        else:
            if not ltp or quote.seq <= before.seq:
                return False
            if quote.close != before.close:
                self.closes += 1
        self.quotes[symbol] = quote
        paise, rest = divmod(ltp, PRICE_UNITS_PER_PAISA)
        self.paise[self._place(symbol)] = None if rest else paise
        return True

    def places(self, symbols: Iterable[str]) -> tuple[int, ...]:
        """Where these symbols stand, or will once they have a price."""
        return tuple(map(self._place, symbols))

    def _place(self, symbol: str) -> int:
        place = self._places.get(symbol)
        if place is None:
            place = self._places[symbol] = len(self.symbols)
            self.symbols.append(symbol)
            self.paise.append(None)
        return place


def picker(places: tuple[int, ...]) -> Pick:
    """What takes the values at these places out of a list."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)
