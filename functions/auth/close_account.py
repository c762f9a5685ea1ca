"""Closing an account: only an empty one, and for good.

Invariant: nothing can come in behind the look at the books that counts. Every session ends before
it, and the account is halted where it lives, under its lock: what was admitted earlier is either
booked by then, and seen, or refused. A closed account stays halted. When something is found after
all, the account is as before.
"""

from functions.auth.notices import CLOSED, notify
from functions.shared.access.closings import Closing, begin_closing, end_closing
from functions.shared.access.interventions import finish, left_by
from functions.shared.access.sessions import Sessions
from functions.shared.bookkeeping.closing import what_remains
from functions.shared.bookkeeping.intervening import intervene
from functions.shared.domain.errors import Conflict, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.wake import wake_relay


def close_account(stores: Stores, user_id: int, network: str) -> None:
    """Freezes, halts, looks, closes. Killed in between, the account is frozen, and support's to go
    on.

    Raises Refused 422 ACCOUNT_NOT_EMPTY, saying each thing that is left; Conflict (ACCOUNT_FROZEN);
    Retryable.
    """
    _require_empty(stores, user_id)  # most are refused here, and keep their sessions
    begun = begin_closing(stores.shards, user_id, network)
    try:
        _carry_out(stores, begun)
        _require_empty(stores, user_id)
    except (Refused, Retryable):
        _carry_out(stores, end_closing(stores.shards, begun, network, close=False))
        raise
    closed = end_closing(stores.shards, begun, network, close=True)
    if not closed.moved:
        raise Conflict("ACCOUNT_FROZEN", "the account was frozen; write to us")
    _carry_out(stores, closed)
    notify(stores, user_id, CLOSED)


def _carry_out(stores: Stores, step: Closing) -> None:
    """Halts the account where it lives, or lets it go, and makes known which sessions have ended.
    What can't be made known now is the schedule's. Raises Retryable when it is not halted."""
    if step.audit_id is None:
        return
    shards, seq = stores.shards, None
    for left in left_by(shards, step.audit_id):
        if left.kind != "SESSIONS":
            now = stores.clock.now()
            seq = intervene(shards, left.user_id, left.audit_id, left.kind, left.value, now)
            wake_relay(stores.valkey, shards.number_of_user(step.user_id))
    try:
        Sessions(shards.control, stores.valkey).announce_ends(step.ended)
        finish(shards, step.audit_id, seq)
    except Retryable as error:
        logger().warning("left to the schedule", entry=step.audit_id, why=str(error))


def _require_empty(stores: Stores, user_id: int) -> None:
    remains = what_remains(stores.shards, user_id)
    if remains:
        raise Refused(
            422, "ACCOUNT_NOT_EMPTY", f"there is still: {', '.join(remains)}", remains=remains
        )
