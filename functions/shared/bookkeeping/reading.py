"""Reading a user's own books: orders, fills, funds, holdings, events. Nothing here writes.

Invariant: every question names its user, so another user's row is not found rather than refused.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from functions.shared.domain.errors import NotFound
from functions.shared.domain.waiting import RENEWAL_PREFIX
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import (
    FillFacts,
    FundsFacts,
    HoldingFacts,
    OrderFacts,
    PositionFacts,
    decode_fill,
    decode_holding,
    decode_order,
    decode_position,
)
from functions.shared.wire.order_history import OrderStep, decode_step

_ORDERS = (
    "SELECT ledger.order_facts(o)::text FROM ledger.orders o WHERE o.user_id = :user_id"
    " AND (:before::bigint IS NULL OR o.order_id < :before)"
    " AND (:status::text IS NULL OR o.status = :status)"
    " AND (:symbol::text IS NULL OR o.symbol = :symbol)"
    " AND (:start::timestamptz IS NULL OR o.created_at >= :start)"
    " AND (:until::timestamptz IS NULL OR o.created_at < :until)"
    " ORDER BY o.order_id DESC LIMIT :rows"
)
_ORDER = (
    "SELECT ledger.order_facts(o)::text, o.limit_price FROM ledger.orders o"
    " WHERE o.order_id = :order_id AND o.user_id = :user_id"
)
_HISTORY = (
    "SELECT seq, ledger.micros(at), kind, body::text FROM ledger.ledger_event"
    " WHERE user_id = :user_id AND ref = :order_id"
    " AND seq >= (SELECT placed_seq FROM ledger.orders WHERE order_id = :order_id) ORDER BY seq"
)
_LINKED = (
    "SELECT ledger.order_facts(o)::text FROM ledger.orders o WHERE o.user_id = :user_id"
    " AND (o.leg IS NOT NULL AND o.parent_order_id = :order_id OR o.order_id <> :order_id AND"
    "  o.group_id = (SELECT x.group_id FROM ledger.orders x"
    "   WHERE x.order_id = :order_id AND x.user_id = :user_id)"
    f"  OR o.client_order_id = (SELECT '{RENEWAL_PREFIX}' || x.order_id FROM ledger.orders x"
    "   WHERE x.order_id = :order_id AND x.user_id = :user_id))"
    " ORDER BY o.order_id DESC LIMIT :rows"
)
_FILLS = (
    "SELECT (e.body::json -> 'fill')::text FROM ledger.trade x"
    " JOIN ledger.ledger_event e USING (user_id, seq)"
    " WHERE x.order_id = :order_id AND x.user_id = :user_id ORDER BY x.seq"
)
#: Orders shown beside an order.
LINKED_MOST: Final = 100
_FUNDS = (
    "SELECT a.cash, a.held, a.borrowed, a.unsettled, a.blocked, a.seq,"
    " (SELECT coalesce(sum(s.value), 0)::bigint FROM ledger.shortage s"
    "  WHERE s.user_id = a.user_id AND s.closed_seq IS NULL)"
    " FROM ledger.account_on(:user_id, :trade_date) a"
)
_HOLDINGS = (
    "SELECT h.facts::text FROM ledger.holdings_on(:user_id, :trade_date::date) h"
    " WHERE h.quantity > 0 AND h.symbol > :after ORDER BY h.symbol LIMIT :rows"
)
_POSITIONS = (
    "SELECT p.facts::text FROM ledger.day_positions(:user_id, :trade_date::date) p"
    " WHERE (p.product, p.symbol, p.day) > (:after_product, :after_symbol, :after_day::date)"
    " ORDER BY p.product, p.symbol, p.day LIMIT :rows"
)
# A payment's events name it by `ref`. A deposit's names nothing: the bank's is booked under its
# payment's number, money that was given under the giver's own key.
EVENT_ROWS: Final = (
    "SELECT e.seq, ledger.micros(e.at), e.kind, e.ref, e.cash_change, e.held_change, e.cash,"
    " e.held, e.borrowed, p.hash, e.hash, y.payment_id, coalesce(y.client_id, d.client_id)"
    " FROM ledger.ledger_event e"
    " LEFT JOIN ledger.ledger_event p ON p.user_id = e.user_id AND p.seq = e.seq - 1"
    " LEFT JOIN ledger.deposit d ON d.user_id = e.user_id AND d.seq = e.seq"
    " LEFT JOIN ledger.payment y ON y.user_id = e.user_id AND y.payment_id = coalesce(e.ref,"
    "  CASE WHEN d.client_id LIKE 'payment:%' THEN substr(d.client_id, 9)::bigint END)"
    " WHERE e.user_id = :user_id"
)
_EVENTS = f"{EVENT_ROWS} AND e.seq > :after ORDER BY e.seq LIMIT :rows"

#: A position's product, symbol and trade date.
PositionPlace = tuple[str, str, date]
#: Before every position.
FIRST_POSITION: Final[PositionPlace] = ("", "", date.min)


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """A page of orders, newest first: those before order `before`, matching what is not None."""

    rows: int
    before: int | None = None
    status: str | None = None
    symbol: str | None = None
    start: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One event of the log and the account right after it. Money in paise, `at` in microseconds
    since 1970, hashes as bytes; the first has no previous one. `payment_id` and `client_id` say
    which payment it is about, None for other events and where there is no such name."""

    seq: int
    at: int
    kind: str
    ref: int | None
    cash_change: int
    held_change: int
    cash: int
    held: int
    borrowed: int
    previous_hash: bytes | None
    hash: bytes
    payment_id: int | None
    client_id: str | None


def orders(shards: Shards, user_id: int, query: OrderQuery) -> list[OrderFacts]:
    """The user's orders that match, newest first."""
    rows = shards.of_user(user_id).run(
        _ORDERS, user_id=user_id, rows=query.rows, before=query.before, status=query.status,
        symbol=query.symbol, start=query.start, until=query.until,
    )  # fmt: skip
    return [decode_order(row[0]) for row in rows]


def order(shards: Shards, user_id: int, order_id: int) -> tuple[OrderFacts, int]:
    """One order and the price the venue has. Raises NotFound unless it is this user's."""
    rows = shards.of_user(user_id).run(_ORDER, user_id=user_id, order_id=order_id)
    if not rows:
        raise NotFound(f"no order {order_id}")
    return decode_order(rows[0][0]), rows[0][1]


def history(shards: Shards, user_id: int, order_id: int) -> list[OrderStep]:
    """Every event of one order of this user, oldest first."""
    rows = shards.of_user(user_id).run(_HISTORY, user_id=user_id, order_id=order_id)
    return [
        OrderStep(seq=seq, at=at, kind=kind, facts=decode_step(body))
        for seq, at, kind, body in rows
    ]


def linked(shards: Shards, user_id: int, order_id: int) -> list[OrderFacts]:
    """The other exits of an order's group, those of its fills, and the order that continues a GTC:
    the latest LINKED_MOST, oldest first."""
    rows = shards.of_user(user_id).run(
        _LINKED, user_id=user_id, order_id=order_id, rows=LINKED_MOST
    )
    return [decode_order(row[0]) for row in reversed(rows)]


def fills(shards: Shards, user_id: int, order_id: int) -> list[FillFacts]:
    """The trades of one order of this user that stand, oldest first."""
    rows = shards.of_user(user_id).run(_FILLS, user_id=user_id, order_id=order_id)
    return [decode_fill(row[0]) for row in rows]


def funds(shards: Shards, user_id: int, trade_date: date) -> FundsFacts:
    """The account on a trade date: what is due by then counts as settled.

    Raises NotFound when there is no account."""
    return funds_and_shortages(shards, user_id, trade_date)[0]


def funds_and_shortages(shards: Shards, user_id: int, trade_date: date) -> tuple[FundsFacts, int]:
    """The account on a trade date, and what it was debited as the valuation of shares it sold and
    did not deliver, in paise: returned when they are closed out.

    Raises NotFound when there is no account."""
    *row, valued = shards.of_user(user_id).call(_FUNDS, user_id=user_id, trade_date=trade_date)[0]
    return FundsFacts(**dict(zip(FundsFacts.__struct_fields__, row, strict=True))), valued


def holdings(
    shards: Shards, user_id: int, trade_date: date, after: str, rows: int
) -> list[HoldingFacts]:
    """What the user holds, in order of symbol from the one behind `after`, split by when it was
    bought."""
    found = shards.of_user(user_id).run(
        _HOLDINGS, user_id=user_id, trade_date=trade_date, after=after, rows=rows
    )
    return [decode_holding(row[0]) for row in found]


def positions(
    shards: Shards, user_id: int, trade_date: date, after: PositionPlace, rows: int
) -> list[PositionFacts]:
    """What the trades of a trade date come to by product and symbol, in that order, behind `after`;
    and what is still open intraday of a day before, which has its own place beside the day's."""
    product, symbol, day = after
    found = shards.of_user(user_id).run(
        _POSITIONS, user_id=user_id, trade_date=trade_date, after_product=product,
        after_symbol=symbol, after_day=day, rows=rows,
    )  # fmt: skip
    return [decode_position(row[0]) for row in found]


def events(shards: Shards, user_id: int, after: int, rows: int) -> list[LedgerRow]:
    """The log after an event's seq, oldest first."""
    found = shards.of_user(user_id).run(_EVENTS, user_id=user_id, after=after, rows=rows)
    return [LedgerRow(*row) for row in found]
