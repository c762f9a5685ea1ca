"""Releases that a price asked for and that could not be made at its time, in Valkey.

Invariant: one stands for the version of an order that the price reached, and for a day at most.
Losing it loses only that the price must still be there when the release is asked for again.
"""

from typing import Final

from functions.shared.stores.valkey import Valkey, answering

KEPT_SECONDS: Final = 24 * 60 * 60


def note_put_off(valkey: Valkey, order_id: int, version: int) -> None:
    """Raises Retryable when Valkey is away."""
    with answering():
        valkey.set(_key(order_id, version), b"1", ex=KEPT_SECONDS)


def was_put_off(valkey: Valkey, order_id: int, version: int) -> bool:
    """Raises Retryable when Valkey is away."""
    with answering():
        return bool(valkey.exists(_key(order_id, version)))


def _key(order_id: int, version: int) -> str:
    return f"put-off:{order_id}:{version}"
