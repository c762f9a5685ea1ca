"""A user's orders: a page of them, or one with its history and fills."""

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping import reading
from functions.shared.domain.waiting import RENEWAL_PREFIX
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.wire.events import render_fill, render_order
from functions.shared.wire.order_history import render_history


def list_orders(stores: Stores, user_id: int, query: reading.OrderQuery) -> Response[str]:
    """Newest first; `next` is the cursor of the following page, null on the last."""
    found = reading.orders(stores.shards, user_id, query)
    following = str(found[-1].order_id) if len(found) == query.rows else None
    return respond({"items": [render_order(order) for order in found], "next": following})


def show_order(stores: Stores, user_id: int, order_id: int) -> Response[str]:
    """The order with its whole life. Raises NotFound unless it is this user's."""
    order, _ = reading.order(stores.shards, user_id, order_id)
    history = render_history(reading.history(stores.shards, user_id, order_id))
    fills = [render_fill(fill) for fill in reading.fills(stores.shards, user_id, order_id)]
    others = reading.linked(stores.shards, user_id, order_id)
    key = f"{RENEWAL_PREFIX}{order_id}"
    renewed = next((str(each.order_id) for each in others if each.client_order_id == key), None)
    return respond({
        **render_order(order),
        "renewed_as": renewed,
        "history": history,
        "linked": [render_order(other) for other in others],
        "fills": fills,
    })  # fmt: skip
