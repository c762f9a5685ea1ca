"""The wake-up hint after a commit: it tells the relay that a shard's outbox has something.

Invariant: only a hint. The row is in the outbox either way, and the relay looks by itself soon.
"""

from functions.shared.domain.errors import Retryable
from functions.shared.stores.channels import OUTBOX_HINT
from functions.shared.stores.valkey import Valkey, answering


def wake_relay(valkey: Valkey, shard: int) -> bool:
    """Says that a shard's outbox has rows. False when the cache is away: the relay will look."""
    try:
        with answering():
            valkey.spublish(OUTBOX_HINT, str(shard))
    except Retryable:
        return False
    return True
