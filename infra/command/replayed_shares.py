"""One account's shares, worked out again: lots, first in, first out, and a day's positions.

Invariant: what a fill did to them is remembered as far as taking it back needs it, so that a trade
the venue busts is undone as it was booked.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from infra.command.replayed_dues import Due, ReplayFault

KEPT_PERCENT = 20
"""Of the proceeds of settled shares, until they settle; of shares bought the day before, all; of
those bought the same day, what they gained."""


class Lot(msgspec.Struct):
    lot: int
    trade_date: str
    settles_on: str
    quantity: int
    cost: int


class Taken(NamedTuple):
    """What left a holding: parts of lots, and what of the value must settle before it is spent."""

    lots: list[Lot]
    blocked: int


@dataclass
class Booked:
    """What a delivery fill did: the lots a sale took, what it left to settle, and how much that was
    to settle the money for it came from."""

    taken: list[Lot]
    due: Due
    used: Due


@dataclass
class Holding:
    pledged: int = 0
    lots: list[Lot] = field(default_factory=list)

    def give_back(self, lots: list[Lot]) -> None:
        """Parts of lots that a sale took, which was taken back."""
        for part in lots:
            lot = next((x for x in self.lots if x.lot == part.lot), None)
            if lot is None:
                self.lots.append(part)
            else:
                lot.quantity += part.quantity
                lot.cost += part.cost

    def take_back(self, number: int, quantity: int, cost: int) -> None:
        """A purchase that was taken back: nothing of it can have been sold."""
        lot = next((x for x in self.lots if x.lot == number), None)
        if lot is None or (lot.quantity, lot.cost) != (quantity, cost):
            raise ReplayFault(f"lot {number} was taken back and is not as it was bought")
        self.lots.remove(lot)


@dataclass
class Position:
    margin_rate: int = 0
    net: int = 0
    open_value: int = 0
    buy_quantity: int = 0
    buy_value: int = 0
    sell_quantity: int = 0
    sell_value: int = 0
    realised: int = 0

    def again(self, trades: list[tuple[str, int, int]]) -> int:
        """Made anew of its trades: side, quantity, value. Returns by how much what was realised
        changed."""
        before = self.realised
        self.net = self.open_value = self.realised = 0
        self.buy_quantity = self.buy_value = self.sell_quantity = self.sell_value = 0
        for trade in trades:
            self.trade(*trade)
        return self.realised - before

    def trade(self, side: str, quantity: int, value: int) -> int:
        """What closes is realised against the average entry, the rest opens. Returns what was
        realised."""
        sign = 1 if side == "BUY" else -1
        closing = min(quantity, max(0, -sign * self.net))
        entry = half_up(self.open_value * closing, abs(self.net)) if closing else 0
        exit_ = half_up(value * closing, quantity)
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


def take_lots(holding: Holding, quantity: int, value: int, trade_date: str) -> Taken:
    """First in, first out, behind the oldest shares, which are those pledged, and none bought after
    the sale's trade date; a part of a lot takes its part of the cost, half a paisa up. Returns
    what left."""
    sold = shared = blocked = 0
    parts: list[Lot] = []
    holding.lots.sort(key=lambda lot: (lot.trade_date, lot.lot))
    pledged = holding.pledged
    for lot in holding.lots:
        kept = min(pledged, lot.quantity)
        pledged -= kept
        taken = min(quantity - sold, lot.quantity - kept)
        if taken and lot.trade_date <= trade_date:
            cost = half_up(lot.cost * taken, lot.quantity)
            lot.cost -= cost
            lot.quantity -= taken
            parts.append(msgspec.structs.replace(lot, quantity=taken, cost=cost))
            sold += taken
            part = half_up(value * sold, quantity) - shared
            shared += part
            if lot.settles_on <= trade_date:
                blocked += -(-part * KEPT_PERCENT // 100)
            else:
                blocked += part if lot.trade_date < trade_date else max(0, part - cost)
    if sold < quantity:
        raise ReplayFault("more was sold than was held")
    holding.lots = [lot for lot in holding.lots if lot.quantity]
    return Taken(parts, blocked)


def half_up(part: int, whole: int) -> int:
    return (part * 2 + whole) // (whole * 2)
