"""Cancelling and modifying a working order. Both are requests: the venue has the last word."""

from collections.abc import Iterator
from datetime import date
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from functions.orders.place_order import refusal
from functions.shared.bookkeeping import changing, reading
from functions.shared.bookkeeping.checking import load_facts
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Conflict, Refused
from functions.shared.domain.orders import OrderType, Product, Side, Status
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import OrderFacts, render_order

#: An order only moves down this list: one that moves while it is walked is met again, not missed.
_WORKING_IN_TURN = (Status.PENDING, Status.OPEN, Status.PARTIALLY_FILLED)
PAGE = 500


def cancel_order(
    stores: Stores, user_id: int, order_id: int, request_id: str, version: int | None
) -> Response[str]:
    """202 with the order, its cancel on the way. Raises NotFound, and Conflict when it has ended
    or another change is in flight."""
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
) -> Response[str]:
    """202 with the order, its change on the way. `quantity` is the new total, `price` the new
    limit; what is None stays. Raises as `cancel_order`, and Refused 422 for a broken rule."""
    order, limit_price = reading.order(stores.shards, user_id, order_id)
    if order.type == OrderType.MARKET and price is not None:
        raise Refused(400, "INVALID_REQUEST", "price: a MARKET order has none")
    facts = load_facts(stores.instruments, stores.quotes, stores.clock, order.symbol)
    # A market order rests at its protected price; judged as the limit it is at the venue.
    intent = OrderIntent(
        Side(order.side), OrderType.LIMIT, quantity or order.quantity, price or limit_price
    )
    judgement = facts.judge(intent, Product(order.product))
    changed = changing.request_modify(
        stores.shards,
        user_id,
        order_id,
        request_id,
        version,
        facts.status.trade_date,
        facts.now,
        changing.Asked(quantity, price),
        intent.quantity,
        judgement,
    )
    if changed.rules:
        raise refusal(changed.order, changed.rules)
    _wake(stores, user_id)
    return respond(render_order(changed.order), HTTPStatus.ACCEPTED)


def cancel_all(stores: Stores, user_id: int, request_id: str) -> Response[str]:
    """202 with the working orders that are now being cancelled. One that ended meanwhile, or that
    another change is in flight for, is left out."""
    items: list[dict[str, object]] = []
    for order in _working_orders(stores, user_id):
        if order.pending_change is None:
            try:
                changed = changing.request_cancel(
                    stores.shards,
                    user_id,
                    order.order_id,
                    request_id,
                    None,
                    _today(stores),
                    stores.clock.now(),
                )
            except Conflict:  # it ended, or began to change, since it was listed
                continue
            items.append(render_order(changed.order))
    _wake(stores, user_id)
    return respond({"items": items, "next": None}, HTTPStatus.ACCEPTED)


def _working_orders(stores: Stores, user_id: int) -> Iterator[OrderFacts]:
    """All of them; the limit on a user's open orders bounds how many that is."""
    for status in _WORKING_IN_TURN:
        before = None
        while True:
            query = reading.OrderQuery(rows=PAGE, before=before, status=status)
            page = reading.orders(stores.shards, user_id, query)
            yield from page
            if len(page) < PAGE:
                break
            before = page[-1].order_id


def _today(stores: Stores) -> date:
    return market_status(stores.clock.now(), stores.clock.hours).trade_date


def _wake(stores: Stores, user_id: int) -> None:
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
