"""GTC orders that a session ended: what is left of them, and whether it was placed again.

A session ends them as its day ends, or by a rule of the venue's own: unmatched in the closing
auction, outside a band that moved, refused in a halt. What the client cancelled, also where the
day's end was faster than the exchange's answer, what met another order of the same client, and what
the exchange lost, so that nobody knows what it traded, has ended for good.

Invariant: a list says where to look; an order is continued by at most one other, because that one's
client order id follows from it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from functions.shared.domain.waiting import RENEWAL_PREFIX
from functions.shared.stores.postgres import Database

from .settling import PAGE

_LEFT = (
    "SELECT o.user_id, o.order_id, coalesce(o.parent_order_id, o.order_id), o.symbol, o.side,"
    " o.quantity - o.filled_quantity, o.price, o.disclosed_quantity, o.trade_date, o.expires_at"
    " FROM ledger.orders o WHERE o.validity = 'GTC' AND (o.status = 'EXPIRED'"
    " OR o.status = 'CANCELLED' AND o.reason_code = 'VENUE_CANCELLED'"
    " OR o.status = 'REJECTED' AND o.reason_code = 'VENUE_CLOSED')"
    " AND coalesce(o.reason_code, '') NOT IN ('CANCEL_AT_DAY_END', 'LOST_AT_VENUE')"
    " AND o.filled_quantity < o.quantity AND o.expires_at > :now"
    " AND NOT EXISTS (SELECT FROM ledger.orders s WHERE s.user_id = o.user_id"
    f" AND s.client_order_id = '{RENEWAL_PREFIX}' || o.order_id)"
    " AND (o.user_id, o.order_id) > (:user_id::bigint, :order_id::bigint)"
    " ORDER BY o.user_id, o.order_id LIMIT :rows"
)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What a session left of a GTC order. `first`: the order that it all began with; `price` in
    ten-thousandths of a rupee."""

    user_id: int
    order_id: int
    first: int
    symbol: str
    side: str
    quantity: int
    price: int
    disclosed: int | None
    trade_date: date
    expires_at: datetime

    @property
    def shown(self) -> int | None:
        """What of it is disclosed; None for all, which a rest that small is."""
        return None if self.disclosed is None or self.disclosed >= self.quantity else self.disclosed

    @property
    def key(self) -> str:
        """The client order id of the order that continues it."""
        return f"{RENEWAL_PREFIX}{self.order_id}"


#: Before every order there is.
FIRST: Final = (0, 0)


def left_over(database: Database, now: datetime, after: tuple[int, int] = FIRST) -> list[LeftOver]:
    """A page of the shard's that have not come to their last day, behind a (user, order)."""
    user_id, order_id = after
    rows = database.run(_LEFT, now=now, user_id=user_id, order_id=order_id, rows=PAGE)
    return [LeftOver(*row) for row in rows]
