"""What is left to square off, and what was charged for it.

Invariant: a list says where to look; what is done about an order or a position is decided again
under its account's lock, by placing, changing and charging.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from functions.shared.domain.square_off import SquareOffFee
from functions.shared.stores.postgres import Database, Shards

from .settling import PAGE, OpenPosition

_WORKING = (
    "SELECT user_id, order_id FROM ledger.orders WHERE product = 'MIS'"
    " AND status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')"
    " AND trade_date = :day"
    " AND pending_change IS NULL AND (user_id, order_id) > (:user_id::bigint, :order_id::bigint)"
    " ORDER BY user_id, order_id LIMIT :rows"
)
_OPEN = (
    "SELECT user_id, symbol, trade_date, net FROM ledger.position"
    " WHERE net <> 0 AND open_buy + open_sell = 0 AND trade_date = :day"
    " AND (user_id, symbol) > (:user_id::bigint, :symbol::text)"
    " ORDER BY user_id, symbol LIMIT :rows"
)
_USED = (
    "SELECT client_order_id FROM ledger.orders"
    " WHERE user_id = :user_id AND client_order_id = ANY(:keys::text[])"
)
_UNCHARGED = (
    "SELECT o.user_id, o.order_id FROM ledger.orders o WHERE o.client_order_id LIKE 'SQ-%'"
    " AND o.trade_date >= :since AND o.filled_quantity > 0"
    " AND o.status NOT IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')"
    " AND (SELECT count(*) FILTER (WHERE j.job = 'SQUARE_OFF')"
    "  = count(*) FILTER (WHERE j.job = 'SQUARE_OFF_REFUND') FROM ledger.job_entry j"
    "  WHERE j.job IN ('SQUARE_OFF', 'SQUARE_OFF_REFUND') AND j.day = o.trade_date"
    "  AND j.user_id = o.user_id AND split_part(j.instrument, ':', 1) = o.client_order_id)"
    " AND (o.user_id, o.order_id) > (:user_id::bigint, :order_id::bigint)"
    " ORDER BY o.user_id, o.order_id LIMIT :rows"
)
_CHARGE = "SELECT ledger.charge_square_off(:user_id, :order_id, :fee, :tax, :today, :now)"


@dataclass(frozen=True, slots=True)
class OrderOf:
    """An order and whose it is."""

    user_id: int
    order_id: int


#: Before every order there is.
FIRST: Final = OrderOf(0, 0)


def working_orders(database: Database, day: date, after: OrderOf = FIRST) -> list[OrderOf]:
    """A page of the shard's working intraday orders that no change is in flight for."""
    rows = database.run(
        _WORKING, day=day, user_id=after.user_id, order_id=after.order_id, rows=PAGE
    )
    return [OrderOf(*row) for row in rows]


def open_positions(
    database: Database, day: date, after: OpenPosition | None = None
) -> list[OpenPosition]:
    """A page of the shard's open positions of a day that no working order may still change."""
    user_id, symbol = (after.user_id, after.symbol) if after else (0, "")
    rows = database.run(_OPEN, day=day, user_id=user_id, symbol=symbol, rows=PAGE)
    return [OpenPosition(*row) for row in rows]


def used_keys(shards: Shards, user_id: int, keys: Sequence[str]) -> frozenset[str]:
    """Which of these client order ids the user has orders under."""
    rows = shards.of_user(user_id).run(_USED, user_id=user_id, keys=list(keys))
    return frozenset(row[0] for row in rows)


def uncharged(database: Database, since: date, after: OrderOf = FIRST) -> list[OrderOf]:
    """A page of the shard's square-off orders that traded, ended, and are not charged,
    or no more: what traded before was taken back, with the fee for it."""
    rows = database.run(
        _UNCHARGED, since=since, user_id=after.user_id, order_id=after.order_id, rows=PAGE
    )
    return [OrderOf(*row) for row in rows]


def charge(shards: Shards, order: OrderOf, fee: SquareOffFee, today: date, now: datetime) -> bool:
    """Charges the fee for one square-off order, once; whether it was charged now."""
    rows = shards.of_user(order.user_id).call(
        _CHARGE, user_id=order.user_id, order_id=order.order_id, fee=fee.fee, tax=fee.tax,
        today=today, now=now,
    )  # fmt: skip
    return int(rows[0][0]) > 0
