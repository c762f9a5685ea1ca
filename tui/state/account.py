"""The user's orders, fills, holdings and money, folded from HTTP answers and stream events.

Invariant: every reducer is idempotent and ignores what is older than it knows, so that an answer
and the event of the same change, or a replay after a reconnect, may arrive in any order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

import msgspec

from tui.client.models import Fill, Funds, Holding, Order, PrivateEvent
from tui.state import formats
from tui.state.quotes import Board


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the account; mappings keep the order in which things were first seen."""

    orders: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))
    fills: Mapping[str, Fill] = field(default_factory=lambda: MappingProxyType({}))
    holdings: Mapping[str, Holding] = field(default_factory=lambda: MappingProxyType({}))
    funds: Funds | None = None

    @property
    def working_orders(self) -> int:
        """How many orders can still trade."""
        return sum(order.is_working for order in self.orders.values())

    @property
    def held_symbols(self) -> list[str]:
        """Symbols of which anything is owned."""
        return [each.symbol for each in self.holdings.values() if each.quantity]


def loaded(funds: Funds, orders: Iterable[Order], holdings: Iterable[Holding]) -> Account:
    """The account as HTTP gave it. `funds` was asked for first, so the rest is at least as new."""
    account = Account(funds=msgspec.structs.replace(funds, user_seq=funds.seq))
    for order in orders:
        account = apply_order(account, order)
    return replace(account, holdings=MappingProxyType({each.symbol: each for each in holdings}))


def apply(account: Account, event: PrivateEvent) -> Account:
    """Take one event of the stream."""
    match event:
        case Order():
            return apply_order(account, event)
        case Fill():
            return replace(account, fills=_with(account.fills, event.exec_id, event))
        case Holding():
            return _apply_holding(account, event)
        case Funds():
            known = account.funds
            newer = known is None or event.user_seq >= known.user_seq
            return replace(account, funds=event) if newer else account


def apply_order(account: Account, order: Order) -> Account:
    """Take an order from an answer or an event; a lower version is an older truth."""
    known = account.orders.get(order.order_id)
    if known is not None and (order.version, order.user_seq) <= (known.version, known.user_seq):
        return account
    return replace(account, orders=_with(account.orders, order.order_id, order))


def _apply_holding(account: Account, holding: Holding) -> Account:
    known = account.holdings.get(holding.symbol)
    if known is not None and holding.user_seq <= known.user_seq:
        return account
    return replace(account, holdings=_with(account.holdings, holding.symbol, holding))


Value = TypeVar("Value", Order, Fill, Holding)


def _with(mapping: Mapping[str, Value], key: str, value: Value) -> MappingProxyType[str, Value]:
    return MappingProxyType({**mapping, key: value})


def in_words(fill: Fill) -> str:
    """What a fill did, as a sentence to notify with."""
    verb = "Bought" if fill.side == "BUY" else "Sold"
    return f"{verb} {formats.quantity(fill.quantity)} {fill.symbol} at {formats.rupees(fill.price)}"


@dataclass(frozen=True, slots=True)
class Position:
    """A holding at the live price. What can't be priced is None, never zero."""

    holding: Holding
    ltp: Decimal | None
    value: Decimal | None
    gain: Decimal | None
    gain_percent: Decimal | None


def positions(account: Account, board: Board) -> list[Position]:
    """Holdings with live figures, by symbol."""
    symbols = sorted(account.held_symbols)
    return [_position(account.holdings[symbol], board) for symbol in symbols]


def _position(holding: Holding, board: Board) -> Position:
    ltp = board.ltp(holding.symbol) or holding.ltp
    if ltp is None:
        return Position(holding, None, None, None, None)
    value = ltp * holding.quantity
    if not holding.average_price:
        return Position(holding, ltp, value, None, None)
    cost = holding.average_price * holding.quantity
    return Position(holding, ltp, value, value - cost, (value - cost) * 100 / cost)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all positions; None when one of them can't be priced."""

    value: Decimal | None
    gain: Decimal | None


def totals(held: Iterable[Position]) -> Totals:
    """What the holdings are worth and have gained together."""
    value, gain = Decimal(0), Decimal(0)
    for position in held:
        if position.value is None or position.gain is None:
            return Totals(None, None)
        value += position.value
        gain += position.gain
    return Totals(value, gain)


def blotter(account: Account) -> list[Order]:
    """The blotter's order: working orders above finished ones, the newest first in each."""

    def rank(order: Order) -> tuple[bool, float, int]:
        created = order.created_at.timestamp() if order.created_at else 0.0
        number = int(order.order_id) if order.order_id.isdecimal() else 0
        return (not order.is_working, -created, -number)

    return sorted(account.orders.values(), key=rank)
