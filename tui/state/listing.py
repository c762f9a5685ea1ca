"""What the broker has said is listed, and so what can be bought and sold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tui.client.models import Instrument


@dataclass(frozen=True, slots=True)
class Listing:
    """Instruments by symbol, as far as they were asked for."""

    known: Mapping[str, Instrument] = field(default_factory=lambda: MappingProxyType({}))

    def is_index(self, symbol: str) -> bool:
        """Whether `symbol` is known to have a price only."""
        return symbol in self.known and not self.known[symbol].is_tradable

    def unknown(self, symbols: Iterable[str]) -> list[str]:
        """Those of `symbols` still to be asked for."""
        return [symbol for symbol in symbols if symbol not in self.known]

    def first_tradable(self, symbols: Iterable[str]) -> str | None:
        """The first of `symbols` known to be one that can be bought and sold."""
        return next(
            (each for each in symbols if each in self.known and not self.is_index(each)), None
        )


def found(listing: Listing, instrument: Instrument) -> Listing:
    """Take the broker's answer about one symbol."""
    return Listing(MappingProxyType({**listing.known, instrument.symbol: instrument}))


def not_tradable(symbol: str) -> str:
    """Why an index gets no order, and what to do instead."""
    return f"{symbol} is an index: it can't be bought or sold. Type another symbol."
