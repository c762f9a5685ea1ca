"""A user's orders: a page of them, or one with its history and fills."""

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping import reading
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.wire.events import format_time, render_fill, render_order, render_seen
from functions.shared.wire.exits import render_cause


def list_orders(stores: Stores, user_id: int, query: reading.OrderQuery) -> Response[str]:
    """Newest first; `next` is the cursor of the following page, null on the last."""
    found = reading.orders(stores.shards, user_id, query)
    following = str(found[-1].order_id) if len(found) == query.rows else None
    return respond({"items": [render_order(order) for order in found], "next": following})


def show_order(stores: Stores, user_id: int, order_id: int) -> Response[str]:
    """The order with its whole life. Raises NotFound unless it is this user's."""
    order, _ = reading.order(stores.shards, user_id, order_id)
    history = [
        {
            "seq": row.seq,
            "time": format_time(row.at),
            "kind": row.kind,
            "status": row.status,
            "trigger": None if row.seen is None else render_seen(row.seen),
            "cause": None if row.cause is None else render_cause(row.cause),
        }
        for row in reading.history(stores.shards, user_id, order_id)
    ]
    fills = [render_fill(fill) for fill in reading.fills(stores.shards, user_id, order_id)]
    linked = [render_order(other) for other in reading.linked(stores.shards, user_id, order_id)]
    return respond({**render_order(order), "history": history, "linked": linked, "fills": fills})
