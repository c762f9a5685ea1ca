"""The alert desk: each happening of a user goes to the rules that look at its kind.

Flow: functions/surveillance reads what is kept of the users and stocks of a batch -> here -> what
changed is written back with the findings, in one transaction. Invariant: nothing is kept here that
is not in the watches and the stocks' figures, so a batch done twice from the same beginning finds
the same.
"""

from collections.abc import Mapping

from functions.shared.domain.surveillance.findings import Finding
from functions.shared.domain.surveillance.order_patterns import (
    is_layer,
    judge_layers,
    judge_messages,
)
from functions.shared.domain.surveillance.parameters import DEFAULTS, Parameters
from functions.shared.domain.surveillance.pumping import StockFigures, judge_pumping
from functions.shared.domain.surveillance.round_trips import count_trade, judge_round_trips
from functions.shared.domain.surveillance.takeover import (
    NEW_THIN_STOCK,
    judge_steps,
    step_of_entry,
    step_of_withdrawal,
)
from functions.shared.domain.surveillance.watched import (
    Asked,
    Ended,
    Happening,
    MoneyOut,
    Placed,
    Step,
    Told,
    Traded,
    Watch,
    Working,
)

NOBODY: frozenset[int] = frozenset()


class Desk:
    """`watches` by user, `stocks` by symbol and trade date, `links`: who shares a mark with whom.
    The first two are changed in place."""

    def __init__(
        self,
        watches: dict[int, Watch],
        stocks: dict[tuple[str, str], StockFigures],
        links: Mapping[int, frozenset[int]],
        parameters: Parameters = DEFAULTS,
    ) -> None:
        self.watches = watches
        self.stocks = stocks
        self._links = links
        self._parameters = parameters

    def take(self, user_id: int, happening: Happening) -> list[Finding]:
        """What the rules find in it."""
        watch = self.watches.setdefault(user_id, Watch())
        watch.begin(happening.day)
        match happening:
            case Traded():
                return self._traded(user_id, watch, happening)
            case Placed():
                order = happening
                watch.remember(
                    order.order_id, Working(order.symbol, order.side, order.quantity, order.at)
                )
                return self._asked(user_id, watch, order)
            case Asked():
                return self._asked(user_id, watch, happening)
            case Ended():
                return self._ended(user_id, watch, happening)
            case MoneyOut():
                return self._step(user_id, watch, step_of_withdrawal(happening, self._parameters))
            case Told():
                return self._step(user_id, watch, step_of_entry(happening))

    def _traded(self, user_id: int, watch: Watch, trade: Traded) -> list[Finding]:
        if trade.ends:
            watch.working.pop(trade.order_id, None)
        for order in watch.working.values():
            if order.symbol == trade.symbol and order.side != trade.side:
                order.opposite += trade.quantity
        stock = self.stocks.setdefault((trade.symbol, trade.day), StockFigures())
        stock.add(user_id, trade)
        held = watch.of(trade.symbol)
        if held is None:
            return []
        held.trades += 1
        if trade.side == "BUY":
            held.bought += trade.quantity
            held.bought_value += trade.value
        else:
            held.sold += trade.quantity
            held.sold_value += trade.value
        found: list[Finding | None] = []
        if count_trade(held, trade.side, trade.quantity, self._parameters.leg_back_percent):
            found.append(judge_round_trips(user_id, trade, held, self._parameters))
        linked = self._links.get(user_id, NOBODY)
        if linked:
            found.append(judge_pumping(user_id, trade, stock, linked, self._parameters))
        if held.trades == 1 and held.is_new and stock.is_thin(self._parameters):
            step = Step(NEW_THIN_STOCK, trade.at, trade.day, trade.symbol)
            return [f for f in found if f] + self._step(user_id, watch, step)
        return [finding for finding in found if finding]

    def _asked(self, user_id: int, watch: Watch, message: Placed | Asked) -> list[Finding]:
        held = watch.of(message.symbol)
        if held is None:
            return []
        held.messages += 1
        finding = judge_messages(user_id, message, held, self._parameters)
        return [finding] if finding else []

    def _ended(self, user_id: int, watch: Watch, ended: Ended) -> list[Finding]:
        order = watch.working.pop(ended.order_id, None)
        held = watch.of(order.symbol) if order else None
        if order is None or held is None or not is_layer(ended, order, self._parameters):
            return []
        held.layers += 1
        finding = judge_layers(user_id, ended, order.symbol, held, self._parameters)
        return [finding] if finding else []

    def _step(self, user_id: int, watch: Watch, step: Step | None) -> list[Finding]:
        if step is None:
            return []
        watch.add_step(step)
        finding = judge_steps(user_id, watch, step, self._parameters)
        return [finding] if finding else []
