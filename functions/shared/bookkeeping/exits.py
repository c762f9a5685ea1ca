"""Exits at the market that rest unfilled, and telling the user of one.

Invariant: the list says where to look; whether the order still rests, and was not told of before,
is decided under the account's lock.
"""

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from functions.shared.stores.postgres import Database, Shards

from .settling import PAGE
from .squaring_off import FIRST, OrderOf

#: What the market gets to fill it, by the wall clock, and of continuous trading.
PATIENCE: Final = timedelta(seconds=30)

_RESTING = "SELECT user_id, order_id, symbol FROM ledger.resting_exits(:patience, :after, :rows)"
_ALERT = "SELECT ledger.alert_exit(:user_id, :order_id, :today, :now)"


class RestingExit(NamedTuple):
    """One that nobody filled."""

    user_id: int
    order_id: int
    symbol: str


def resting_exits(
    database: Database, after: int = FIRST.order_id, patience: timedelta = PATIENCE
) -> list[RestingExit]:
    """A page of the shard's exits at the market that nobody filled in that time, in the order of
    their numbers, and that nobody was told of."""
    rows = database.run(_RESTING, patience=patience, after=after, rows=PAGE)
    return [RestingExit(*row) for row in rows]


def alert(shards: Shards, order: OrderOf | RestingExit, today: date, now: datetime) -> bool:
    """Tells the user that the order rests, once; whether it was told now."""
    rows = shards.of_user(order.user_id).call(
        _ALERT, user_id=order.user_id, order_id=order.order_id, today=today, now=now
    )
    return bool(rows[0][0])
