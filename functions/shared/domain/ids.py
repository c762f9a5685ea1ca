"""Identifiers: which slot and shard a user lives in, and how an order number says so.

Invariant: a user's slot never changes; an order number carries its user's slot, so either one
finds the shard without a look-up.
"""

from typing import Final

SLOTS: Final = 64
_ORDER_SEQUENCE_BITS: Final = 16
_SLOT_MASK: Final = SLOTS - 1


def slot_of_user(user_id: int) -> int:
    """The slot (0 to 63) of a user."""
    return user_id & _SLOT_MASK


def slot_of_order(order_id: int) -> int:
    """The slot in an order number: 42 bits of milliseconds, 6 of slot, 16 of sequence."""
    return (order_id >> _ORDER_SEQUENCE_BITS) & _SLOT_MASK


def shard_of_slot(slot: int, shards: int) -> int:
    """The shard that holds a slot: slots are dealt out in equal runs."""
    return slot * shards // SLOTS


def partition_of_user(user_id: int, partitions: int) -> int:
    """The partition of the executions stream that carries a user's records, in order."""
    return slot_of_user(user_id) % partitions
