"""A user's books at the newest prices: integers in, paise out.

Invariant: the figures are sums over the rows that `GET /v1/portfolio` shows, by the same rules,
each row rounded on its own; so on the same prices they are the same paise. A figure that a missing
price leaves open is None, never zero.
"""

from collections.abc import Mapping
from typing import NamedTuple

from functions.shared.domain.money import PRICE_UNITS_PER_PAISA, value_of
from functions.shared.domain.orders import Product
from functions.shared.domain.valuation import day_base, unrealised
from functions.shared.wire.events import EventBody
from functions.shared.wire.portfolio import PortfolioFacts
from functions.shared.wire.quotes import Quote

Quotes = Mapping[str, Quote]

_HALF = PRICE_UNITS_PER_PAISA // 2


class Figures(NamedTuple):
    """Paise. `value`: cash less what is borrowed, what shares would fetch and closing intraday
    positions would bring. `unrealised_pnl`: of holdings and of intraday positions. `day_pnl`: of
    holdings, of intraday positions, and what the day's delivery trades realised."""

    value: int | None
    holdings_value: int | None
    day_pnl: int | None
    unrealised_pnl: int | None


class Gain(NamedTuple):
    """What moves with the prices, in paise: what holdings are worth, what intraday positions would
    bring, and how much is at stake in both together."""

    holdings: int
    positions: int
    at_stake: int


class Books:
    """What a user owns and owes, laid out for valuing it each second."""

    __slots__ = ("_cost", "_held", "_holdings", "_intraday", "_positions", "_realised", "_rows",
                 "_short_delivery", "money")  # fmt: skip

    def __init__(self, facts: PortfolioFacts) -> None:
        intraday = [each for each in facts.positions if each.product == Product.MIS]
        #: Cash less what is borrowed, which alone may be set to what a later event tells.
        self.money = facts.cash - facts.borrowed
        self._short_delivery = facts.short_delivery
        self._rows = tuple((each.symbol, each.quantity) for each in facts.holdings)
        self._holdings = facts.holdings
        self._cost = sum(each.cost for each in facts.holdings)
        self._positions = [
            (each.symbol, each.net, each.open_value) for each in intraday if each.net
        ]
        self._realised = sum(each.realised for each in facts.positions)
        # What an event that changes no share repeats: the rows as they are.
        self._held = {each.symbol: (each.quantity, each.cost) for each in facts.holdings}
        self._intraday = {
            (each.symbol, each.trade_date): (each.net, each.open_value, each.realised)
            for each in intraday
        }

    def keeps_shares(self, body: EventBody) -> bool:
        """Whether the event after these books leaves every share and position as it was."""
        held, position = body.holding, body.position
        if body.fill is not None:
            return False
        if held is not None and self._held.get(held.symbol, (0, 0)) != (held.quantity, held.cost):
            return False
        if position is None:
            return True
        known = self._intraday.get((position.symbol, position.trade_date), (0, 0, 0))
        return known == (position.net, position.open_value, position.realised)

    def gain(self, quotes: Quotes) -> Gain | None:
        """What the prices make of it; None while one is missing. This is asked of every user each
        second: a row costs a look-up and a multiplication, half up as `value_of`."""
        try:
            holdings = sum(
                [
                    (quantity * quotes[symbol].ltp + _HALF) // PRICE_UNITS_PER_PAISA
                    for symbol, quantity in self._rows
                ]
            )
            if not self._positions:
                return Gain(holdings, 0, holdings)
            positions, at_stake = 0, holdings
            for symbol, net, open_value in self._positions:
                ltp = quotes[symbol].ltp
                positions += unrealised(net, open_value, ltp)
                at_stake += abs(value_of(net, ltp))
        except KeyError:
            return None
        return Gain(holdings, positions, at_stake)

    def figures(self, quotes: Quotes, gain: Gain | None) -> Figures:
        """All figures at the prices that `gain` was made of."""
        if gain is None:
            return Figures(None, None, None, None)
        base = sum(
            day_base(each.quantity, each.bought_today, each.cost, quote.close or quote.ltp)
            for each in self._holdings
            for quote in (quotes[each.symbol],)
        )
        moving = gain.holdings + gain.positions
        return Figures(
            value=self.money + self._short_delivery + moving,
            holdings_value=gain.holdings,
            day_pnl=moving - base + self._realised,
            unrealised_pnl=moving - self._cost,
        )
