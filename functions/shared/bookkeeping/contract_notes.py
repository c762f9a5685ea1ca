"""Contract notes: what a trade date's trades cost in the end, booked and kept.

Invariant: a note is computed from the fills the ledger has, and booked only if it has no other by
then. Asked twice, it is written once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal

from functions.shared.domain.charges import Charges
from functions.shared.domain.contract_note import OrderTraded, Trade
from functions.shared.domain.errors import NotFound
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Database, Row, Shards
from functions.shared.wire.contract_notes import WrittenNote

_DUE = (
    "SELECT trade_date, user_id FROM ledger.contract_note_due"
    " WHERE trade_date <= :closed AND (trade_date, user_id) > (:day, :user_id)"
    " ORDER BY trade_date, user_id LIMIT :rows"
)
_TRADED = (
    "SELECT o.order_id, o.venue_order_id, ledger.micros(o.created_at), o.symbol, o.product, o.side,"
    " e.exec_id, ledger.micros(e.at), e.quantity, e.price, e.value, e.seq"
    " FROM ledger.trade e JOIN ledger.orders o USING (order_id)"
    " WHERE e.trade_date = :trade_date AND e.user_id = :user_id"
    " ORDER BY o.order_id, e.seq"
)
_BOOK = (
    "SELECT outcome, version, seq FROM ledger.book_contract_note(:user_id, :trade_date, :through,"
    " :charges, :body, :today, :now)"
)
_CHARGE_DEPOSITORY = (
    "SELECT ledger.charge_depository(:user_id, :trade_date, :settled_through, :charge, :tax,"
    " :today, :now)"
)
_COLUMNS: Final = "n.version, n.body, n.seq, ledger.micros(n.at)"
_LATEST = (
    f"SELECT DISTINCT ON (n.trade_date) {_COLUMNS}"
    " FROM ledger.contract_note n WHERE n.user_id = :user_id AND n.trade_date < :before"
    " ORDER BY n.trade_date DESC, n.version DESC LIMIT :rows"
)  # fmt: skip
_NOTE = (
    f"SELECT {_COLUMNS} FROM ledger.contract_note n"
    " WHERE n.user_id = :user_id AND n.trade_date = :trade_date"
    " AND (CAST(:version AS integer) IS NULL OR n.version = :version)"
    " ORDER BY n.version DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class DueNote:
    """An account's trade date with fills that no note covers."""

    trade_date: date
    user_id: int


#: Before every due note.
FIRST: Final = DueNote(date.min, 0)


@dataclass(frozen=True, slots=True)
class DayTraded:
    """What each order traded on a day; `through` is the seq of the latest fill among it."""

    orders: tuple[OrderTraded, ...]
    through: int


@dataclass(frozen=True, slots=True)
class Booked:
    """STALE: a fill came in since; nothing is written. REPLAY: that version was written before."""

    outcome: Literal["BOOKED", "REPLAY", "STALE"]
    version: int
    seq: int


def due_notes(shard: Database, closed: date, after: DueNote, rows: int) -> list[DueNote]:
    """At most `rows` that a shard owes for trade dates up to `closed`, behind `after`."""
    found = shard.run(_DUE, closed=closed, day=after.trade_date, user_id=after.user_id, rows=rows)
    return [DueNote(*row) for row in found]


def day_traded(shards: Shards, user_id: int, trade_date: date) -> DayTraded:
    """Every order of the account that traded that day, with its trades of that day."""
    rows = shards.of_user(user_id).run(_TRADED, user_id=user_id, trade_date=trade_date)
    orders = tuple(_order(list(parts)) for _, parts in groupby(rows, key=itemgetter(0)))
    return DayTraded(orders, max((row[-1] for row in rows), default=0))


def _order(rows: Sequence[Row]) -> OrderTraded:
    """The order of the rows of its trades."""
    order_id, venue_order_id, placed_at, symbol, product, side = rows[0][:6]
    trades = tuple(Trade(*row[6:11]) for row in rows)
    return OrderTraded(
        order_id, venue_order_id, placed_at, symbol, Product(product), Side(side), trades
    )


def book_note(
    shards: Shards, due: DueNote, through: int, charges: Charges, body: str, today: date,
    now: datetime,
) -> Booked:  # fmt: skip
    """Keeps the document and books what its charges differ by from those booked so far."""
    outcome, version, seq = shards.of_user(due.user_id).call(
        _BOOK, user_id=due.user_id, trade_date=due.trade_date, through=through,
        charges=list(charges), body=body, today=today, now=now,
    )[0]  # fmt: skip
    return Booked(outcome, version, seq)


def charge_depository(
    shards: Shards, due: DueNote, settled_through: date, charge: int, tax: int, today: date,
    now: datetime,
) -> int:  # fmt: skip
    """Charges each security that left the demat account that day, once; `charge` and `tax` in
    paise. Shares bought on `settled_through` or before have settled. Returns how many were charged
    now."""
    booked: int = shards.of_user(due.user_id).call(
        _CHARGE_DEPOSITORY, user_id=due.user_id, trade_date=due.trade_date,
        settled_through=settled_through, charge=charge, tax=tax, today=today, now=now,
    )[0][0]  # fmt: skip
    return booked


def latest_notes(shards: Shards, user_id: int, before: date, rows: int) -> Sequence[WrittenNote]:
    """The latest version of each trade date's note, newest first, of dates before `before`."""
    found = shards.of_user(user_id).run(_LATEST, user_id=user_id, before=before, rows=rows)
    return [WrittenNote(*row) for row in found]


def find_note(shards: Shards, user_id: int, trade_date: date, version: int | None) -> WrittenNote:
    """A version of a trade date's note, the latest when none is named. Raises NotFound."""
    found = shards.of_user(user_id).run(
        _NOTE, user_id=user_id, trade_date=trade_date, version=version
    )
    if not found:
        raise NotFound(f"there is no such contract note of {trade_date}")
    return WrittenNote(*found[0])
