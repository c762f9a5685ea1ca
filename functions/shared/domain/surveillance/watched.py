"""What is kept of a user between two happenings, and the happenings that rules look at.

Invariant: bounded. A day's counts begin anew with the next day; orders, stocks and steps that are
remembered are at most so many, the oldest forgotten first.
"""

from dataclasses import dataclass, field
from typing import Final

WORKING_MOST: Final = 500
SYMBOLS_MOST: Final = 500
KNOWN_MOST: Final = 300
STEPS_MOST: Final = 50


@dataclass(slots=True)
class SymbolDay:
    """A user's day in a stock. `out_*`: the leg that waits to be turned; `back_quantity`: what of
    it was turned; `spare`: without such a leg, what may still turn the last one, on `out_side`.
    Shares, paise; `messages`: orders, changes and cancels."""

    out_side: str = ""
    out_quantity: int = 0
    back_quantity: int = 0
    spare: int = 0
    round_trips: int = 0
    bought: int = 0
    bought_value: int = 0
    sold: int = 0
    sold_value: int = 0
    messages: int = 0
    trades: int = 0
    layers: int = 0
    is_new: bool = False


@dataclass(slots=True)
class Working:
    """An order that works; `opposite`: shares its account traded on the other side meanwhile."""

    symbol: str
    side: str
    quantity: int
    placed_at: int
    opposite: int = 0


@dataclass(slots=True)
class Step:
    """Something a takeover may be made of: a code, when, and its numbers as text."""

    code: str
    at: int
    day: str
    value: str = ""


@dataclass(slots=True)
class Watch:
    """One user. `known`: stocks traded on earlier days, the latest last."""

    day: str = ""
    symbols: dict[str, SymbolDay] = field(default_factory=dict)
    working: dict[int, Working] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def begin(self, day: str) -> None:
        """Moves on to that day; an earlier one is counted into the day that is."""
        if day <= self.day:
            return
        traded = [symbol for symbol, each in self.symbols.items() if each.trades]
        self.known = [*(s for s in self.known if s not in traded), *traded][-KNOWN_MOST:]
        self.day = day
        self.symbols = {}

    def of(self, symbol: str) -> SymbolDay | None:
        """The user's day in the stock; None when there are too many to watch another."""
        found = self.symbols.get(symbol)
        if found is None and len(self.symbols) < SYMBOLS_MOST:
            found = self.symbols[symbol] = SymbolDay(is_new=symbol not in self.known)
        return found

    def remember(self, order_id: int, order: Working) -> None:
        while len(self.working) >= WORKING_MOST:
            del self.working[next(iter(self.working))]
        self.working[order_id] = order

    def add_step(self, step: Step) -> None:
        self.steps = [*self.steps, step][-STEPS_MOST:]


@dataclass(frozen=True, slots=True)
class Placed:
    """A new order. Times in microseconds since 1970, `day` the trade date, in all of these."""

    day: str
    at: int
    order_id: int
    symbol: str
    side: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A change or a cancel of an order was asked for."""

    day: str
    at: int
    order_id: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An order ended without a trade; `by_client`: its client cancelled it."""

    day: str
    at: int
    order_id: int
    filled: int
    by_client: bool


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade: `value` in paise, `price` in ten-thousandths of a rupee."""

    day: str
    at: int
    order_id: int
    symbol: str
    side: str
    quantity: int
    value: int
    price: int
    ends: bool


@dataclass(frozen=True, slots=True)
class MoneyOut:
    """A withdrawal was asked for; `cash` is what was there before it, in paise."""

    day: str
    at: int
    amount: int
    cash: int


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of the audit trail about the user; `country` and `count` where it has them."""

    day: str
    at: int
    action: str
    new_device: bool = False
    count: int = 0
    country: str = ""


Happening = Placed | Asked | Ended | Traded | MoneyOut | Told
