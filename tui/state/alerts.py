"""What the account's owner must know: what the broker tells, and what became of what waited.

The broker keeps no list of its alerts: these are of this session. What a connection that was lost
kept from us comes by the resume, or shows as the difference between two loads of the account.
Invariant: each piece of news is taken once, however often its event or its order comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from tui.client.models import Alert, Order, Plan
from tui.state import formats
from tui.state.account import Account

KEPT_MAX = 200
"""The newest are kept."""


@dataclass(frozen=True, slots=True)
class News:
    """One alert. `key` is the same however often it is told; `at` business time, None while that
    is not known; `is_bad` asks for something to be done."""

    key: str
    code: str
    symbol: str
    message: str
    order_id: str | None
    at: datetime | None = None
    is_bad: bool = True


@dataclass(frozen=True, slots=True)
class Alerts:
    """The session's alerts, newest first."""

    items: tuple[News, ...] = ()
    unread: int = 0

    @property
    def keys(self) -> frozenset[str]:
        """The keys of those that are kept."""
        return frozenset(each.key for each in self.items)


def add(alerts: Alerts, news: Iterable[News], at: datetime | None) -> tuple[Alerts, list[News]]:
    """Take news told at `at`; return what is new of it too, oldest first."""
    unknown = {each.key: replace(each, at=at) for each in news if each.key not in alerts.keys}
    fresh = list(unknown.values())
    items = (*reversed(fresh), *alerts.items)[:KEPT_MAX]
    return Alerts(items, alerts.unread + len(fresh)), fresh


def read(alerts: Alerts) -> Alerts:
    """They have been looked at."""
    return replace(alerts, unread=0)


def told(alert: Alert) -> News:
    """An alert in the broker's words."""
    key = f"{alert.code} {alert.user_seq}"
    return News(key, alert.code, alert.symbol, _sentence(alert.message), alert.order_id)


def became(before: Account, after: Account) -> list[News]:
    """What became of orders that waited and of plans, between two states of the account. Of what
    was not known before there is no news."""
    news = [
        _of_order(known, order)
        for order_id, order in after.orders.items()
        if (known := before.orders.get(order_id)) is not None and known.is_waiting
    ]
    news += [
        _of_plan(plan)
        for plan_id, plan in after.plans.items()
        if (known_plan := before.plans.get(plan_id)) is not None and known_plan.is_open
    ]
    return [each for each in news if each is not None]


def _of_order(before: Order, order: Order) -> News | None:
    what = f"{order.side} {formats.quantity(order.quantity)} {order.symbol}"
    waited = f"{what}, waiting for {formats.amount(before.trigger_price)}"
    reason = order.reason.message or order.reason.code if order.reason else ""
    key = f"{order.status} {order.order_id}"
    match order.status:
        case "DENIED" | "REJECTED":
            words = f"{waited}, was refused at its trigger: {reason}"
            return News(key, "REFUSED_AT_TRIGGER", order.symbol, words, order.order_id)
        case "EXPIRED":
            words = f"{waited}, has expired" + (f": {reason}" if reason else "")
            return News(key, "EXPIRED", order.symbol, words, order.order_id)
        case "PENDING" | "OPEN" | "PARTIALLY_FILLED" | "FILLED":
            key, words = f"TRIGGERED {order.order_id}", f"{waited}, has gone to the exchange"
            return News(key, "TRIGGERED", order.symbol, words, order.order_id, is_bad=False)
    return None


def _of_plan(plan: Plan) -> News | None:
    what = f"{plan.kind} {plan.side} {formats.quantity(plan.quantity)} {plan.symbol}"
    reason = plan.reason.message or plan.reason.code if plan.reason else ""
    key = f"{plan.state} {plan.plan_id}"
    if plan.state == "COMPLETED":
        words = f"{what} is complete"
        return News(key, "PLAN_COMPLETED", plan.symbol, words, None, is_bad=False)
    if plan.is_open or (plan.state == "CANCELLED" and not reason):
        return None
    words = f"{what} has ended: {reason or plan.state.lower()}"
    return News(key, f"PLAN_{plan.state}", plan.symbol, words, None)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
