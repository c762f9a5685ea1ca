"""The worker of the executions stream: each record is one report of the venue, applied once.

Invariant: a batch is worked in order. When the ledger can't answer, the batch stops there and the
stream delivers the rest again; a record that can't be read, or that contradicts its order's life,
is parked with an error in the log, so that it stops nobody else.
"""

import base64
from typing import Any

import msgspec

from functions.shared.bookkeeping.applying import apply_execution, park_unreadable
from functions.shared.domain.errors import Retryable
from functions.shared.domain.ids import shard_of_slot, slot_of_order
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.executions import decode_execution


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Kinesis batch in, `batchItemFailures` out: the first record the ledger could not take."""
    stores = composition.stores()
    touched: set[int] = set()
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        sequence_number = str(record["kinesis"]["sequenceNumber"])
        try:
            touched.add(_apply(stores, record))
        except Retryable as error:
            logger().warning("execution deferred", sequence_number=sequence_number, why=str(error))
            failures.append({"itemIdentifier": sequence_number})
            break
    for shard in touched:
        wake_relay(stores.valkey, shard)
    return {"batchItemFailures": failures}


def _apply(stores: Stores, record: dict[str, Any]) -> int:
    """Applies one record; returns the shard it was for."""
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
    applied = apply_execution(stores.shards, report, now)
    if applied.outcome == "PARKED":
        logger().error(
            "execution parked",
            why=applied.why,
            session=report.session,
            position=report.position,
            order_id=str(report.order_id),
            exec_id=report.exec_id,
        )
    return shard_of_slot(slot_of_order(report.order_id), len(stores.shards))
