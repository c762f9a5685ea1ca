"""Asking for a change to a working order: cancel it, or replace its quantity and price.

Invariant: the order stays as it is until the venue says otherwise; while a change is in flight the
larger of the two holds is kept, so neither outcome can be short. An order that waits for its
trigger is nobody else's: it is changed by the same call, at once. A cancel that comes while a
change is in flight is taken, and goes out when the venue has answered the change. A request_id
stands for one body from its first answer on, be it a refusal by the rules: sent again with it, it
is the same change or the same refusal; with another one it is refused. A conflict is of its moment
and uses up no id.
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
    " :request_id, :asked, :version, :quantity, :price, :reserved, :verdict, :today, :now,"
    " :trigger_price, :changes_max)"
)

_RECALL = (
    "SELECT k.key, e.kind, ledger.order_facts(o)::text,"
    " coalesce((e.body::json -> 'rules')::text, '[]')"
    " FROM ledger.orders o, unnest(o.change_keys, o.change_seqs) AS k (key, seq)"
    " JOIN ledger.ledger_event e ON e.user_id = :user_id AND e.seq = k.seq"
    " WHERE o.user_id = :user_id AND o.order_id = :order_id AND starts_with(k.key, :id)"
)
_CANCEL_ALL = (
    "SELECT outcome, order_facts, plan_number FROM ledger.cancel_all(:user_id, :request_id, :asked,"
    " :symbol, :side, :today, :now)"
)

_CONFLICTS = {
    "KEY_REUSED": ("ID_REUSED", "the request_id was used with another body"),
    "NOT_WORKING": ("ORDER_ENDED", "the order has ended"),
    "IN_FLIGHT": ("CHANGE_PENDING", "another change is on its way to the venue"),
    "VERSION_MOVED": ("VERSION_MOVED", "the order has changed since that version"),
    "BELOW_FILLED": ("BELOW_FILLED", "the total quantity must be above what has been filled"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the body of a change names, whatever it then comes to: the new total, the new price and
    the new trigger in ten-thousandths of a rupee, or nothing, which is a cancel."""

    quantity: int | None = None
    price: int | None = None
    trigger_price: int | None = None


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
    return _change(
        shards, user_id, order_id, request_id, version, today, now, Asked(), None, Asked()
    )


def request_cancel_all(
    shards: Shards,
    user_id: int,
    request_id: str,
    symbol: str | None,
    side: Side | None,
    today: date,
    now: datetime,
) -> tuple[list[OrderFacts], list[int]]:
    """Asks to cancel every working order and plan, of that symbol and side if given, and says
    which: the orders, and the plans' numbers. Asked again by the same id, it is about the same.
    Raises NotFound without an account, Conflict for an id that stands for another symbol or
    side."""
    of_side = None if side is None else side.value
    rows = shards.of_user(user_id).call(
        _CANCEL_ALL,
        user_id=user_id,
        request_id=request_id,
        asked=msgspec.json.encode((symbol, of_side)).decode(),
        symbol=symbol,
        side=of_side,
        today=today,
        now=now,
    )
    for outcome, _, _ in rows:
        if outcome in _CONFLICTS:
            raise Conflict(*_CONFLICTS[outcome])
    orders = [decode_order(order) for _, order, _ in rows if order is not None]
    return orders, [plan for _, _, plan in rows if plan is not None]


def request_modify(
    shards: Shards,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    today: date,
    now: datetime,
    asked: Asked,
    quantity: int,
    judgement: Judgement,
    trigger_price: int | None = None,
) -> Changed:
    """Asks to replace: `quantity` is the new total, `trigger_price` what the body comes to where it
    names none. Raises as `request_cancel` does."""
    terms = Asked(quantity, trigger_price=asked.trigger_price or trigger_price)
    return _change(
        shards, user_id, order_id, request_id, version, today, now, asked, judgement, terms
    )


def recall(
    shards: Shards, user_id: int, order_id: int, request_id: str, version: int | None, asked: Asked
) -> Changed | None:
    """The first answer to a modification whose id was used before, None for a new one: for when the
    market's facts can't be had, or the order has moved on since. Raises Conflict for an id that
    stands for another body."""
    key = f"replace {request_id} "
    rows = shards.of_user(user_id).run(_RECALL, user_id=user_id, order_id=order_id, id=key)
    if not rows:
        return None
    known, kind, order, rules = rows[0]
    if known != key + _body_text(asked, version):
        raise Conflict(*_CONFLICTS["KEY_REUSED"])
    denied = kind == "CHANGE_DENIED"
    return Changed(decode_order(order), msgspec.json.decode(rules) if denied else [])


def _change(
    shards: Shards,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    today: date,
    now: datetime,
    asked: Asked,
    judgement: Judgement | None,
    terms: Asked,
) -> Changed:
    outcome, order, rules = shards.of_user(user_id).call(
        _CHANGE,
        user_id=user_id,
        order_id=order_id,
        request_id=request_id,
        asked=_body_text(asked, version),
        version=version,
        quantity=terms.quantity,
        price=None if judgement is None else judgement.limit_price,
        reserved=None if judgement is None else judgement.reserved,
        verdict="[]" if judgement is None else verdict_text(judgement),
        today=today,
        now=now,
        trigger_price=terms.trigger_price,
        changes_max=order_limits(today).changes_max,
    )[0]
    if outcome == "NOT_FOUND":
        raise NotFound(f"no order {order_id}")
    if outcome in _CONFLICTS:
        raise Conflict(*_CONFLICTS[outcome])
    return Changed(decode_order(order), msgspec.json.decode(rules))


def _body_text(asked: Asked, version: int | None) -> str:
    """The same body gives the same text, and nothing derived is in it."""
    return msgspec.json.encode((asked.quantity, asked.price, asked.trigger_price, version)).decode()
