"""Last prices by symbol, and which way each moved last.

Invariant: the last quote received wins. The socket keeps order and a new connection starts with
snapshots, so no older value can follow a newer one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from tui.client.models import Quote

FLASH_S = 0.45
"""How long a moved price stays lit before it settles."""
AGE_SAID_S = 10
"""From this age on, a price that is not the market's now is shown with its age."""
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Price:
    """A symbol's last quote; `direction` is +1, −1 or 0, `moved_at` when it last moved and
    `heard_at` when the quote came."""

    quote: Quote
    direction: int = 0
    moved_at: float = 0.0
    heard_at: float = 0.0

    def is_lit(self, now: float) -> bool:
        """Whether the move is fresh enough to show. `now` is on the clock of `moved_at`."""
        return self.direction != 0 and now - self.moved_at < FLASH_S

    def age(self, now: float) -> str:
        """How long ago it was heard, in its largest unit; empty while that is nothing to say."""
        seconds = int(now - self.heard_at)
        if seconds < AGE_SAID_S:
            return ""
        minutes = seconds // MINUTE_S
        if minutes < MINUTE_S:
            return f"{minutes}m" if minutes else f"{seconds}s"
        return f"{minutes // MINUTE_S}h"


@dataclass(frozen=True, slots=True)
class Board:
    """Every price the terminal has heard of. Those of the symbols in `stale` are not the market's
    now, as the broker says; those in `unheard` are of before their symbol was last subscribed."""

    prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    stale: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()
    unheard: frozenset[str] = frozenset()

    def ltp(self, symbol: str) -> Decimal | None:
        """The last traded price of `symbol`, if one is known."""
        price = self.prices.get(symbol)
        return None if price is None else price.quote.ltp

    def change(self, symbol: str) -> Decimal | None:
        """What `symbol` moved since the previous close, if known."""
        price = self.prices.get(symbol)
        return None if price is None else price.quote.change

    def base(self, symbol: str) -> Decimal | None:
        """The price that the day's gain of `symbol` counts from: the previous close, or without one
        the last price. None when no price is known."""
        price = self.prices.get(symbol)
        return None if price is None else price.quote.close or price.quote.ltp

    def is_live(self, symbols: Iterable[str]) -> bool:
        """Whether the prices of all of `symbols` are the market's now."""
        named = frozenset(symbols)
        return self.stale.isdisjoint(named) and self.unheard.isdisjoint(named)

    def has_lit(self, now: float) -> bool:
        """Whether anything on the board still has to settle."""
        return any(price.is_lit(now) for price in self.prices.values())


def apply_quotes(board: Board, quotes: Iterable[Quote], now: float) -> Board:
    """Take a batch of quotes received at `now` (monotonic seconds)."""
    prices, heard = dict(board.prices), set[str]()
    for quote in quotes:
        known = prices.get(quote.symbol)
        if known is None or quote.ltp == known.quote.ltp:
            direction, moved_at = (known.direction, known.moved_at) if known else (0, 0.0)
        else:
            direction, moved_at = (1 if quote.ltp > known.quote.ltp else -1), now
        prices[quote.symbol] = Price(quote, direction, moved_at, now)
        heard.add(quote.symbol)
    return replace(board, prices=MappingProxyType(prices), unheard=board.unheard - heard)


def watching(board: Board, symbols: Iterable[str]) -> Board:
    """Subscribe `symbols` in place of those before: a price from before waits for its snapshot."""
    watched = frozenset(symbols)
    fresh = (watched - board.watched) & board.prices.keys()
    return replace(board, watched=watched, unheard=(board.unheard | fresh) & watched)


def disconnected(board: Board) -> Board:
    """Nothing is heard any more: each price waits for the snapshot of the next connection."""
    return replace(board, unheard=board.watched & board.prices.keys())
