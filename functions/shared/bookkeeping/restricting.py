"""Stocks that an account may only close for a while, where orders are placed.

Flow: an alert of the fraud watch on shard 0 -> here, under the alert's number -> an event of the
account's log. Invariant: asked twice, it is done once; it holds until its end is an event, too.
"""

from datetime import datetime
from typing import Final

import msgspec

from functions.shared.stores.postgres import Database, Shards

_RESTRICT: Final = (
    "SELECT ledger.restrict_symbol(:user_id, :alert_id, :symbol, :alert, :ends_at, :now)"
)
_END: Final = "SELECT ledger.end_restriction(:user_id, :alert_id, :now)"
_DUE: Final = "SELECT user_id, alert_id FROM ledger.restrictions_due(:now, :most)"


class RestrictionCause(msgspec.Struct, frozen=True):
    """What the user is told: the order whose trade completed the last round trip; `price` in
    ten-thousandths of a rupee."""

    order_id: int
    side: str
    price: int
    round_trips: int


def restrict_symbol(
    shards: Shards, user_id: int, alert_id: int, symbol: str, cause: RestrictionCause,
    ends_at: datetime, now: datetime,
) -> int | None:  # fmt: skip
    """Returns the seq of the event; None for an account of class TEST, which isn't. Raises NotFound
    without an account, Retryable."""
    [[seq]] = shards.of_user(user_id).call(
        _RESTRICT, user_id=user_id, alert_id=alert_id, symbol=symbol,
        alert=msgspec.json.encode(cause).decode(), ends_at=ends_at, now=now,
    )  # fmt: skip
    return None if seq is None else int(seq)


def end_restriction(shards: Shards, user_id: int, alert_id: int, now: datetime) -> int | None:
    """Returns the seq of the event; None when there was nothing to end. Raises NotFound without an
    account, Retryable."""
    [[seq]] = shards.of_user(user_id).call(_END, user_id=user_id, alert_id=alert_id, now=now)
    return None if seq is None else int(seq)


def restrictions_due(database: Database, now: datetime, most: int) -> list[tuple[int, int]]:
    """User and alert of those of this shard whose time is over. Raises Retryable."""
    return [(int(user), int(alert)) for user, alert in database.run(_DUE, now=now, most=most)]
