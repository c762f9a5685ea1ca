"""The worker of the commands stream: what a waiting order waited for has come, or its time is over.

Invariant: a command is only asked; the order is read, judged on what is true now, and moved by the
ledger for the version that was read: the one that the command names, or a later one that the
broker itself made of it, whose trigger the same trade must have reached. What can't be done now (no
price, a halt, no way to the venue, an account under review, a shard that doesn't answer) is left as
it is: the edge asks again every few seconds while the order waits, so that no command is kept, and
none keeps others back. A price counts on its own day; once its release was put off, only while the
last price is at the trigger or beyond. A plan is taken on by whatever is due of it.
"""

import base64
from typing import Any, Final

import msgspec

from functions.shared.bookkeeping import changing, reading, releasing
from functions.shared.bookkeeping.checking import load_standing_facts
from functions.shared.bookkeeping.plan_steps import advance
from functions.shared.bookkeeping.planning import PlanOf
from functions.shared.clock import from_micros, micros, trade_date, wall_now
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Refused, Retryable
from functions.shared.domain.orders import AT_VENUE, OrderType, Product, Side, Status
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.sessions import TAKES, Phase
from functions.shared.domain.waiting import LIFE_OVER_PREFIX, released_intent
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.price_alerts import PriceAlerts
from functions.shared.stores.put_off import note_put_off, was_put_off
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import OrderFacts, TriggerSeen
from functions.shared.wire.quotes import Quote
from functions.shared.wire.trigger_commands import (
    FireAlert,
    ReleaseOrder,
    Tick,
    TrailOrder,
    TriggerCommand,
    WorkPlan,
    decode_trigger_command,
)

#: How often an order is read that moves between being read and being released. Then it is left: the
#: edge asks again.
_READS_MAX: Final = 3


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Kinesis batch in; `batchItemFailures` out, which are none: what a shard didn't answer is
    asked again, and of that shard no more is asked in this batch."""
    stores = composition.stores()
    touched: set[int] = set()
    away: set[int] = set()
    for record in event["Records"]:
        sequence_number = str(record["kinesis"]["sequenceNumber"])
        try:
            command = decode_trigger_command(base64.b64decode(record["kinesis"]["data"]))
        except msgspec.MsgspecError as error:
            logger().error("command unreadable", sequence_number=sequence_number, why=str(error))
            continue
        shard = None
        try:
            shard = stores.shards.number_of_user(command.user_id)
            if shard in away:
                continue
            if isinstance(command, WorkPlan):
                work_plan(stores, command)
            elif isinstance(command, FireAlert):
                fire_alert(stores, command)
            else:
                act(stores, command)
            touched.add(shard)
        except Retryable as error:
            logger().warning("command left", sequence_number=sequence_number, why=str(error))
            if shard is None:  # nobody's can be found
                break
            away.add(shard)
    for shard in touched:
        wake_relay(stores.valkey, shard)
    return {"batchItemFailures": []}


def work_plan(stores: Stores, command: WorkPlan) -> None:
    """Takes the plan on. What keeps it from that is no command's matter: the edge asks again, and
    the schedule of each minute comes to the same plan. Raises Retryable."""
    try:
        advance(stores, PlanOf(command.user_id, command.plan_id))
    except (NotFound, Refused, InvariantViolated) as error:
        logger().warning("plan left", plan=str(command.plan_id), why=str(error))


def fire_alert(stores: Stores, command: FireAlert) -> None:
    """Tells the user what came, unless that was another day's price. Raises Retryable."""
    if _of_another_day(command.tick):
        return
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    try:
        PriceAlerts(stores.shards).fire(
            command.user_id, command.alert_id, command.version, command.tick.price, command.value,
            today, now,
        )  # fmt: skip
    except NotFound as error:
        logger().error("alert of nobody", alert=str(command.alert_id), why=str(error))


def act(stores: Stores, command: TriggerCommand) -> None:
    """Does what the command asks, if it still stands. Raises Retryable."""
    for _ in range(_READS_MAX):
        try:
            order, _ = reading.order(stores.shards, command.user_id, command.order_id)
        except NotFound:
            logger().error("command of no order", order_id=str(command.order_id))
            return
        if not _moved_meanwhile(stores, command, order):
            return
    logger().warning("release left", order_id=str(command.order_id))


def _moved_meanwhile(stores: Stores, command: TriggerCommand, order: OrderFacts) -> bool:
    """Does what the command asks of the order as it was read; whether that has to be tried again,
    because it has moved since. Raises Retryable."""
    now = stores.clock.now()
    if order.expires_at is not None and from_micros(order.expires_at) <= now:
        _end(stores, command.user_id, order)
    elif order.status != Status.TRIGGER_PENDING or not _is_of(stores, command, order):
        return False
    elif isinstance(command, TrailOrder):
        today = market_status(now, stores.clock.hours).trade_date
        seen = _seen(stores, command.tick, command.seen_at)
        releasing.trail(
            stores.shards, order, command.user_id, command.tick.price, seen, today, now
        )  # fmt: skip
    elif isinstance(command, ReleaseOrder):
        try:
            return _release(stores, command, order) == "NOT_WAITING"
        except Refused as refused:
            _put_off(stores, command, order, refused.code)
    return False


def _is_of(stores: Stores, command: TriggerCommand, order: OrderFacts) -> bool:
    """Whether the command is about the order as it is: that version of it, or one of which only
    the broker made another. A trade that reached it counts then as well: an exit that grew with its
    entry, or a stop that followed the price, has waited all along; what its client changed has
    not."""
    if order.version == command.version:
        return True
    priced = isinstance(command, ReleaseOrder) and command.tick is not None
    return priced and releasing.only_broker_changed(
        stores.shards, command.user_id, order.order_id, command.version
    )


def _release(stores: Stores, command: ReleaseOrder, order: OrderFacts) -> str | None:
    """What the ledger made of it, None when it was put off. Raises Refused when it can't be judged
    or sent now."""
    facts = load_standing_facts(stores.instruments, stores.quotes, stores.clock, order.symbol)
    facts.require_route()
    product, side, kind = Product(order.product), Side(order.side), OrderType(order.type)
    tick, phase = command.tick, facts.status.phase
    if phase is not Phase.OPEN and (
        tick is not None
        or kind not in TAKES[phase].types
        or (order.disclosed_quantity is not None and not TAKES[phase].immediate)
    ):
        _put_off(stores, command, order, phase)
        return None
    if tick is not None and (why := _passed(stores, command, tick, order, facts.quote)):
        logger().info("release put off", order_id=str(order.order_id), why=why)
        return None
    outcome = releasing.release(
        stores.shards,
        order,
        command.user_id,
        None if tick is None else tick.price,
        facts.judge(_intent_of(order), product),
        _seen(stores, tick, command.seen_at),
        facts.context(product, side),
        facts.status.trade_date,
        facts.now,
    )
    if outcome.outcome == "PUT_OFF":
        _put_off(stores, command, order, str(outcome.rules[0]["code"]))
    elif outcome.outcome == "DENIED":
        logger().warning(
            "release denied", order_id=str(order.order_id),
            codes=[rule["code"] for rule in outcome.rules],
        )  # fmt: skip
    return outcome.outcome


def _seen(stores: Stores, tick: Tick | None, wall: int) -> TriggerSeen:
    """What the watcher saw, at the business time of its wall clock: the order's history has one
    clock."""
    seen_at = micros(stores.clock.business_at(from_micros(wall)))
    if tick is None:
        return TriggerSeen(why="TIME", seen_at=seen_at)
    return TriggerSeen(
        why="PRICE", seen_at=seen_at, price=tick.price, seq=tick.seq, timestamp_ms=tick.timestamp_ms
    )


def _passed(
    stores: Stores, command: ReleaseOrder, tick: Tick, order: OrderFacts, quote: Quote | None
) -> str | None:
    """Why the tick doesn't count any more, None when it does. The exchange's time of a tick is
    compared with the wall clock, as the age of a quote is. Raises Retryable."""
    if _of_another_day(tick):
        return "ANOTHER_DAYS_PRICE"
    gone = command.again and not _is_reached(order, quote)
    if gone and was_put_off(stores.valkey, order.order_id, command.version):
        return "PRICE_WENT_BACK"
    return None


def _of_another_day(tick: Tick) -> bool:
    """By the wall clock, which the exchange's times are of."""
    return trade_date(from_micros(tick.timestamp_ms * 1000)) != trade_date(wall_now())


def _is_reached(order: OrderFacts, quote: Quote | None) -> bool:
    """Whether the last price is at the trigger or beyond."""
    if quote is None or not quote.ltp or order.trigger_price is None:
        return False
    if order.trigger_above:
        return quote.ltp >= order.trigger_price
    return quote.ltp <= order.trigger_price


def _put_off(stores: Stores, command: ReleaseOrder, order: OrderFacts, why: str) -> None:
    """Raises Retryable."""
    if command.tick is not None:
        note_put_off(stores.valkey, order.order_id, command.version)
    logger().info("release put off", order_id=str(order.order_id), why=why)


def _intent_of(order: OrderFacts) -> OrderIntent:
    """What goes to the venue now."""
    kind, side = OrderType(order.type), Side(order.side)
    return released_intent(
        OrderIntent(side, kind, order.quantity, order.price, order.disclosed_quantity)
    )


def _end(stores: Stores, user_id: int, order: OrderFacts) -> None:
    """What waits expires; what is left of an order at the venue is cancelled there."""
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    if releasing.expire(stores.shards, user_id, order.order_id, today, now):
        return
    if order.status in AT_VENUE and order.pending_change is None:
        try:
            changing.request_cancel(
                stores.shards,
                user_id,
                order.order_id,
                f"{LIFE_OVER_PREFIX}{order.order_id}-{order.version}",
                None,
                today,
                now,
            )
        except Conflict as conflict:  # it ended, or began to change, since it was read
            logger().info("not cancelled", order_id=str(order.order_id), why=str(conflict))
