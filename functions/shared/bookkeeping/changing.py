"""Asking for a change to a working order: cancel it, or replace its quantity and price.

Invariant: the order stays as it is until the venue says otherwise; while a change is in flight the
larger of the two holds is kept, so neither outcome can be short. An order that waits for its
trigger is nobody else's: it is changed by the same call, at once. A cancel that comes while a
change is in flight is taken, and goes out when the venue has answered the change.
"""

from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from functions.shared.domain.errors import Conflict, NotFound
from functions.shared.domain.orders import Side
from functions.shared.domain.pretrade import Judgement, order_limits
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import OrderFacts, decode_order

from .placing import verdict_text

_CHANGE = (
    "SELECT outcome, order_facts, rules FROM ledger.request_change(:user_id, :order_id,"
    " :request_id, :version, :quantity, :price, :reserved, :verdict, :today, :now,"
    " :trigger_price, :changes_max)"
)

_CANCEL_ALL = (
    "SELECT facts FROM ledger.cancel_all(:user_id, :request_id, :symbol, :side, :today, :now)"
)

_CONFLICTS = {
    "NOT_WORKING": ("ORDER_ENDED", "the order has ended"),
    "IN_FLIGHT": ("CHANGE_PENDING", "another change is on its way to the venue"),
    "VERSION_MOVED": ("VERSION_MOVED", "the order has changed since that version"),
    "BELOW_FILLED": ("BELOW_FILLED", "the total quantity must be above what has been filled"),
}


@dataclass(frozen=True, slots=True)
class Changed:
    """`rules` lists what a modification failed; empty when it was accepted."""

    order: OrderFacts
    rules: list[dict[str, object]]


def request_cancel(
    shards: Shards,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    today: date,
    now: datetime,
) -> Changed:
    """Asks to cancel. Raises NotFound for an order that isn't this user's, Conflict when it can't
    be changed now."""
    return _change(shards, user_id, order_id, request_id, version, today, now, None, 0, None)


def request_cancel_all(
    shards: Shards,
    user_id: int,
    request_id: str,
    symbol: str | None,
    side: Side | None,
    today: date,
    now: datetime,
) -> list[OrderFacts]:
    """Asks to cancel every working order, of that symbol and side if given, and says which. Asked
    again by the same id, it is about the same orders. Raises NotFound without an account."""
    rows = shards.of_user(user_id).call(
        _CANCEL_ALL,
        user_id=user_id,
        request_id=request_id,
        symbol=symbol,
        side=None if side is None else side.value,
        today=today,
        now=now,
    )
    return [decode_order(row[0]) for row in rows]


def request_modify(
    shards: Shards,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    today: date,
    now: datetime,
    quantity: int,
    judgement: Judgement,
    trigger_price: int | None = None,
) -> Changed:
    """Asks to replace: `quantity` is the new total, `trigger_price` the new one of an order that
    waits (None: it stays). Raises as `request_cancel` does."""
    return _change(
        shards, user_id, order_id, request_id, version, today, now, judgement, quantity,
        trigger_price,
    )  # fmt: skip


def _change(
    shards: Shards,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    today: date,
    now: datetime,
    judgement: Judgement | None,
    quantity: int,
    trigger_price: int | None,
) -> Changed:
    outcome, order, rules = shards.of_user(user_id).call(
        _CHANGE,
        user_id=user_id,
        order_id=order_id,
        request_id=request_id,
        version=version,
        quantity=None if judgement is None else quantity,
        price=None if judgement is None else judgement.limit_price,
        reserved=None if judgement is None else judgement.reserved,
        verdict="[]" if judgement is None else verdict_text(judgement),
        today=today,
        now=now,
        trigger_price=trigger_price,
        changes_max=order_limits(today).changes_max,
    )[0]
    if outcome == "NOT_FOUND":
        raise NotFound(f"no order {order_id}")
    if outcome in _CONFLICTS:
        raise Conflict(*_CONFLICTS[outcome])
    return Changed(decode_order(order), msgspec.json.decode(rules))
