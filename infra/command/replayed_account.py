"""One account, worked out again from its events: money, lots, positions, holds and settlements.

Invariant: nothing is taken from a table, and of an event only what happened is taken, not what came
of it where that can be worked out: sales take lots first in, first out again, and a position's
profit is computed again. Nothing here is shared with the program that wrote the events.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from infra.command.event_log import End
from infra.command.replayed_dues import Due, ReplayedDues, ReplayFault
from infra.command.replayed_order import WORKING, OrderFacts, ReplayedOrder
from infra.command.replayed_plan import PlacedSlice, PlanFacts, ReplayedPlans, SliceFacts
from infra.command.replayed_restrictions import ReplayedRestrictions, RestrictionFacts
from infra.command.replayed_shares import Booked, Holding, Lot, Position, half_up, take_lots

NEVER = "infinity"
#: A table's columns, those of its key apart.
Row = dict[str, object]
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


class _Bust(_Fill):
    """A fill that was taken back: `seq` is its event's, `heads` are what was given back."""

    seq: int


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


class _Funds(msgspec.Struct):
    unsettled: int
    blocked: int


class _KillSwitch(msgspec.Struct):
    is_on: bool


class _Body(msgspec.Struct, rename={"account_class": "class"}):
    funds: _Funds
    account_class: str | None = None
    order: OrderFacts | None = None
    fingerprint: str = ""
    charge_rates: list[int] = []
    context: msgspec.Raw = msgspec.Raw()
    fill: _Fill | None = None
    bust: _Bust | None = None
    holding: _Place | None = None
    position: _Place | None = None
    shortage: _Shares | None = None
    short: _Shares | None = None
    delivery: _Delivery | None = None
    set: msgspec.Raw = msgspec.Raw(b"null")
    kill_switch: _KillSwitch | None = None
    lots: list[Lot] = []
    settled: list[_Due] = []
    plan: PlanFacts | None = None
    slices: list[SliceFacts] = []
    slice: PlacedSlice | None = None
    restriction: RestrictionFacts | None = None


_body = msgspec.json.Decoder(_Body)


class ReplayedAccount:
    """Fed one user's events in their order; `tables` then says what its rows must be."""

    def __init__(self) -> None:
        self._end: End | None = None
        self._class: str | None = None
        self._state = "ACTIVE"
        self._limits: list[int | None] | None = None
        self._kill_switch: dict[Key, Row] = {}
        self._dues = ReplayedDues()
        self._orders: dict[int, ReplayedOrder] = {}
        self._plans = ReplayedPlans()
        self._restrictions = ReplayedRestrictions()
        self._holdings: dict[str, Holding] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._trades: dict[tuple[str, str], dict[int, tuple[str, int, int]]] = {}
        self._booked: dict[int, Booked] = {}
        self._ended: dict[int, ReplayedOrder] = {}
        self._day = ""

    def apply(self, kind: str, end: End) -> None:
        """Adds an event. Raises ReplayFault for one that can't be."""
        body = _body.decode(end.body)
        cash_change = end.cash - (self._end.cash if self._end else 0)
        self._end = end
        self._class = body.account_class or self._class
        if kind == "ACCOUNT_STATE_SET":
            self._state = msgspec.json.decode(body.set)["state"]
        elif kind == "ACCOUNT_LIMITS_SET":
            self._limits = msgspec.json.decode(body.set)
        elif body.kill_switch is not None:
            self._kill_switch[()] = {
                "is_on": body.kill_switch.is_on, "since": end.at, "seq": end.seq,
            }  # fmt: skip
        if body.order is not None and kind != "ORDER_DENIED":
            self._take_order(kind, body, body.order, end.seq)
        self._take_plan(kind, body, end.seq)
        if body.restriction is not None:
            self._restrictions.take(kind, end.seq, body.restriction)
        for settled in body.settled:
            self._dues.settle(Due(settled.settles_on, settled.unsettled, settled.blocked))
        before = self._dues.unsettled(), self._dues.blocked()
        added = self._move_shares(kind, body, end.seq, cash_change)
        if kind != "BORROWED":  # what lacked is lent in the midst of the change that comes next
            self._dues.follow(added, end.cash, body.funds.unsettled, body.funds.blocked)
        if body.fill is not None and body.fill.side == "BUY" and end.seq in self._booked:
            used = before[0] - self._dues.unsettled(), before[1] - self._dues.blocked()
            self._booked[end.seq].used = Due(body.fill.settles_on, *used)

    def _move_shares(self, kind: str, body: _Body, seq: int, cash_change: int) -> list[Due]:
        """What the event did to holdings and positions. Returns what it leaves to settle."""
        if body.fill is not None:
            self._begin_day(body.fill.trade_date)
            if body.fill.product == "MIS":
                return self._trade(body.order, body.fill, seq, cash_change)
            return self._take_delivery(body.fill, body.short, seq, cash_change)
        if body.bust is not None:
            return self._take_back(body.order, body.bust, body.short, cash_change)
        if kind == "SHORT_DELIVERED":
            return self._deliver_short(body, cash_change)
        if kind == "POSITION_DELIVERED":
            self._deliver(body)
        elif kind == "SHORT_CLOSED_OUT":
            self._close_out(body)
        elif kind == "PLEDGE_SET" and body.holding is not None:
            self._holdings[body.holding.symbol].pledged = body.holding.pledged
        return []

    def _begin_day(self, trade_date: str) -> None:
        """A trade is taken back on its own day or not at all: what the days before did is booked
        for good."""
        if trade_date > self._day:
            self._day = trade_date
            self._trades.clear()
            self._booked.clear()
            self._ended = {
                number: order for number, order in self._ended.items()
                if order.facts.trade_date >= trade_date
            }  # fmt: skip

    def tables(self) -> Mapping[str, dict[Key, Row]]:
        """By table: the rows' keys behind the user, and the other columns of each."""
        return {
            "account": {(): self._account()},
            "kill_switch": self._kill_switch,
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
            "symbol_restriction": dict(self._restrictions.rows()),
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
        found = self._orders.pop(order.order_id, None) or self._ended.pop(order.order_id, None)
        if found is None:
            return  # it has ended; a report came late
        found.facts = order
        if kind == "ORDER_RELEASED":
            found.release(seq, body.charge_rates)
        if body.fill is not None:
            found.fill(body.fill.quantity, body.fill.value, body.fill.heads)
        elif body.bust is not None:
            heads = [-head for head in body.bust.heads]
            found.fill(-body.bust.quantity, -body.bust.value, heads)
        if order.status in WORKING:
            self._orders[order.order_id] = found
        else:  # a late fill may end it otherwise, and that one's bust open it again
            self._ended[order.order_id] = found

    def _take_delivery(
        self, fill: _Fill, short: _Shares | None, seq: int, cash_change: int
    ) -> list[Due]:
        """A delivery fill; what a sale lacked is sold short in the position of its day. Returns
        what it leaves to settle."""
        holding = self._holdings.setdefault(fill.symbol, Holding())
        nothing = Due(fill.settles_on, 0, 0)
        if fill.side == "BUY":
            bought = Lot(seq, fill.trade_date, fill.settles_on, fill.quantity, fill.value)
            holding.lots.append(bought)
            self._booked[seq] = Booked([], nothing, nothing)
            return []
        held = sum(x.quantity for x in holding.lots if x.trade_date <= fill.trade_date)
        lacked = max(0, fill.quantity - max(0, held - holding.pledged))
        paid = half_up(fill.value * (fill.quantity - lacked), fill.quantity)
        if lacked and short is None:
            raise ReplayFault("more was sold than was held")
        taken, blocked = take_lots(holding, fill.quantity - lacked, paid, fill.trade_date)
        added, gain = [], cash_change
        if short is not None:
            if (short.quantity, short.value) != (lacked, fill.value - paid):
                raise ReplayFault(f"the sale lacked {lacked} worth {fill.value - paid}")
            position = self._position_at(fill.symbol, fill.trade_date)
            position.margin_rate = max(position.margin_rate, short.margin_rate)
            realised = position.trade("SELL", short.quantity, short.value)
            self._remember((fill.symbol, fill.trade_date), seq, "SELL", short)
            added = self._dues.add_result(fill.trade_date, fill.settles_on, realised)
            gain -= realised
        due = Due(fill.settles_on, gain, min(blocked, gain)) if gain > 0 else nothing
        if gain > 0:
            added.append(due)
        self._booked[seq] = Booked(taken, replace(due), nothing)
        return added

    def _take_back(
        self, order: OrderFacts | None, bust: _Bust, short: _Shares | None, cash_change: int
    ) -> list[Due]:
        """A fill the other way: the shares go back to where they came from, the position is made
        of its other trades, what was to settle of it is not. Returns what is to settle again."""
        added: list[Due] = []
        if bust.product == "MIS" or short is not None:
            day = order.trade_date if order and bust.product == "MIS" else bust.trade_date
            trades = self._trades.get((bust.symbol, day), {})
            if trades.pop(bust.seq, None) is None:
                raise ReplayFault(f"the fill {bust.seq} that was taken back is no trade of its day")
            realised = self._position_at(bust.symbol, day).again(list(trades.values()))
            gain = cash_change if bust.product == "MIS" else realised
            added = self._dues.add_result(bust.trade_date, bust.settles_on, gain)
        if bust.product == "MIS":
            return added
        booked = self._booked.pop(bust.seq, None)
        if booked is None:
            raise ReplayFault(f"the fill {bust.seq} that was taken back is none that stands")
        holding = self._holdings[bust.symbol]
        if bust.side == "BUY":
            holding.take_back(bust.seq, bust.quantity, bust.value)
            return [booked.used] if booked.used.unsettled > 0 else []
        holding.give_back(booked.taken)
        self._dues.undo(booked.due)
        return added

    def _remember(self, place: tuple[str, str], seq: int, side: str, part: _Shares | _Fill) -> None:
        """A trade of a position, for when another of its trades is taken back."""
        self._trades.setdefault(place, {})[seq] = (side, part.quantity, part.value)

    def _trade(
        self, order: OrderFacts | None, fill: _Fill, seq: int, cash_change: int
    ) -> list[Due]:
        if order is None:
            raise ReplayFault("a fill of no order")
        position = self._position_at(order.symbol, order.trade_date)
        position.trade(fill.side, fill.quantity, fill.value)
        self._remember((order.symbol, order.trade_date), seq, fill.side, fill)
        return self._dues.add_result(fill.trade_date, fill.settles_on, cash_change)

    def _deliver(self, body: _Body) -> None:
        if body.position is None:
            raise ReplayFault("a delivery of no position")
        position = self._position_at(body.position.symbol, body.position.trade_date)
        holding = self._holdings.setdefault(body.position.symbol, Holding())
        [lot] = body.lots
        holding.lots.append(
            msgspec.structs.replace(lot, quantity=position.net, cost=position.open_value)
        )
        position.net = position.open_value = 0

    def _deliver_short(self, body: _Body, cash_change: int) -> list[Due]:
        if body.position is None or body.delivery is None:
            raise ReplayFault("a delivery of no position")
        position = self._position_at(body.position.symbol, body.position.trade_date)
        holding = self._holdings.setdefault(body.position.symbol, Holding())
        quantity = body.delivery.quantity
        if not 0 < quantity <= -position.net:
            raise ReplayFault(f"{quantity} delivered of {-position.net} short")
        blocked = take_lots(holding, quantity, cash_change, body.position.trade_date).blocked
        position.open_value -= half_up(position.open_value * quantity, -position.net)
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

    def _position_at(self, symbol: str, trade_date: str) -> Position:
        return self._positions.setdefault((symbol, trade_date), Position())

    def _account(self) -> Row:
        end = self._end
        if end is None:
            raise ReplayFault("no events")
        return {
            "seq": end.seq, "head": end.hash, "at": end.at, "cash": end.cash, "held": end.held,
            "borrowed": end.borrowed, "unsettled": self._dues.unsettled(),
            "blocked": self._dues.blocked(),
            "settles_next": next((due.settles_on for due in self._dues.days), NEVER),
            "open_orders": len(self._orders), "class": self._class, "state": self._state,
            "limits": self._limits,
        }  # fmt: skip

    def _holding(self, symbol: str, holding: Holding) -> Row:
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

    def _position(self, place: tuple[str, str], position: Position) -> Row:
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
