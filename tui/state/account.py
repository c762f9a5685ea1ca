"""The user's orders, fills, holdings, positions and money, from HTTP answers and stream events.

Invariant: every reducer is idempotent and ignores what is older than it knows, so that an answer
and the event of the same change, or a replay after a reconnect, may arrive in any order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import TypeVar

import msgspec

from tui.client.models import Fill, Funds, Holding, Order, Plan, Position, PrivateEvent
from tui.state import formats
from tui.state.quotes import Board

DELIVERY = "CNC"
SYMBOLS_NAMED = 3
"""Fills of more symbols than these are counted, not named."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the account; mappings keep the order in which things were first seen."""

    orders: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))
    fills: Mapping[str, Fill] = field(default_factory=lambda: MappingProxyType({}))
    holdings: Mapping[str, Holding] = field(default_factory=lambda: MappingProxyType({}))
    positions: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}))
    plans: Mapping[str, Plan] = field(default_factory=lambda: MappingProxyType({}))
    funds: Funds | None = None

    @property
    def working_orders(self) -> int:
        """How many orders can still trade."""
        return sum(order.is_working for order in self.orders.values())

    @property
    def held_symbols(self) -> list[str]:
        """Symbols of which anything is owned."""
        return [each.symbol for each in self.holdings.values() if each.quantity]

    @property
    def priced_symbols(self) -> set[str]:
        """Symbols whose price the account's figures follow."""
        traded = {each.symbol for each in self.positions.values()}
        waited_for = {each.symbol for each in self.orders.values() if each.is_waiting}
        return traded.union(self.held_symbols, waited_for)

    def with_positions(self, positions: Iterable[Position]) -> "Account":
        """The account with the day's positions as HTTP gave them, in place of all that was
        known."""
        return replace(self, positions=MappingProxyType({each.key: each for each in positions}))


def loaded(
    funds: Funds,
    orders: Iterable[Order],
    holdings: Iterable[Holding],
    positions: Iterable[Position],
    plans: Iterable[Plan] = (),
) -> Account:
    """The account as HTTP gave it. `funds` was asked for first, so the rest is at least as new."""
    account = Account(funds=msgspec.structs.replace(funds, user_seq=funds.seq))
    for order in orders:
        account = apply_order(account, order)
    for plan in plans:
        account = apply_plan(account, plan)
    account = replace(account, holdings=MappingProxyType({each.symbol: each for each in holdings}))
    return account.with_positions(positions)


def apply(account: Account, event: PrivateEvent) -> Account:
    """Take one event of the stream."""
    match event:
        case Order():
            return apply_order(account, event)
        case Fill():
            return replace(account, fills=_with(account.fills, event.exec_id, event))
        case Holding():
            return _apply_holding(account, event)
        case Position():
            return _apply_position(account, event)
        case Plan():
            return apply_plan(account, event)
        case Funds():
            known = account.funds
            newer = known is None or event.user_seq >= known.user_seq
            return replace(account, funds=event) if newer else account
        case _:
            return account


def apply_order(account: Account, order: Order) -> Account:
    """Take an order from an answer or an event; a lower version is an older truth."""
    known = account.orders.get(order.order_id)
    if known is not None and (order.version, order.user_seq) <= (known.version, known.user_seq):
        return account
    return replace(account, orders=_with(account.orders, order.order_id, order))


def apply_plan(account: Account, plan: Plan) -> Account:
    """Take a plan from an answer or an event. An event tells neither its slices nor what they came
    to: those stay as they were until the broker is asked."""
    known = account.plans.get(plan.plan_id)
    if known is not None and plan.version < known.version:
        return account
    if known is not None and plan.slices is None:
        plan = msgspec.structs.replace(
            plan,
            slices=known.slices,
            filled_quantity=known.filled_quantity,
            average_price=known.average_price,
        )
    return replace(account, plans=_with(account.plans, plan.plan_id, plan))


def _apply_holding(account: Account, holding: Holding) -> Account:
    known = account.holdings.get(holding.symbol)
    if known is not None and holding.user_seq <= known.user_seq:
        return account
    return replace(account, holdings=_with(account.holdings, holding.symbol, holding))


def _apply_position(account: Account, position: Position) -> Account:
    known = account.positions.get(position.key)
    if known is not None and position.user_seq <= known.user_seq:
        return account
    return replace(account, positions=_with(account.positions, position.key, position))


Value = TypeVar("Value", Order, Fill, Holding, Position, Plan)


def _with(mapping: Mapping[str, Value], key: str, value: Value) -> MappingProxyType[str, Value]:
    return MappingProxyType({**mapping, key: value})


def in_words(fills: Sequence[Fill]) -> str:
    """What fills did, as one sentence to notify with, however many they are."""
    symbols = sorted({fill.symbol for fill in fills})
    if len(symbols) > 1:
        named = ", ".join(symbols[:SYMBOLS_NAMED])
        others = len(symbols) - SYMBOLS_NAMED
        return f"{len(fills)} fills of {named}" + (f" and {others} more" if others > 0 else "")
    if len({fill.side for fill in fills}) > 1:
        return f"{len(fills)} fills of {symbols[0]}, bought and sold"
    quantity = sum(fill.quantity for fill in fills)
    average = sum((fill.quantity * fill.price for fill in fills), Decimal(0)) / quantity
    verb = "Bought" if fills[0].side == "BUY" else "Sold"
    words = f"{verb} {formats.quantity(quantity)} {symbols[0]} at {formats.rupees(average)}"
    return words if len(fills) == 1 else f"{words} on average, in {len(fills)} fills"


@dataclass(frozen=True, slots=True)
class LiveHolding:
    """A holding at the live price; `gain` is all that it has gained, `day_gain` what of that is
    today's. What can't be priced is None, never zero."""

    holding: Holding
    ltp: Decimal | None
    value: Decimal | None
    gain: Decimal | None
    gain_percent: Decimal | None
    day_gain: Decimal | None


def live_holdings(account: Account, board: Board) -> list[LiveHolding]:
    """Holdings with live figures, by symbol."""
    symbols = sorted(account.held_symbols)
    return [_live_holding(account.holdings[symbol], board) for symbol in symbols]


def _live_holding(holding: Holding, board: Board) -> LiveHolding:
    ltp = board.ltp(holding.symbol) or holding.ltp
    if ltp is None:
        return LiveHolding(holding, None, None, None, None, None)
    value = ltp * holding.quantity
    day_gain = _day_gain(holding, value, board.base(holding.symbol))
    if not holding.average_price:
        return LiveHolding(holding, ltp, value, None, None, day_gain)
    cost = holding.average_price * holding.quantity
    gain = value - cost
    return LiveHolding(holding, ltp, value, gain, gain * 100 / cost, day_gain)


def _day_gain(holding: Holding, value: Decimal, close: Decimal | None) -> Decimal | None:
    """By the broker's rule: shares bought today count from what they cost, the others from the last
    day's close; each part to the paisa."""
    bought, cost = holding.bought_today, holding.cost
    if close is None or cost is None or not holding.quantity:
        return None
    base = _paise((holding.quantity - bought) * close, ROUND_HALF_UP)
    base += _paise(cost * bought / holding.quantity, ROUND_FLOOR)
    return _paise(value, ROUND_HALF_UP) - base


def _paise(amount: Decimal, rounding: str) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding=rounding)


@dataclass(frozen=True, slots=True)
class LivePosition:
    """A position at the live price; `gain` is what was realised and what closing it would bring."""

    position: Position
    ltp: Decimal | None
    gain: Decimal | None


def live_positions(account: Account, board: Board) -> list[LivePosition]:
    """The day's positions with live figures, by symbol and product."""
    by_symbol = sorted(account.positions.values(), key=lambda each: (each.symbol, each.product))
    return [_live_position(position, board) for position in by_symbol]


def _live_position(position: Position, board: Board) -> LivePosition:
    ltp = board.ltp(position.symbol) or position.ltp
    if not position.quantity:
        return LivePosition(position, ltp, position.realised_pnl)
    if ltp is None or position.average_price is None:
        return LivePosition(position, ltp, None)
    opened = (ltp - position.average_price) * position.quantity
    return LivePosition(position, ltp, position.realised_pnl + opened)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the account; None when a part can't be priced. `value` is of the holdings,
    `day_gain` of holdings and positions: the `day_pnl` that the stream's `portfolio` tells."""

    value: Decimal | None
    day_gain: Decimal | None


def totals(held: Iterable[LiveHolding], traded: Iterable[LivePosition]) -> Totals:
    """What the holdings are worth, and what holdings and the day's positions have gained today.

    A delivery position adds only what it realised: what of it is open is a holding already when
    bought, and when sold came out of the holdings.
    """
    owned = list(held)
    gains = [each.day_gain for each in owned]
    for each in traded:
        is_delivery = each.position.product == DELIVERY
        gains.append(each.position.realised_pnl if is_delivery else each.gain)
    return Totals(_sum(each.value for each in owned), _sum(gains))


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total
