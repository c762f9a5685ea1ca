"""The orders in the order in which they are read, exits as a ladder under what they leave.

Invariant: every order of the account stands in the blotter once, whatever it is linked with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tui.client.models import Order
from tui.state.account import Account

STOP, TARGET = "STOP", "TARGET"


@dataclass(frozen=True, slots=True)
class Rung:
    """A line of the blotter. Without an `order` it is an exit that comes to life with the fills of
    `entry`. `branch` draws it under, or beside, what it belongs to; `leg` is STOP or TARGET."""

    order: Order | None
    branch: str = ""
    leg: str = ""
    entry: Order | None = None

    @property
    def key(self) -> str:
        """What no other line has."""
        if self.order is not None:
            return self.order.order_id
        return f"{self.entry.order_id if self.entry else ''}:{self.leg}"

    @property
    def price(self) -> Decimal | None:
        """What it waits for, or its limit."""
        if self.order is not None:
            return self.order.price
        exits = self.entry.exits if self.entry is not None else None
        if exits is None:
            return None
        return exits.stop.trigger_price if self.leg == STOP else exits.target.price


def blotter(account: Account) -> list[Rung]:
    """Working orders above finished ones, the newest first in each. Exits stand under their entry,
    or, of what was held already, as a pair; a ladder stands where its liveliest order would."""
    orders = account.orders
    ladders: dict[str, list[Order]] = {}
    for order in orders.values():
        ladders.setdefault(_head(order, orders), []).append(order)
    ranked = sorted(ladders.items(), key=lambda ladder: min(map(_rank, ladder[1])))
    return [rung for head, members in ranked for rung in _ladder(orders.get(head), members)]


def _head(order: Order, orders: Mapping[str, Order]) -> str:
    """What the order stands under: its entry, else its pair, else itself."""
    entry = orders.get(order.parent_order_id or "") if order.leg else None
    if entry is not None and not entry.leg and not entry.group_id:
        return entry.order_id
    return f"pair {order.group_id}" if order.group_id else order.order_id


def _ladder(entry: Order | None, members: list[Order]) -> Iterable[Rung]:
    exits = sorted((each for each in members if each is not entry), key=_in_pair)
    if entry is None:
        marks = ["┌", *"│" * (len(exits) - 2), "└"] if len(exits) > 1 else [""]
        return [Rung(each, mark, each.leg or "") for each, mark in zip(exits, marks, strict=True)]
    rungs: list[tuple[Order | None, str]] = [(each, each.leg or "") for each in exits]
    to_come = entry.exits is not None and entry.is_working
    if to_come and not any(each.is_working for each in exits):
        rungs += [(None, STOP), (None, TARGET)]
    marks = ["├"] * (len(rungs) - 1) + ["└"]
    drawn = zip(rungs, marks, strict=False)  # without rungs there is a mark too many
    return [Rung(entry), *(Rung(order, mark, leg, entry) for (order, leg), mark in drawn)]


def _in_pair(order: Order) -> tuple[str, str, int]:
    return (order.group_id or "", order.leg or "", _number(order))


def _rank(order: Order) -> tuple[bool, float, int]:
    created = order.created_at.timestamp() if order.created_at else 0.0
    return (not order.is_working, -created, -_number(order))


def _number(order: Order) -> int:
    return int(order.order_id) if order.order_id.isdecimal() else 0
