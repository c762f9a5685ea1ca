"""Cancelling and modifying a working order. Both are requests: the venue has the last word, except
on an order that waits for its trigger, which it has never heard of.
"""

from dataclasses import replace
from datetime import date
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from functions.orders.place_order import refusal
from functions.shared.bookkeeping import changing, planning, reading
from functions.shared.bookkeeping.checking import PublicFacts, load_facts
from functions.shared.clock import from_micros, trade_date
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Conflict, Refused, Retryable
from functions.shared.domain.legs import ExitPrices, LegName
from functions.shared.domain.linked_exits import beyond_rules, moved_entry_rules
from functions.shared.domain.orders import PRICED, OrderType, Product, Side, Status, Validity
from functions.shared.domain.plans import SLICE_PREFIX
from functions.shared.domain.pretrade import OrderIntent, Rule
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import OrderFacts, render_order
from functions.shared.wire.plans import render_plan_in_full


def cancel_order(
    stores: Stores, user_id: int, order_id: int, request_id: str, version: int | None
) -> Response[str]:
    """202 with the order, its cancel on the way; a change in flight is answered first. Raises
    NotFound, and Conflict when it has ended."""
    changed = changing.request_cancel(
        stores.shards, user_id, order_id, request_id, version, _today(stores), stores.clock.now()
    )
    _wake(stores, user_id)
    return respond(render_order(changed.order), HTTPStatus.ACCEPTED)


def modify_order(
    stores: Stores,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    quantity: int | None,
    price: int | None,
    trigger_price: int | None,
) -> Response[str]:
    """202 with the order, its change on the way, or made if the order waits for its trigger.
    `quantity` is the new total, `price` the new limit; what is None stays. Raises as
    `cancel_order`, and Refused 422 for a broken rule."""
    asked = changing.Asked(quantity, price, trigger_price)
    try:
        changed = _ask(stores, user_id, order_id, request_id, version, asked)
    except (Refused, Conflict, Retryable):  # of this moment: a known id has its first answer
        known = changing.recall(stores.shards, user_id, order_id, request_id, version, asked)
        if known is None:
            raise
        changed = known
    if changed.rules:
        raise refusal(changed.order, changed.rules)
    _wake(stores, user_id)
    return respond(render_order(changed.order), HTTPStatus.ACCEPTED)


def _ask(
    stores: Stores,
    user_id: int,
    order_id: int,
    request_id: str,
    version: int | None,
    asked: changing.Asked,
) -> changing.Changed:
    """Judges the change and asks the ledger for it. Raises as `modify_order`."""
    order, limit_price = reading.order(stores.shards, user_id, order_id)
    _require_changeable(order, asked)
    facts = load_facts(stores.instruments, stores.quotes, stores.clock, order.symbol)
    today = facts.status.trade_date  # what is due settles by it, whichever session it is for
    waits = order.status == Status.TRIGGER_PENDING
    if order.releases_at is not None and waits:
        facts = facts.of_session(trade_date(from_micros(order.releases_at)))
    trigger_price = asked.trigger_price
    if waits and order.leg == LegName.TARGET:
        trigger_price = asked.price
    if waits:
        intent = OrderIntent(
            Side(order.side), OrderType(order.type), asked.quantity or order.quantity,
            asked.price or order.price, order.disclosed_quantity,
            trigger_price or order.trigger_price,
        )  # fmt: skip
    else:
        facts.require_route()
        # A market order rests at its protected price; judged as the limit it is at the venue.
        intent = OrderIntent(
            Side(order.side), OrderType.LIMIT, asked.quantity or order.quantity,
            asked.price or limit_price, order.disclosed_quantity,
        )  # fmt: skip
    judgement = facts.judge(intent, Product(order.product))
    far = [] if waits else facts.far_from_last(intent)
    return changing.request_modify(
        stores.shards,
        user_id,
        order_id,
        request_id,
        version,
        today,
        facts.now,
        asked,
        intent.quantity,
        replace(judgement, rules=(*far, *judgement.rules, *_exit_rules(order, asked, facts))),
        trigger_price,
    )


def _exit_rules(order: OrderFacts, asked: changing.Asked, facts: PublicFacts) -> list[Rule]:
    """What a new price means for an entry's exits, or for the target that it moves."""
    side, last = Side(order.side), facts.last_known()
    if asked.price is None:
        return []
    if order.leg == LegName.TARGET and order.status == Status.TRIGGER_PENDING:
        return beyond_rules(side, asked.price, last, facts.instrument)
    if order.exits is None:
        return []
    trigger = {leg.leg: leg.trigger_price for leg in order.exits}
    exits = ExitPrices(trigger[LegName.STOP], None, trigger[LegName.TARGET])
    return moved_entry_rules(side, asked.price, last, exits, facts.instrument)


def _require_changeable(order: OrderFacts, asked: changing.Asked) -> None:
    """Raises Refused 400 for a field that the order has not, Conflict for what can't be changed of
    an order of its kind."""
    quantity, price, trigger_price = asked.quantity, asked.price, asked.trigger_price
    if OrderType(order.type) not in PRICED and price is not None:
        raise Refused(400, "INVALID_REQUEST", f"price: a {order.type} order has none")
    if order.client_order_id.startswith(SLICE_PREFIX):
        raise Conflict("NOT_CHANGEABLE", "a plan's order can't be changed; cancel it or the plan")
    waits = order.status == Status.TRIGGER_PENDING
    if trigger_price is not None and not (waits and order.trigger_price is not None):
        raise Refused(400, "INVALID_REQUEST", "trigger_price: the order waits for none")
    if waits and order.validity == Validity.GTT:
        raise Conflict("NOT_CHANGEABLE", "a GTT can't be changed; cancel it and place another")
    target = order.leg == LegName.TARGET
    if order.leg is not None and (quantity is not None or (target and trigger_price is not None)):
        raise Conflict(
            "NOT_CHANGEABLE",
            "an exit that waits with another is for what is left of both, and a target waits for"
            " its price; cancel them and place others",
        )
    if order.trail is not None and trigger_price is not None:
        raise Conflict("NOT_CHANGEABLE", "a trailing stop's trigger follows the price")


def cancel_all(
    stores: Stores, user_id: int, request_id: str, symbol: str | None, side: Side | None
) -> Response[str]:
    """202 with the working orders and the plans, of that symbol and side if given, that are now
    being cancelled; asked again by the same id, with the same ones. Raises Refused 404
    UNKNOWN_SYMBOL."""
    instrument = None if symbol is None else stores.instruments.get(symbol)
    if symbol is not None and instrument is None:
        raise Refused(404, "UNKNOWN_SYMBOL", f"{symbol[:40]!r} is not listed", symbol=symbol[:40])
    orders, numbers = changing.request_cancel_all(
        stores.shards,
        user_id,
        request_id,
        None if instrument is None else instrument.symbol,
        side,
        _today(stores),
        stores.clock.now(),
    )
    _wake(stores, user_id)
    items = [render_order(order) for order in orders]
    found = [planning.view(stores.shards, user_id, number) for number in numbers]
    plans = [render_plan_in_full(plan.facts, plan.slices) for plan in found]
    return respond({"items": items, "plans": plans, "next": None}, HTTPStatus.ACCEPTED)


def _today(stores: Stores) -> date:
    return market_status(stores.clock.now(), stores.clock.hours).trade_date


def _wake(stores: Stores, user_id: int) -> None:
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
