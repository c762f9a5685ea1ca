"""Each minute: a signed Merkle root over the accounts that moved, where nobody can unwrite it.

Per shard one tree that only grows. Its new leaves are the heads (user, seq, hash) of the accounts
that changed since the last anchor; the heads are written first, then the signed root, then the row.
Invariant: whoever is killed between two of these steps, the next run goes on with the heads that
are already written, so that a number never has two roots.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from functions.shared.access.keys import AnchorKey, anchor_key
from functions.shared.bookkeeping.anchoring import (
    changed_heads,
    latest_anchor,
    record_anchor,
)
from functions.shared.clock import from_micros, micros
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.logs import logger
from functions.shared.stores.objects import Objects
from functions.shared.stores.postgres import Database
from functions.shared.wire.anchors import (
    AnchorHeader,
    Checkpoint,
    decode_heads,
    encode_heads,
    key_of_anchor,
    origin_of_shard,
    read_checkpoint,
    sign_checkpoint,
    split_heads,
)

#: A run catches up at most so far; the next minute's goes on.
ANCHORS_PER_RUN: Final = 20


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Anchors every shard. A shard that is out of reach is left to the next run.

    Raises InvariantViolated, once the others are anchored, when a shard and its written anchors
    contradict each other.
    """
    stores = composition.stores()
    key = anchor_key(stores.secrets)
    now = stores.clock.now()
    made = 0
    violated: InvariantViolated | None = None
    for number, shard in enumerate(stores.shards.databases):
        try:
            made += anchor_shard(shard, stores.objects, key, number, now)
        except Retryable as error:
            logger().warning("anchor deferred", shard=number, why=str(error))
        except InvariantViolated as error:
            logger().error("anchor refused", shard=number, why=str(error))
            violated = violated or error
    if violated is not None:
        raise violated
    return {"anchors": made}


def anchor_shard(
    shard: Database, objects: Objects, key: AnchorKey, number: int, now: datetime
) -> int:
    """Anchors what moved in shard `number`. Returns how many anchors that took.

    Raises Retryable, and InvariantViolated when the store is not the one that the shard's anchors
    are in, or what is written under the next one's name does not follow from the latest.
    """
    _check_store(shard, objects, number)
    for made in range(ANCHORS_PER_RUN):
        if not _anchor_next(shard, objects, key, number, now):
            return made
    return ANCHORS_PER_RUN


def _check_store(shard: Database, objects: Objects, number: int) -> None:
    """A store without the latest anchor must not be given the next one: one log, one store."""
    latest = latest_anchor(shard)
    if latest.number == 0:
        return
    key = key_of_anchor(number, latest.number, "checkpoint")
    try:
        checkpoint = read_checkpoint(objects.get(key))
    except (NotFound, ValueError) as error:
        raise InvariantViolated(f"{key} can't be read from this store: {error}") from error
    if (checkpoint.size, checkpoint.root) != (latest.tree.size, latest.tree.root()):
        raise InvariantViolated(f"{key} is the root of another tree")


def _anchor_next(
    shard: Database, objects: Objects, key: AnchorKey, number: int, now: datetime
) -> bool:
    before = latest_anchor(shard)
    changed = changed_heads(shard, before.through)
    if not changed.heads:
        return False
    proposed = AnchorHeader(
        log=origin_of_shard(number), number=before.number + 1, after=before.through,
        through=changed.through, before_size=before.tree.size,
        before_root=before.tree.root().hex(), at=micros(now),
    )  # fmt: skip
    header, heads = _write_heads(objects, number, proposed, changed.heads)
    tree = before.tree
    tree.append(split_heads(heads))
    checkpoint = Checkpoint(header.log, tree.size, tree.root())
    _write_checkpoint(objects, key_of_anchor(number, header.number, "checkpoint"), checkpoint, key)
    record_anchor(shard, header.number, header.after, header.through, tree, from_micros(header.at))
    return True


def _write_heads(
    objects: Objects, shard: int, proposed: AnchorHeader, heads: bytes
) -> tuple[AnchorHeader, bytes]:
    """Writes the heads; what a run cut short has written under that number counts instead."""
    key = key_of_anchor(shard, proposed.number, "heads")
    try:
        written = decode_heads(_put_or_get(objects, key, encode_heads(proposed, heads)))
    except msgspec.MsgspecError as error:
        raise InvariantViolated(f"{key} can't be read: {error}") from error
    if _follows(written[0]) != _follows(proposed):
        raise InvariantViolated(f"{key} does not follow the shard's latest anchor")
    return written


def _follows(header: AnchorHeader) -> tuple[str, int, int, int, str]:
    return header.log, header.number, header.after, header.before_size, header.before_root


def _write_checkpoint(objects: Objects, key: str, checkpoint: Checkpoint, by: AnchorKey) -> None:
    note = _put_or_get(objects, key, sign_checkpoint(checkpoint, by.public, by.sign))
    if read_checkpoint(note) != checkpoint:
        raise InvariantViolated(f"{key} is the root of another tree")


def _put_or_get(objects: Objects, key: str, data: bytes) -> bytes:
    try:
        objects.put_new(key, data)
    except Conflict:
        return objects.get(key)
    return data
