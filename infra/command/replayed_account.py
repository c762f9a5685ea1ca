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
from infra.command.replayed_dues import Due, ReplayedDues, ReplayFault
from infra.command.replayed_order import WORKING, OrderFacts, ReplayedOrder
from infra.command.replayed_plan import PlacedSlice, PlanFacts, ReplayedPlans, SliceFacts

NEVER = "infinity"
KEPT_PERCENT = 20
"""Of the proceeds of settled shares, until they settle; of shares bought the day before, all; of
those bought the same day, what they gained."""

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
    plan: PlanFacts | None = None
    slices: list[SliceFacts] = []
    slice: PlacedSlice | None = None


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

    def trade(self, side: str, quantity: int, value: int) -> int:
        """What closes is realised against the average entry, the rest opens. Returns what was
        realised."""
        sign = 1 if side == "BUY" else -1
        closing = min(quantity, max(0, -sign * self.net))
        entry = _half_up(self.open_value * closing, abs(self.net)) if closing else 0
        exit_ = _half_up(value * closing, quantity)
        realised = sign * (entry - exit_)
        self.realised += realised
        self.open_value += value - exit_ - entry
        self.net += sign * quantity
        if side == "BUY":
            self.buy_quantity += quantity
            self.buy_value += value
        else:
            self.sell_quantity += quantity
            self.sell_value += value
        return realised


class ReplayedAccount:
    """Fed one user's events in their order; `tables` then says what its rows must be."""

    def __init__(self) -> None:
        self._end: End | None = None
        self._class: str | None = None
        self._dues = ReplayedDues()
        self._orders: dict[int, ReplayedOrder] = {}
        self._plans = ReplayedPlans()
        self._holdings: dict[str, _Holding] = {}
        self._positions: dict[tuple[str, str], _Position] = {}

    def apply(self, kind: str, end: End) -> None:
        """Adds an event. Raises ReplayFault for one that can't be."""
        body = _body.decode(end.body)
        cash_change = end.cash - (self._end.cash if self._end else 0)
        self._end = end
        self._class = body.account_class or self._class
        if body.order is not None and kind != "ORDER_DENIED":
            self._take_order(kind, body, body.order, end.seq)
        self._take_plan(kind, body, end.seq)
        for settled in body.settled:
            self._dues.settle(Due(settled.settles_on, settled.unsettled, settled.blocked))
        added: list[Due] = []
        if body.fill is not None and body.fill.product == "MIS":
            added = self._trade(body.order, body.fill, cash_change)
        elif body.fill is not None:
            added = self._take_delivery(body.fill, body.short, end.seq, cash_change)
        elif kind == "POSITION_DELIVERED":
            self._deliver(body)
        elif kind == "SHORT_DELIVERED":
            added = self._deliver_short(body, cash_change)
        elif kind == "SHORT_CLOSED_OUT":
            self._close_out(body)
        elif kind == "PLEDGE_SET" and body.holding is not None:
            self._holdings[body.holding.symbol].pledged = body.holding.pledged
        if kind != "BORROWED":  # what lacked is lent in the midst of the change that comes next
            self._dues.follow(added, end.cash, body.funds.unsettled, body.funds.blocked)

    def tables(self) -> Mapping[str, dict[Key, Row]]:
        """By table: the rows' keys behind the user, and the other columns of each."""
        return {
            "account": {(): self._account()},
            "settlement_due": {
                (due.settles_on,): {
                    "unsettled": due.unsettled, "blocked": due.blocked, "intraday": due.intraday,
                }
                for due in self._dues.days
            },
            "intraday_result": {
                (day,): {"amount": amount} for day, amount in self._dues.results.items()
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
            "plan": self._plans.rows(),
            "plan_slice": self._plans.slice_rows(),
            "position": {
                place: self._position(place, position)
                for place, position in self._positions.items()
            },
        }  # fmt: skip

    def _take_plan(self, kind: str, body: _Body, seq: int) -> None:
        if body.plan is not None:
            self._plans.take(kind, seq, body.plan, body.fingerprint, body.slices, body.slice)

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

    def _take_delivery(
        self, fill: _Fill, short: _Shares | None, seq: int, cash_change: int
    ) -> list[Due]:
        """A delivery fill; what a sale lacked is sold short in the position of its day. Returns
        what it leaves to settle."""
        holding = self._holdings.setdefault(fill.symbol, _Holding())
        if fill.side == "BUY":
            bought = _Lot(seq, fill.trade_date, fill.settles_on, fill.quantity, fill.value)
            holding.lots.append(bought)
            return []
        held = sum(x.quantity for x in holding.lots if x.trade_date <= fill.trade_date)
        lacked = max(0, fill.quantity - max(0, held - holding.pledged))
        paid = _half_up(fill.value * (fill.quantity - lacked), fill.quantity)
        if lacked and short is None:
            raise ReplayFault("more was sold than was held")
        blocked = _take_lots(holding, fill.quantity - lacked, paid, fill.trade_date)
        added, gain = [], cash_change
        if short is not None:
            if (short.quantity, short.value) != (lacked, fill.value - paid):
                raise ReplayFault(f"the sale lacked {lacked} worth {fill.value - paid}")
            position = self._position_at(fill.symbol, fill.trade_date)
            position.margin_rate = max(position.margin_rate, short.margin_rate)
            realised = position.trade("SELL", short.quantity, short.value)
            added = self._dues.add_result(fill.trade_date, fill.settles_on, realised)
            gain -= realised
        if gain > 0:
            added.append(Due(fill.settles_on, gain, min(blocked, gain)))
        return added

    def _trade(self, order: OrderFacts | None, fill: _Fill, cash_change: int) -> list[Due]:
        if order is None:
            raise ReplayFault("a fill of no order")
        position = self._position_at(order.symbol, order.trade_date)
        position.trade(fill.side, fill.quantity, fill.value)
        return self._dues.add_result(fill.trade_date, fill.settles_on, cash_change)

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

    def _deliver_short(self, body: _Body, cash_change: int) -> list[Due]:
        if body.position is None or body.delivery is None:
            raise ReplayFault("a delivery of no position")
        position = self._position_at(body.position.symbol, body.position.trade_date)
        holding = self._holdings.setdefault(body.position.symbol, _Holding())
        quantity = body.delivery.quantity
        if not 0 < quantity <= -position.net:
            raise ReplayFault(f"{quantity} delivered of {-position.net} short")
        blocked = _take_lots(holding, quantity, cash_change, body.position.trade_date)
        position.open_value -= _half_up(position.open_value * quantity, -position.net)
        position.net += quantity
        return [Due(body.delivery.settles_on, cash_change, min(blocked, cash_change))]

    def _close_out(self, body: _Body) -> None:
        if body.position is None or body.shortage is None:
            raise ReplayFault("a close-out of no shortage")
        if body.shortage.quantity:
            position = self._position_at(body.position.symbol, body.position.trade_date)
            position.realised += position.open_value - body.shortage.value
            position.net = position.open_value = 0

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
            "borrowed": end.borrowed, "unsettled": self._dues.unsettled(),
            "blocked": self._dues.blocked(),
            "settles_next": next((due.settles_on for due in self._dues.days), NEVER),
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


def _take_lots(holding: _Holding, quantity: int, value: int, trade_date: str) -> int:
    """First in, first out, behind the oldest shares, which are those pledged, and none bought after
    the sale's trade date; a part of a lot takes its part of the cost, half a paisa up. Returns what
    of the value must settle before it can be spent."""
    sold = shared = blocked = 0
    holding.lots.sort(key=lambda lot: (lot.trade_date, lot.lot))
    pledged = holding.pledged
    for lot in holding.lots:
        kept = min(pledged, lot.quantity)
        pledged -= kept
        taken = min(quantity - sold, lot.quantity - kept)
        if taken and lot.trade_date <= trade_date:
            cost = _half_up(lot.cost * taken, lot.quantity)
            lot.cost -= cost
            lot.quantity -= taken
            sold += taken
            part = _half_up(value * sold, quantity) - shared
            shared += part
            if lot.settles_on <= trade_date:
                blocked += -(-part * KEPT_PERCENT // 100)
            else:
                blocked += part if lot.trade_date < trade_date else max(0, part - cost)
    if sold < quantity:
        raise ReplayFault("more was sold than was held")
    holding.lots = [lot for lot in holding.lots if lot.quantity]
    return blocked


def _half_up(part: int, whole: int) -> int:
    return (part * 2 + whole) // (whole * 2)
