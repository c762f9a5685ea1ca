"""Reading a user's own books: orders, fills, funds, holdings, events. Nothing here writes.

Invariant: every question names its user, so another user's row is not found rather than refused.
"""

from dataclasses import dataclass
from datetime import date, datetime

from functions.shared.domain.errors import NotFound
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import (
    FillFacts,
    FundsFacts,
    HoldingFacts,
    OrderFacts,
    decode_order,
)

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
    "SELECT seq, ledger.micros(at), kind, (body::jsonb -> 'order' ->> 'status'), hash"
    " FROM ledger.ledger_event WHERE user_id = :user_id AND ref = :order_id"
    " AND seq >= (SELECT placed_seq FROM ledger.orders WHERE order_id = :order_id) ORDER BY seq"
)
_FILLS = (
    "SELECT x.order_id, x.exec_id, o.symbol, o.side, o.product, x.quantity, x.price, x.value,"
    " x.charges, to_char(x.trade_date, 'YYYY-MM-DD'), to_char(x.settles_on, 'YYYY-MM-DD'),"
    " ledger.micros(x.at)"
    " FROM ledger.execution x JOIN ledger.orders o ON o.order_id = x.order_id"
    " WHERE x.order_id = :order_id AND x.user_id = :user_id AND x.exec_type = 'F' ORDER BY x.seq"
)
_FUNDS = (
    "SELECT cash, held, borrowed, unsettled, blocked, seq"
    " FROM ledger.account_on(:user_id, :trade_date)"
)
_HOLDINGS = (
    "SELECT f ->> 'symbol', (f ->> 'quantity')::bigint, (f ->> 'settled')::bigint,"
    " (f ->> 't1')::bigint, (f ->> 'bought_today')::bigint, (f ->> 'open_sell')::bigint,"
    " (f ->> 'pledged')::bigint, (f ->> 'cost')::bigint"
    " FROM (SELECT ledger.holding_facts(h.user_id, h.symbol, :trade_date::date) AS f FROM ledger.holding h WHERE h.user_id = :user_id AND h.quantity > 0"
    " AND h.symbol > :after ORDER BY h.symbol LIMIT :rows) x"
)
_EVENTS = (
    "SELECT e.seq, ledger.micros(e.at), e.kind, e.ref, e.cash_change, e.held_change, e.cash,"
    " e.held, p.hash, e.hash FROM ledger.ledger_event e LEFT JOIN ledger.ledger_event p"
    " ON p.user_id = e.user_id AND p.seq = e.seq - 1"
    " WHERE e.user_id = :user_id AND e.seq > :after ORDER BY e.seq LIMIT :rows"
)


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
class HistoryRow:
    """One step of an order's life; `at` in microseconds since 1970."""

    seq: int
    at: int
    kind: str
    status: str | None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One event of the log. Money in paise, hashes as bytes; the first has no previous one."""

    seq: int
    at: int
    kind: str
    ref: int | None
    cash_change: int
    held_change: int
    cash: int
    held: int
    previous_hash: bytes | None
    hash: bytes


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


def history(shards: Shards, user_id: int, order_id: int) -> list[HistoryRow]:
    """Every event of one order of this user, oldest first."""
    rows = shards.of_user(user_id).run(_HISTORY, user_id=user_id, order_id=order_id)
    return [HistoryRow(*row[:4]) for row in rows]


def fills(shards: Shards, user_id: int, order_id: int) -> list[FillFacts]:
    """The executions of one order of this user, oldest first."""
    rows = shards.of_user(user_id).run(_FILLS, user_id=user_id, order_id=order_id)
    names = FillFacts.__struct_fields__
    return [FillFacts(**dict(zip(names, row, strict=True))) for row in rows]


def funds(shards: Shards, user_id: int, trade_date: date) -> FundsFacts:
    """The account on a trade date: what is due by then counts as settled.

    Raises NotFound when there is no account."""
    row = shards.of_user(user_id).run(_FUNDS, user_id=user_id, trade_date=trade_date)[0]
    return FundsFacts(**dict(zip(FundsFacts.__struct_fields__, row, strict=True)))


def holdings(
    shards: Shards, user_id: int, trade_date: date, after: str, rows: int
) -> list[HoldingFacts]:
    """What the user holds, in order of symbol from the one behind `after`, split by when it was
    bought."""
    found = shards.of_user(user_id).run(
        _HOLDINGS, user_id=user_id, trade_date=trade_date, after=after, rows=rows
    )
    names = HoldingFacts.__struct_fields__
    return [HoldingFacts(**dict(zip(names, row, strict=True))) for row in found]


def events(shards: Shards, user_id: int, after: int, rows: int) -> list[LedgerRow]:
    """The log after an event's seq, oldest first."""
    found = shards.of_user(user_id).run(_EVENTS, user_id=user_id, after=after, rows=rows)
    return [LedgerRow(*row) for row in found]
