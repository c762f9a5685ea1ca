"""The worker of the executions stream: each record is one report of the venue, applied once; a plan
whose order ended by one is taken on.

Invariant: a batch is worked in order. When the ledger can't answer, the batch stops there and the
stream delivers the rest again; a record that can't be read, that contradicts its order's life, or
whose values the database refuses, is parked with an error in the log, so that it stops nobody else.
"""

import base64
from datetime import date, datetime
from typing import Any

import msgspec

from functions.shared.bookkeeping.applying import (
    REFUSED_CLASSES,
    Applied,
    apply_execution,
    park_execution,
    park_unreadable,
)
from functions.shared.bookkeeping.plan_steps import advance
from functions.shared.bookkeeping.planning import plans_of_orders
from functions.shared.domain.calendar import market_status, settlement_date
from functions.shared.domain.errors import InvariantViolated, NotFound, Refused, Retryable
from functions.shared.domain.ids import slot_of_order
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.executions import ExecutionReport, decode_execution


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Kinesis batch in, `batchItemFailures` out: the first record the ledger could not take."""
    stores = composition.stores()
    touched: set[int] = set()
    ended: dict[int, list[int]] = {}
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        sequence_number = str(record["kinesis"]["sequenceNumber"])
        try:
            touched.add(_apply(stores, record, ended))
        except Retryable as error:
            logger().warning("execution deferred", sequence_number=sequence_number, why=str(error))
            failures.append({"itemIdentifier": sequence_number})
            break
    for shard in touched:
        wake_relay(stores.valkey, shard)
    for shard, orders in ended.items():
        _take_plans_on(stores, shard, orders)
    return {"batchItemFailures": failures}


def _take_plans_on(stores: Stores, shard: int, orders: list[int]) -> None:
    """Places what follows these orders, which ended. It is no part of booking a report: whatever
    keeps a plan from it, the schedule of each minute comes to the same plan."""
    try:
        plans = plans_of_orders(stores.shards.database(shard), orders)
    except Retryable as error:
        logger().warning("plans left to the schedule", shard=shard, why=str(error))
        return
    for plan in plans:
        try:
            advance(stores, plan)
        except (Retryable, NotFound, Refused, InvariantViolated) as error:
            logger().warning("plan left to the schedule", plan=str(plan), why=str(error))
    if plans:
        wake_relay(stores.valkey, shard)


def _apply(stores: Stores, record: dict[str, Any], ended: dict[int, list[int]]) -> int:
    """Applies one record; returns the shard it was for. Adds the order, by its shard, to those that
    the report may have ended."""
    now = stores.clock.now()
    data = base64.b64decode(record["kinesis"]["data"])
    try:
        report = decode_execution(data)
    except msgspec.MsgspecError as error:
        sequence_number = str(record["kinesis"]["sequenceNumber"])
        stream = str(record["eventSourceARN"]).rpartition("/")[2]
        logger().error(
            "execution unreadable", stream=stream, sequence_number=sequence_number, why=str(error)
        )
        park_unreadable(stores.shards, stream, sequence_number, data, now)
        return 0
    applied = _apply_or_park(stores, report, now)
    if applied.outcome == "PARKED":
        logger().error(
            "execution parked",
            why=applied.why,
            session=report.session,
            position=report.position,
            order_id=str(report.order_id),
            exec_id=report.exec_id,
        )
    elif applied.why is not None:
        logger().warning(
            "fills missing",
            why=applied.why,
            session=report.session,
            position=report.position,
            order_id=str(report.order_id),
            exec_id=report.exec_id,
            counted=report.cumulative_quantity,
        )
    shard = stores.shards.home_of(slot_of_order(report.order_id))
    # Also of one that was applied before: whoever did it may have died before its plan went on.
    if applied.outcome in {"APPLIED", "DUPLICATE"} and report.leaves_quantity == 0:
        ended.setdefault(shard, []).append(report.order_id)
    return shard


def _apply_or_park(stores: Stores, report: ExecutionReport, now: datetime) -> Applied:
    """Raises Retryable, and InvariantViolated for what isn't this report's own fault."""
    hours = stores.clock.hours
    settles_on = settlement_date(date.fromisoformat(report.trade_date), hours)
    try:
        today = market_status(now, hours).trade_date
        return apply_execution(stores.shards, report, settles_on, today, now)
    except InvariantViolated as error:
        if not error.sqlstate.startswith(REFUSED_CLASSES):
            raise
        logger().error(
            "execution refused by the database",
            session=report.session,
            position=report.position,
            why=str(error),
        )
        return park_execution(stores.shards, report, f"DATABASE_REFUSED {error.sqlstate}", now)
