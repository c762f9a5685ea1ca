"""What a search shows: hits, or while nothing is typed the day's movers, at the prices of a board.

Invariant: a row's price is the live one where it is known, else what came with the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from tui.client.models import Quote
from tui.client.prices import SearchHit
from tui.state.quotes import Board


class Purpose(Enum):
    """What a symbol was picked for."""

    OPEN = "OPEN"
    BUY = "BUY"
    SELL = "SELL"


class Pick(NamedTuple):
    symbol: str
    purpose: Purpose


class Movers(Enum):
    """The lists of the day's movers, as the API names them."""

    GAINERS = "Gainers"
    LOSERS = "Losers"
    VOLUME = "Volume"

    def beside(self, step: int) -> "Movers":
        """The next list, around the end."""
        every = list(Movers)
        return every[(every.index(self) + step) % len(every)]


@dataclass(frozen=True, slots=True)
class Line:
    """One row: `price` and `percent` are None while nothing is known of them."""

    symbol: str
    name: str
    sector: str
    price: Decimal | None
    percent: Decimal | None
    is_stale: bool


def of_hits(hits: Sequence[SearchHit], board: Board) -> list[Line]:
    """In the order of the broker, the best first."""
    return [_line(hit.symbol, hit.name, hit.sector or "", hit.ltp, None, board) for hit in hits]


def of_movers(quotes: Sequence[Quote], board: Board) -> list[Line]:
    """In the order of the broker: what they do meanwhile doesn't move them under the cursor."""
    return [_line(quote.symbol, "", "", quote.ltp, quote.change_percent, board) for quote in quotes]


def _line(
    symbol: str, name: str, sector: str, price: Decimal | None, percent: Decimal | None,
    board: Board,
) -> Line:  # fmt: skip
    live = board.prices.get(symbol)
    if live is not None:
        price, percent = live.quote.ltp, live.quote.change_percent
    return Line(symbol, name, sector, price, percent, not board.is_live([symbol]))
