"""A user's books at the newest prices: integers in, paise out.

Invariant: the figures are sums over the rows that `GET /v1/portfolio` shows, by the same rules,
each row rounded on its own; so on the same prices they are the same paise. A figure that a missing
price leaves open is None, never zero.
"""

from functools import lru_cache
from operator import mul
from typing import NamedTuple

from edge.fanout.last_values import LastValues, picker
from functions.shared.domain.money import value_of
from functions.shared.domain.orders import Product
from functions.shared.domain.valuation import day_base, unrealised
from functions.shared.wire.events import EventBody
from functions.shared.wire.portfolio import PortfolioFacts


class Figures(NamedTuple):
    """Paise. `value`: cash less what is borrowed, what shares would fetch and closing intraday
    positions would bring. `unrealised_pnl`: of holdings and of intraday positions. `day_pnl`: of
    holdings, of intraday positions, and what the day's delivery trades realised."""

    value: int | None
    holdings_value: int | None
    day_pnl: int | None
    unrealised_pnl: int | None


class Gain(NamedTuple):
    """What moves with the prices, in paise: what holdings are worth, that and what intraday
    positions would bring, and how much is at stake in both together."""

    holdings: int
    moving: int
    at_stake: int


class Books:
    """What a user owns and owes, laid out for valuing it each second: tuples of one entry each
    holding, for there are as many books as users."""

    __slots__ = ("_base", "_closes", "_cost", "_costs", "_intraday", "_last", "_pick",
                 "_quantities", "_realised", "_short_delivery", "_today", "money")  # fmt: skip

    def __init__(self, facts: PortfolioFacts, last: LastValues) -> None:
        #: Cash less what is borrowed, which alone may be set to what a later event tells.
        self.money = facts.cash - facts.borrowed
        self._short_delivery = facts.short_delivery
        self._last = last
        self._pick = picker(last.places(each.symbol for each in facts.holdings))
        self._quantities = tuple(each.quantity for each in facts.holdings)
        self._costs = tuple(each.cost for each in facts.holdings)
        today = tuple(each.bought_today for each in facts.holdings)
        self._today = today if any(today) else _nothing(len(today))
        self._cost = sum(self._costs)
        self._intraday = tuple(each for each in facts.positions if each.product == Product.MIS)
        self._realised = sum(each.realised for each in facts.positions)
        # What the day's gain of the holdings counts from, and which closes it was made of.
        self._base, self._closes = 0, -1

    def keeps_shares(self, body: EventBody) -> bool:
        """Whether the event after these books leaves every share and position as it was: it repeats
        the rows that it concerns."""
        held, position = body.holding, body.position
        if body.fill is not None:
            return False
        if held is not None and self._holding(held.symbol) != (held.quantity, held.cost):
            return False
        if position is None:
            return True
        known = [
            (each.net, each.open_value, each.realised)
            for each in self._intraday
            if (each.symbol, each.trade_date) == (position.symbol, position.trade_date)
        ]
        return (known or [(0, 0, 0)])[0] == (position.net, position.open_value, position.realised)

    def gain(self) -> Gain | None:
        """What the last prices make of it; None while one is missing. This is asked of every user
        each second, so whole paise, which nearly all prices are, take no rounding."""
        quotes = self._last.quotes
        try:
            try:
                holdings = sum(map(mul, self._quantities, self._pick(self._last.paise)))
            except TypeError:  # one of them is None
                rows = zip(self._quantities, self._pick(self._last.symbols), strict=True)
                holdings = sum(value_of(quantity, quotes[symbol].ltp) for quantity, symbol in rows)
            if not self._intraday:
                return Gain(holdings, holdings, holdings)
            moving, at_stake = holdings, holdings
            for each in self._intraday:
                if each.net:
                    ltp = quotes[each.symbol].ltp
                    moving += unrealised(each.net, each.open_value, ltp)
                    at_stake += abs(value_of(each.net, ltp))
        except KeyError:
            return None
        return Gain(holdings, moving, at_stake)

    def figures(self, gain: Gain | None) -> Figures:
        """All figures at the prices that `gain` was made of."""
        if gain is None:
            return Figures(None, None, None, None)
        return Figures(
            value=self.money + self._short_delivery + gain.moving,
            holdings_value=gain.holdings,
            day_pnl=gain.moving - self._day_base() + self._realised,
            unrealised_pnl=gain.moving - self._cost,
        )

    def _day_base(self) -> int:
        """Closes stay for a day: the sum over them is kept, unless one of them is not known yet."""
        last = self._last
        if last.closes != self._closes:
            base, self._closes = 0, last.closes
            symbols = self._pick(last.symbols)
            rows = zip(symbols, self._quantities, self._today, self._costs, strict=True)
            for symbol, quantity, bought_today, cost in rows:
                quote = last.quotes[symbol]
                base += day_base(quantity, bought_today, cost, quote.close or quote.ltp)
                if not quote.close:
                    self._closes = -1
            self._base = base
        return self._base

    def _holding(self, symbol: str) -> tuple[int, int]:
        """Quantity and cost."""
        symbols = self._pick(self._last.symbols)
        if symbol not in symbols:
            return (0, 0)
        at = symbols.index(symbol)
        return self._quantities[at], self._costs[at]


@lru_cache
def _nothing(count: int) -> tuple[int, ...]:
    """So many zeros, which all books share that had no share bought today."""
    return (0,) * count
