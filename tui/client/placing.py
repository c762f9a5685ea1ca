"""Placing an order or a plan so that a lost answer never loses or doubles it.

Flow: journal the intent, send, and on silence send the same client id again; the broker
answers a known id with its first outcome. A timeout is not a refusal.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.journal import Journal
from tui.client.models import Order, Plan

Answer = TypeVar("Answer")

TRIES_MAX = 4
RETRY_BASE_S = 0.5


class OutcomeUnknownError(Exception):
    """No answer after TRIES_MAX tries: the order may or may not be at the broker."""


async def place_order(
    broker: Broker,
    journal: Journal,
    body: Mapping[str, object],
    now: Callable[[], datetime],
    rng: random.Random,
) -> Order:
    """Send `body` (with its client_order_id) until it is answered.

    Raises RefusedError with the broker's reasons, OutcomeUnknownError when no answer came; the
    intent then stays open in the journal and is settled by the next list of orders.
    """
    sent = _Sent(journal, str(body["client_order_id"]), body, now)
    return await sent.until_answered(broker.place, lambda order: order.order_id, rng)


async def open_plan(
    broker: Broker,
    journal: Journal,
    body: Mapping[str, object],
    now: Callable[[], datetime],
    rng: random.Random,
) -> Plan:
    """Send a plan's `body` (with its client_id) until it is answered; as `place_order`."""
    sent = _Sent(journal, str(body["client_id"]), body, now)
    return await sent.until_answered(broker.open_plan, lambda plan: plan.plan_id, rng)


@dataclass(frozen=True, slots=True)
class _Sent:
    """One request and the client's id that makes it happen once."""

    journal: Journal
    client_id: str
    body: Mapping[str, object]
    now: Callable[[], datetime]

    async def until_answered(
        self,
        send: Callable[[Mapping[str, object]], Awaitable[Answer]],
        number: Callable[[Answer], str],
        rng: random.Random,
    ) -> Answer:
        await asyncio.to_thread(self.journal.intend, self.client_id, self.body, self.now())
        last = ""
        for attempt in range(TRIES_MAX):
            if attempt:
                await asyncio.sleep(rng.uniform(0, RETRY_BASE_S * 2**attempt))
            try:
                answer = await send(self.body)
            except RefusedError as refusal:
                await self._settle(refusal.problem.code)
                raise
            except UnreachableError as silence:
                last = str(silence)
                continue
            await self._settle(number(answer))
            return answer
        raise OutcomeUnknownError(last)

    async def _settle(self, outcome: str) -> None:
        await asyncio.to_thread(self.journal.settle, self.client_id, outcome, self.now())


def settle_from(
    journal: Journal, orders: Iterable[Order], plans: Iterable[Plan], now: datetime
) -> list[str]:
    """Settle open intents by the broker's lists; return the client ids it does not know.

    Those never became orders: they are settled as such and not sent again, because the price the
    user saw has moved on.
    """
    known = {order.client_order_id: order.order_id for order in orders}
    known.update((plan.client_id, plan.plan_id) for plan in plans)
    lost = []
    for intent in journal.unsettled():
        number = known.get(intent.client_order_id)
        if number is None:
            lost.append(intent.client_order_id)
        journal.settle(intent.client_order_id, number or "never reached the broker", now)
    return lost
