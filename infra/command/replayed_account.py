"""One account, worked out again from its events: money, lots, positions, holds and settlements.

Invariant: nothing is taken from a table, and of an event only what happened is taken, not what came
of it where that can be worked out: sales take lots first in, first out again, and a position's
profit is computed again. Nothing here is shared with the program that wrote the events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from infra.command.event_log import End
from infra.command.replayed_order import WORKING, OrderFacts, ReplayedOrder

NEVER = "infinity"

Row = dict[str, object]
"""A table's columns, those of its key apart."""
Key = tuple[object, ...]


class _Fill(msgspec.Struct):
    symbol: str
    side: str
    product: str
    quantity: int
    value: int
    heads: list[int]
    trade_date: str
    settles_on: str


class _Place(msgspec.Struct):
    """Which holding or position an event is about."""

    symbol: str
    trade_date: str = ""
    pledged: int = 0


class _Shares(msgspec.Struct):
    """What a sale lacked, what was closed out."""

    quantity: int
    value: int
    margin_rate: int = 0


class _Delivery(msgspec.Struct):
    """What a holding gave for a short position."""

    settles_on: str
    quantity: int


class _Due(msgspec.Struct):
    settles_on: str
    unsettled: int
    blocked: int


class _Lot(msgspec.Struct):
    lot: int
    trade_date: str
    settles_on: str
    quantity: int
    cost: int


class _Funds(msgspec.Struct):
    unsettled: int
    blocked: int


class _Body(msgspec.Struct, rename={"account_class": "class"}):
    funds: _Funds
    account_class: str | None = None
    order: OrderFacts | None = None
    fingerprint: str = ""
    charge_rates: list[int] = []
    context: msgspec.Raw = msgspec.Raw()
    fill: _Fill | None = None
    holding: _Place | None = None
    position: _Place | None = None
    shortage: _Shares | None = None
    short: _Shares | None = None
    delivery: _Delivery | None = None
    lots: list[_Lot] = []
    settled: list[_Due] = []


_body = msgspec.json.Decoder(_Body)


@dataclass
class _Holding:
    pledged: int = 0
    lots: list[_Lot] = field(default_factory=list)


@dataclass
class _Position:
    margin_rate: int = 0
    net: int = 0
    open_value: int = 0
    buy_quantity: int = 0
    buy_value: int = 0
    sell_quantity: int = 0
    sell_value: int = 0
    realised: int = 0

    def trade(self, side: str, quantity: int, value: int) -> None:
        """What closes is realised against the average entry, the rest opens."""
        sign = 1 if side == "BUY" else -1
        closing = min(quantity, max(0, -sign * self.net))
        entry = _half_up(self.open_value * closing, abs(self.net)) if closing else 0
        exit_ = _half_up(value * closing, quantity)
        self.realised += sign * (entry - exit_)
        self.open_value += value - exit_ - entry
        self.net += sign * quantity
        if side == "BUY":
            self.buy_quantity += quantity
            self.buy_value += value
        else:
            self.sell_quantity += quantity
            self.sell_value += value


class ReplayFault(Exception):
    """An event that can't follow from those before it."""


class ReplayedAccount:
    """Fed one user's events in their order; `tables` then says what its rows must be."""

    def __init__(self) -> None:
        self._end: End | None = None
        self._class: str | None = None
        self._due: dict[str, list[int]] = {}
        self._results: dict[str, int] = {}
        self._orders: dict[int, ReplayedOrder] = {}
        self._holdings: dict[str, _Holding] = {}
        self._positions: dict[tuple[str, str], _Position] = {}

    def apply(self, kind: str, end: End) -> None:
        """Adds an event. Raises ReplayFault for one that can't be."""
        body = _body.decode(end.body)
        cash_change = end.cash - (self._end.cash if self._end else 0)
        self._end = end
        if body.account_class is not None:
            self._class = body.account_class
        if body.order is not None and kind != "ORDER_DENIED":
            self._take_order(kind, body, body.order, end.seq)
        self._settle(body)
        if body.fill is not None and body.fill.product == "MIS":
            self._trade(body.order, body.fill)
            self._add_result(body.fill, cash_change)
        elif body.fill is not None:
            self._take_delivery(body.fill, body.short, end.seq)
        elif kind == "POSITION_DELIVERED":
            self._deliver(body)
        elif kind == "SHORT_DELIVERED":
            self._deliver_short(body)
        elif kind == "SHORT_CLOSED_OUT":
            self._close_out(body)
        elif kind == "PLEDGE_SET" and body.holding is not None:
            self._holdings[body.holding.symbol].pledged = body.holding.pledged
        self._take_dues(body, end.cash)

    def tables(self) -> Mapping[str, dict[Key, Row]]:
        """By table: the rows' keys behind the user, and the other columns of each."""
        return {
            "account": {(): self._account()},
            "settlement_due": {
                (day,): {"unsettled": unsettled, "blocked": blocked}
                for day, (unsettled, blocked) in self._due.items()
            },
            "intraday_result": {
                (day,): {"amount": amount} for day, amount in self._results.items()
            },
            "holding": {
                (symbol,): self._holding(symbol, holding)
                for symbol, holding in self._holdings.items()
            },
            "holding_lot": {
                (symbol, lot.lot): {
                    "trade_date": lot.trade_date, "settles_on": lot.settles_on,
                    "quantity": lot.quantity, "cost": lot.cost,
                }
                for symbol, holding in self._holdings.items() for lot in holding.lots
            },
            "orders": {(number,): order.row() for number, order in self._orders.items()},
            "position": {
                place: self._position(place, position)
                for place, position in self._positions.items()
            },
        }  # fmt: skip

    def _take_order(self, kind: str, body: _Body, order: OrderFacts, seq: int) -> None:
        if kind == "ORDER_PLACED":
            self._orders[order.order_id] = ReplayedOrder(
                order, seq, body.fingerprint, body.charge_rates, bytes(body.context).decode()
            )
        if order.product == "MIS":
            position = self._position_at(order.symbol, order.trade_date)
            position.margin_rate = max(position.margin_rate, order.margin_rate)
        working = self._orders.get(order.order_id)
        if working is None:
            return  # it has ended; a report came late
        working.facts = order
        if kind == "ORDER_RELEASED":
            working.release(seq, body.charge_rates)
        if order.status not in WORKING:
            del self._orders[order.order_id]
        elif body.fill is not None:
            working.fill(body.fill.quantity, body.fill.value, body.fill.heads)

    def _take_delivery(self, fill: _Fill, short: _Shares | None, seq: int) -> None:
        """A delivery fill; what a sale lacked is sold short in the position of its day."""
        holding = self._holdings.setdefault(fill.symbol, _Holding())
        if fill.side == "BUY":
            bought = _Lot(seq, fill.trade_date, fill.settles_on, fill.quantity, fill.value)
            holding.lots.append(bought)
            return
        free = sum(lot.quantity for lot in holding.lots) - holding.pledged
        lacked = max(0, fill.quantity - free)
        paid = _half_up(fill.value * (fill.quantity - lacked), fill.quantity)
        if lacked and short is None:
            raise ReplayFault("more was sold than was held")
        _take_lots(holding, fill.quantity - lacked)
        if short is not None:
            if (short.quantity, short.value) != (lacked, fill.value - paid):
                raise ReplayFault(f"the sale lacked {lacked} worth {fill.value - paid}")
            position = self._position_at(fill.symbol, fill.trade_date)
            position.margin_rate = max(position.margin_rate, short.margin_rate)
            position.trade("SELL", short.quantity, short.value)

    def _trade(self, order: OrderFacts | None, fill: _Fill) -> None:
        if order is None:
            raise ReplayFault("a fill of no order")
        position = self._position_at(order.symbol, order.trade_date)
        position.trade(fill.side, fill.quantity, fill.value)

    def _deliver(self, body: _Body) -> None:
        if body.position is None:
            raise ReplayFault("a delivery of no position")
        position = self._position_at(body.position.symbol, body.position.trade_date)
        holding = self._holdings.setdefault(body.position.symbol, _Holding())
        [lot] = body.lots
        holding.lots.append(
            msgspec.structs.replace(lot, quantity=position.net, cost=position.open_value)
        )
        position.net = position.open_value = 0

    def _deliver_short(self, body: _Body) -> None:
        if body.position is None or body.delivery is None:
            raise ReplayFault("a delivery of no position")
        position = self._position_at(body.position.symbol, body.position.trade_date)
        holding = self._holdings.setdefault(body.position.symbol, _Holding())
        quantity = body.delivery.quantity
        if not 0 < quantity <= -position.net:
            raise ReplayFault(f"{quantity} delivered of {-position.net} short")
        _take_lots(holding, quantity)
        position.open_value -= _half_up(position.open_value * quantity, -position.net)
        position.net += quantity

    def _close_out(self, body: _Body) -> None:
        if body.position is None or body.shortage is None:
            raise ReplayFault("a close-out of no shortage")
        if body.shortage.quantity:
            position = self._position_at(body.position.symbol, body.position.trade_date)
            position.realised += position.open_value - body.shortage.value
            position.net = position.open_value = 0

    def _settle(self, body: _Body) -> None:
        for due in body.settled:
            if self._due.pop(due.settles_on, None) != [due.unsettled, due.blocked]:
                raise ReplayFault(f"what settles on {due.settles_on} is not what was due")

    def _add_result(self, fill: _Fill, cash_change: int) -> None:
        """What a day's intraday trades come to; the part of a profit that was lost is not due."""
        before = self._results.get(fill.trade_date, 0)
        after = self._results[fill.trade_date] = before + cash_change
        lost = max(0, before) - max(0, after)
        if lost > 0 and (due := self._due.get(fill.settles_on)):
            lost = min(lost, due[1])
            due[0], due[1] = due[0] - lost, due[1] - lost

    def _take_dues(self, body: _Body, cash: int) -> None:
        """What a sale or a profit adds, and what has been used up: none of it is above the cash."""
        added = [body.funds.unsettled - self._unsettled(0), body.funds.blocked - self._unsettled(1)]
        source = body.delivery or body.fill
        if added[0] > 0:
            if source is None:
                raise ReplayFault("unsettled money of no trade")
            due = self._due.setdefault(source.settles_on, [0, 0])
            due[0], due[1] = due[0] + added[0], due[1] + added[1]
        for kept in (1, 0):  # first what could be spent
            for _, due in sorted(self._due.items()):
                due[0] -= min(max(0, self._unsettled(0) - cash), due[0] - due[1] * kept)
                due[1] = min(due)
        self._due = {day: due for day, due in self._due.items() if due[0]}
        if [self._unsettled(0), self._unsettled(1)] != [body.funds.unsettled, body.funds.blocked]:
            raise ReplayFault("what is not settled is not what was sold and not used")

    def _unsettled(self, part: int) -> int:
        """All of it, or (1) what of it is blocked."""
        return sum(due[part] for due in self._due.values())

    def _working(self) -> list[OrderFacts]:
        return [order.facts for order in self._orders.values()]

    def _position_at(self, symbol: str, trade_date: str) -> _Position:
        return self._positions.setdefault((symbol, trade_date), _Position())

    def _account(self) -> Row:
        end = self._end
        if end is None:
            raise ReplayFault("no events")
        return {
            "seq": end.seq, "head": end.hash, "at": end.at, "cash": end.cash, "held": end.held,
            "borrowed": end.borrowed, "unsettled": self._unsettled(0),
            "blocked": self._unsettled(1), "settles_next": min(self._due, default=NEVER),
            "open_orders": len(self._orders), "class": self._class,
        }  # fmt: skip

    def _holding(self, symbol: str, holding: _Holding) -> Row:
        sells = (
            order.shares() for order in self._working()
            if (order.symbol, order.side, order.product) == (symbol, "SELL", "CNC")
        )  # fmt: skip
        return {
            "quantity": sum(lot.quantity for lot in holding.lots),
            "open_sell": sum(sells),
            "pledged": holding.pledged,
            "cost": sum(lot.cost for lot in holding.lots),
        }

    def _position(self, place: tuple[str, str], position: _Position) -> Row:
        row: dict[str, Any] = {**vars(position)}
        for side in ("BUY", "SELL"):
            orders = [
                order for order in self._working()
                if (order.symbol, order.trade_date) == place
                and (order.side, order.product) == (side, "MIS")
            ]  # fmt: skip
            row[f"open_{side.lower()}"] = sum(order.shares() for order in orders)
            row[f"reserved_{side.lower()}"] = sum(order.cash() for order in orders)
        return row


def _take_lots(holding: _Holding, quantity: int) -> None:
    """First in, first out, behind the oldest shares, which are those pledged; a part of a lot takes
    its part of the cost, half a paisa up."""
    holding.lots.sort(key=lambda lot: (lot.trade_date, lot.lot))
    pledged = holding.pledged
    for lot in holding.lots:
        kept = min(pledged, lot.quantity)
        pledged -= kept
        taken = min(quantity, lot.quantity - kept)
        quantity -= taken
        if taken:
            lot.cost -= _half_up(lot.cost * taken, lot.quantity)
            lot.quantity -= taken
    if quantity:
        raise ReplayFault("more was sold than was held")
    holding.lots = [lot for lot in holding.lots if lot.quantity]


def _half_up(part: int, whole: int) -> int:
    return (part * 2 + whole) // (whole * 2)
