"""What the ledger says of waiting orders, plans and price alerts: all of them once, then each of
its events.

Invariant: an event is acknowledged after the books took it. The orders are read before the events
that the group has not been given yet, so nothing falls between; whenever the stream was lost, or
the lease ran out, they are read again, for what was in it may be gone or another's.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, NamedTuple, Protocol

import msgspec

from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from edge.runtime.stream_lag import StreamLag
from edge.triggers.alerts import AlertEnded
from edge.triggers.plans import PlanEnded, SliceSeen
from functions.shared.domain.errors import Retryable
from functions.shared.domain.orders import WORKING
from functions.shared.domain.plans import OPEN_PLANS, SLICE_PREFIX, PlanKind, PlanState
from functions.shared.domain.price_alerts import AlertKind
from functions.shared.stores.price_alerts import WatchedAlert
from functions.shared.stores.streams import Delivered, Streams
from functions.shared.stores.waiting_orders import STANDS_BY, WatchedOrder, ratchet_of
from functions.shared.stores.watched_plans import WatchedPlan
from functions.shared.wire.events import LEDGER_EVENTS_STREAM

GROUP: Final = "triggers"
READ_MOST: Final = 1_000
BLOCK_MS: Final = 1_000
_AT_VENUE: Final = frozenset({"PENDING", "OPEN", "PARTIALLY_FILLED"})


class Ended(NamedTuple):
    """An order that is not watched any more, as of that version."""

    order_id: int
    version: int


Change = WatchedOrder | Ended | WatchedPlan | PlanEnded | SliceSeen | WatchedAlert | AlertEnded


class Orders(Protocol):
    """The waiting orders of the ledger (stores.waiting_orders.WaitingOrders)."""

    def all(self) -> Iterator[list[WatchedOrder]]: ...


class Plans(Protocol):
    """Its plans that have not ended (stores.watched_plans.WatchedPlans)."""

    def all(self) -> Iterator[list[WatchedPlan]]: ...


class Alerts(Protocol):
    """Its price alerts that wait (stores.price_alerts.PriceAlerts)."""

    def waiting(self) -> Iterator[list[WatchedAlert]]: ...


class Watched(NamedTuple):
    """All that the ledger has to watch."""

    orders: list[WatchedOrder]
    plans: list[WatchedPlan]
    alerts: list[WatchedAlert]


class _Order(msgspec.Struct):
    order_id: int
    symbol: str
    status: str
    version: int
    trigger_price: int | None
    trigger_above: bool | None
    releases_at: int | None
    expires_at: int | None
    pending_change: str | None
    updated_at: int
    stance: str | None = None
    trail: int | None = None
    trail_step: int | None = None
    client_order_id: str = ""
    parent_order_id: int | None = None


class _Plan(msgspec.Struct):
    plan_id: int
    kind: PlanKind
    state: PlanState
    ends_at: int


class _Slice(msgspec.Struct):
    due_at: int | None


class _PriceAlert(msgspec.Struct):
    alert_id: int
    symbol: str
    kind: AlertKind
    threshold: int
    state: str
    version: int
    fired_on: date | None = None


class _Body(msgspec.Struct):
    order: _Order | None = None
    price_alert: _PriceAlert | None = None
    plan: _Plan | None = None
    slices: list[_Slice] | None = None


class _Event(msgspec.Struct):
    user_id: int
    body: _Body
    kind: str = ""


_decoder = msgspec.json.Decoder(_Event)


class Feed:
    """Reads on a thread of its own; `load` and `take` are called there and return when the book has
    what they were given."""

    def __init__(
        self,
        orders: Orders,
        plans: Plans,
        alerts: Alerts,
        streams: Streams,
        lag: StreamLag,
        load: Callable[[Watched], None],
        take: Callable[[list[Change]], None],
        held: Callable[[], bool],
    ) -> None:
        self._orders = orders
        self._plans = plans
        self._alerts = alerts
        self._streams = streams
        self._lag = lag
        self._load = load
        self._take = take
        self._held = held
        self._trouble = "the waiting orders have not been read yet"

    def state(self) -> tuple[bool, str]:
        return not self._trouble, self._trouble

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Begins anew, with back-off, whenever a store was away."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                self._load(self._all())
                while not stop.is_set():
                    self._step()
                    if self._trouble:
                        logger(__name__).info("watching")
                        self._trouble = ""
                        backoff.reset()
            except Retryable as error:
                self._trouble = str(error)
                logger(__name__).warning("the ledger's events are away", detail=str(error))
                if backoff.wait(stop):
                    return

    def _all(self) -> Watched:
        """Raises Retryable."""
        return Watched(
            [order for page in self._orders.all() for order in page],
            [plan for page in self._plans.all() for plan in page],
            [alert for page in self._alerts.waiting() for alert in page],
        )

    def _step(self) -> None:
        """Raises Retryable, also when another process may be watching."""
        self._check_held()
        for stream, records in self._streams.read(
            [LEDGER_EVENTS_STREAM], GROUP, GROUP, READ_MOST, BLOCK_MS
        ):
            changes = [change for record in records if (change := change_of(record)) is not None]
            if changes:
                self._take(changes)
            self._check_held()
            self._streams.acknowledge(stream, GROUP, [record.id for record in records])
        self._lag.look([LEDGER_EVENTS_STREAM])

    def _check_held(self) -> None:
        if not self._held():
            raise Retryable("the watch is not surely ours now")


def change_of(record: Delivered) -> Change | None:
    """What an event changes in the books; None for one about nothing that is watched."""
    try:
        event = _decoder.decode(record.data)
    except msgspec.MsgspecError as error:
        # Nothing is gained by waiting for it: what it says is in the ledger at the next start.
        logger(__name__).error("an event can't be read", id=record.id, detail=str(error))
        return None
    body, order = event.body, event.body.order
    if body.price_alert is not None:
        return _alert_change(event.user_id, event.kind, body.price_alert)
    if body.plan is not None:
        return _plan_change(event.user_id, body.plan, body.slices)
    if order is None:
        return None
    if order.parent_order_id is not None and order.client_order_id.startswith(SLICE_PREFIX):
        return SliceSeen(order.parent_order_id, order.order_id, order.status in WORKING)
    return _order_change(event.user_id, order)


def _alert_change(user_id: int, kind: str, alert: _PriceAlert) -> WatchedAlert | AlertEnded:
    if kind == "ALERT_DROPPED" or alert.state != "WAITING":
        return AlertEnded(alert.alert_id, alert.version)
    return WatchedAlert(
        alert.alert_id, user_id, alert.version, alert.symbol, alert.kind, alert.threshold,
        alert.fired_on,
    )  # fmt: skip


def _plan_change(user_id: int, plan: _Plan, slices: list[_Slice] | None) -> WatchedPlan | PlanEnded:
    """Only the opening of a plan tells of its slices, and nothing in between moves their times; one
    that was opened again has but its end."""
    if plan.state not in OPEN_PLANS:
        return PlanEnded(plan.plan_id)
    due = (each.due_at for each in slices or () if each.due_at is not None)
    times = (*due, plan.ends_at)
    return WatchedPlan(plan.plan_id, user_id, plan.kind is PlanKind.ICEBERG, times)


def _order_change(user_id: int, order: _Order) -> WatchedOrder | Ended | None:
    if (order.expires_at, order.trigger_price, order.releases_at) == (None,) * 3:
        return None
    waits = order.status == "TRIGGER_PENDING"
    resting = order.status in _AT_VENUE and order.pending_change is None
    if order.expires_at is None or not (waits or resting):
        return Ended(order.order_id, order.version)
    waits = waits and order.stance != STANDS_BY
    return WatchedOrder(
        order.order_id,
        user_id,
        order.version,
        order.symbol,
        bool(order.trigger_above),
        order.trigger_price if waits else None,
        order.releases_at if waits else None,
        order.expires_at,
        order.updated_at,
        ratchet_of(
            order.trigger_price, order.trail, order.trail_step, rising=bool(order.trigger_above)
        ) if waits else None,
    )  # fmt: skip
