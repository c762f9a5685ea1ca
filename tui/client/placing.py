"""Placing an order so that a lost answer never loses or doubles it.

Flow: journal the intent, send, and on silence send the same client_order_id again; the broker
answers a known id with its first outcome. A timeout is not a refusal.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime

from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.journal import Journal
from tui.client.models import Order

TRIES_MAX = 4
RETRY_BASE_S = 0.5


class OutcomeUnknownError(Exception):
    """No answer after TRIES_MAX tries: the order may or may not be at the broker."""


async def place_order(
    broker: Broker,
    journal: Journal,
    body: Mapping[str, str | int | None],
    now: Callable[[], datetime],
    rng: random.Random,
) -> Order:
    """Send `body` (with its client_order_id) until it is answered.

    Raises RefusedError with the broker's reasons, OutcomeUnknownError when no answer came; the
    intent then stays open in the journal and is settled by the next list of orders.
    """
    client_order_id = str(body["client_order_id"])
    await asyncio.to_thread(journal.intend, body, now())
    last = ""
    for attempt in range(TRIES_MAX):
        if attempt:
            await asyncio.sleep(rng.uniform(0, RETRY_BASE_S * 2**attempt))
        try:
            order = await broker.place(body)
        except RefusedError as refusal:
            await asyncio.to_thread(journal.settle, client_order_id, refusal.problem.code, now())
            raise
        except UnreachableError as silence:
            last = str(silence)
            continue
        await asyncio.to_thread(journal.settle, client_order_id, order.order_id, now())
        return order
    raise OutcomeUnknownError(last)


def settle_from(journal: Journal, orders: list[Order], now: datetime) -> list[str]:
    """Settle open intents by the broker's list; return the client_order_ids it does not know.

    Those never became orders: they are settled as such and not sent again, because the price the
    user saw has moved on.
    """
    known = {order.client_order_id: order.order_id for order in orders}
    lost = []
    for intent in journal.unsettled():
        order_id = known.get(intent.client_order_id)
        if order_id is None:
            lost.append(intent.client_order_id)
        journal.settle(intent.client_order_id, order_id or "never reached the broker", now)
    return lost
