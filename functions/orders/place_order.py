"""Placing an order: public facts, verdict, one round trip, and the answer at once.

Invariant: the answer says what was recorded, never what may become of it; the fill comes by push.
"""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping.checking import OrderRequest, load_facts, placement
from functions.shared.bookkeeping.placing import Placed, RateReached, place, recall
from functions.shared.domain.errors import Conflict, InvariantViolated, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import OrderFacts, render_order


def place_order(
    stores: Stores, user_id: int, client_order_id: str, request: OrderRequest
) -> Response[str]:
    """202 for a new order, 200 for one placed before with the same id and body.

    Raises Refused 422 with every failed rule, 429 RATE_LIMITED above the account's rate, and
    Conflict ID_REUSED for the same id with another body.
    """
    try:
        facts = load_facts(stores.instruments, stores.quotes, stores.clock, request.symbol)
        wanted = placement(user_id, client_order_id, request, facts)
    except (Refused, Retryable):
        known = recall(stores.shards, user_id, client_order_id, request.fingerprint())
        if known is None:
            raise
        return _answer(known, client_order_id)
    placed = place(stores.shards, wanted)
    wake_relay(stores.valkey, stores.shards.number_of_user(user_id))
    return _answer(placed, client_order_id)


def _answer(placed: Placed, client_order_id: str) -> Response[str]:
    if placed.reached is not None:
        raise rate_limited(placed.reached)
    if placed.outcome == "KEY_REUSED":
        raise Conflict("ID_REUSED", f"{client_order_id} was used for another order")
    order = _order_of(placed)
    if order.status == "DENIED":
        raise refusal(order, placed.rules)
    status = HTTPStatus.OK if placed.outcome == "REPLAY" else HTTPStatus.ACCEPTED
    return respond(render_order(order), status)


def rate_limited(reached: RateReached) -> Refused:
    """The 429 of an order above the account's rate."""
    return Refused(
        429, "RATE_LIMITED", f"at most {reached.most} orders a {reached.per}",
        retry_after_seconds=-(-reached.wait_ms // 1000), per=reached.per, limit=reached.most,
    )  # fmt: skip


def refusal(order: OrderFacts, rules: list[dict[str, object]]) -> Refused:
    """The 422 of an order, or of a change to one, that breaks rules."""
    codes = ", ".join(str(rule["code"]) for rule in rules)
    return Refused(
        422, "ORDER_REFUSED", codes, order_id=str(order.order_id),
        client_order_id=order.client_order_id, rules=rules,
    )  # fmt: skip


def _order_of(placed: Placed) -> OrderFacts:
    if placed.order is None:
        raise InvariantViolated("placing an order left none")
    return placed.order
