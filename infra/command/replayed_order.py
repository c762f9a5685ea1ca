"""One order as its events leave it: what it needs while it works, and what its row must be.

Invariant: what an order was filled for and charged is added up from its fills; its terms are those
it was placed under, or released under when it waited. Only what can't be worked out is taken from
what its latest event tells of it.
"""

from typing import Any

import msgspec

WORKING = frozenset({"PENDING", "OPEN", "PARTIALLY_FILLED", "TRIGGER_PENDING"})

_ADDED_UP = frozenset({"order_id", "filled_quantity", "traded_value"})


class OrderFacts(msgspec.Struct):
    """What an event tells of an order; the names are the columns'."""

    order_id: int
    client_order_id: str
    venue_order_id: str | None
    symbol: str
    side: str
    type: str
    quantity: int
    disclosed_quantity: int | None
    price: int | None
    limit_price: int
    parent_order_id: int | None
    group_id: int | None
    leg: str | None
    stance: str | None
    exits: list[dict[str, Any]] | None
    trail: int | None
    trail_step: int | None
    trigger_price: int | None
    trigger_above: bool | None
    releases_at: int | None
    expires_at: int | None
    product: str
    validity: str
    trade_date: str
    reserved: int
    margin_rate: int
    status: str
    filled_quantity: int
    traded_value: int
    pending_change: str | None
    pending_quantity: int | None
    pending_price: int | None
    pending_reserved: int | None
    request: int
    accepted_request: int
    reason_code: str | None
    reason: str | None
    rules: list[dict[str, Any]] | None
    created_at: int
    updated_at: int
    version: int

    def keeps_nothing(self) -> bool:
        """A GTT, while it waits, and of two exits that wait together all but the one that keeps for
        both. Exits of an intraday position keep nothing at all."""
        leads = self.stance == "LEADS" and self.product != "MIS"
        alone = self.validity != "GTT" and (self.stance is None or leads)
        return self.status == "TRIGGER_PENDING" and not alone

    def shares(self) -> int:
        """What is still to be filled, of the larger of what it is and is asked to become."""
        if self.keeps_nothing():
            return 0
        return max(0, max(self.quantity, self.pending_quantity or 0) - self.filled_quantity)

    def cash(self) -> int:
        """What that needs, rounded up: the dearer of what it is and is asked to become."""
        if self.keeps_nothing():
            return 0
        now = _up(self.reserved * (self.quantity - self.filled_quantity), self.quantity)
        if self.pending_quantity is None or self.pending_quantity <= self.filled_quantity:
            return now
        rest = self.pending_quantity - self.filled_quantity
        return max(now, _up((self.pending_reserved or 0) * rest, self.pending_quantity))


class ReplayedOrder:
    """Made by the event that placed the order; told of every later one that is about it."""

    def __init__(
        self, facts: OrderFacts, seq: int, fingerprint: str, charge_rates: list[int], context: str
    ) -> None:
        self.facts = facts
        self._charges = [0] * 7
        self._filled = 0
        self._traded = 0
        self._terms: dict[str, object] = {
            "placed_seq": seq, "fingerprint": bytes.fromhex(fingerprint),
            "charge_rates": charge_rates, "context": context, "released_seq": None,
        }  # fmt: skip

    def release(self, seq: int, charge_rates: list[int]) -> None:
        """It has waited; it is charged as on the day it goes to the venue."""
        self._terms |= {"released_seq": seq, "charge_rates": charge_rates}

    def fill(self, quantity: int, value: int, heads: list[int]) -> None:
        self._filled += quantity
        self._traded += value
        self._charges = [sum(both) for both in zip(self._charges, heads, strict=True)]

    def row(self) -> dict[str, object]:
        """The columns of its row, its number apart."""
        told = {name: value for name, value in msgspec.structs.asdict(self.facts).items()
                if name not in _ADDED_UP}  # fmt: skip
        return told | self._terms | {
            "filled_quantity": self._filled, "traded_value": self._traded, "charges": self._charges,
        }  # fmt: skip


def _up(part: int, whole: int) -> int:
    return -(-part // whole)
