"""Placing an order: public facts, verdict, one round trip, and the answer at once.

Invariant: the answer says what was recorded, never what may become of it; the fill comes by push.
"""

from collections.abc import Sequence
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from functions.shared.access.principal import Principal
from functions.shared.bookkeeping.checking import OrderRequest, PublicFacts, load_facts, placement
from functions.shared.bookkeeping.placing import (
    Placed,
    Placement,
    place,
    place_many,
    recall,
)
from functions.shared.domain.errors import Conflict, InvariantViolated, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.runtime.problems import problem_of
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import OrderFacts, render_order


def place_order(
    stores: Stores, caller: Principal, client_order_id: str, request: OrderRequest
) -> Response[str]:
    """202 for a new order, 200 for one placed before with the same id and body.

    Raises Refused 422 with every failed rule, 429 RATE_LIMITED above the account's rate, and
    Conflict ID_REUSED for the same id with another body.
    """
    user_id = caller.user_id
    try:
        facts = load_facts(stores.instruments, stores.quotes, stores.clock, request.symbol)
        facts.require_calendar(live=caller.live)
        wanted = placement(user_id, client_order_id, request, facts, caller.algo_id)
    except (Refused, Retryable):
        known = _recalled(stores, user_id, client_order_id, request)
        if known is None:
            raise
        return _answer(known, client_order_id)
    placed = place(stores.shards, wanted)
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    return _answer(placed, client_order_id)


def place_basket(
    stores: Stores, caller: Principal, orders: Sequence[tuple[str, OrderRequest]], request: str
) -> Response[str]:
    """200 with an answer for each order, in their order: the `status` it would have had by itself,
    and the `order` or the `problem`. What can be judged is placed in one round trip; what can't be
    keeps nothing else from it. Raises Retryable when the ledger doesn't answer in time: sent again
    with the same ids, each order has its first answer."""
    user_id = caller.user_id
    facts: dict[str, PublicFacts | Refused | Retryable] = {}
    answers: list[Placed | Placement | Refused | Retryable] = []
    wanted: list[Placement] = []
    for client_order_id, order in orders:
        try:
            if order.symbol not in facts:
                facts[order.symbol] = _facts_or_why_not(stores, order.symbol)
            known = facts[order.symbol]
            if not isinstance(known, PublicFacts):
                raise known
            known.require_calendar(live=caller.live)
            wanted.append(placement(user_id, client_order_id, order, known, caller.algo_id))
        except (Refused, Retryable) as error:
            answers.append(_recalled(stores, user_id, client_order_id, order) or error)
        else:
            answers.append(wanted[-1])
    placed = iter(place_many(stores.shards, wanted))
    if wanted:
        wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    items = [
        _item(next(placed) if isinstance(answer, Placement) else answer, client_order_id, request)
        for (client_order_id, _), answer in zip(orders, answers, strict=True)
    ]
    return respond({"items": items, "next": None})


def _facts_or_why_not(stores: Stores, symbol: str) -> PublicFacts | Refused | Retryable:
    try:
        return load_facts(stores.instruments, stores.quotes, stores.clock, symbol)
    except (Refused, Retryable) as error:
        return error


def _recalled(
    stores: Stores, user_id: int, client_order_id: str, order: OrderRequest
) -> Placed | None:
    return recall(stores.shards, user_id, client_order_id, order.fingerprint())


def _item(
    answer: Placed | Refused | Retryable, client_order_id: str, request: str
) -> dict[str, object]:
    """One order's part of a basket's answer."""
    item: dict[str, object] = {"client_order_id": client_order_id}
    try:
        if not isinstance(answer, Placed):
            raise answer
        order, status = _order_of(answer, client_order_id), _status_of(answer)
    except (Refused, Conflict, Retryable) as error:
        problem = problem_of(error, request)
        return {**item, "status": problem["status"], "problem": problem}
    return {**item, "status": int(status), "order": render_order(order)}


def _answer(placed: Placed, client_order_id: str) -> Response[str]:
    return respond(render_order(_order_of(placed, client_order_id)), _status_of(placed))


def _status_of(placed: Placed) -> HTTPStatus:
    return HTTPStatus.OK if placed.outcome == "REPLAY" else HTTPStatus.ACCEPTED


def refusal(order: OrderFacts, rules: list[dict[str, object]]) -> Refused:
    """The 422 of an order, or of a change to one, that breaks rules."""
    codes = ", ".join(str(rule["code"]) for rule in rules)
    return Refused(
        422, "ORDER_REFUSED", codes, order_id=str(order.order_id),
        client_order_id=order.client_order_id, rules=rules,
    )  # fmt: skip


def _order_of(placed: Placed, client_order_id: str) -> OrderFacts:
    """The order that was accepted. Raises Refused and Conflict for one that was not."""
    if placed.reached is not None:
        raise placed.reached.refused()
    if placed.outcome == "KEY_REUSED":
        raise Conflict("ID_REUSED", f"{client_order_id} was used for another order")
    if placed.order is None:
        raise InvariantViolated("placing an order left none")
    if placed.order.status == "DENIED":
        raise refusal(placed.order, placed.rules)
    return placed.order
