"""What follows a session, account by account: settlement, delivery, close-out, interest, dividends.

A job lists what a shard has to do, page by page, and asks for each item by itself. Invariant: each
call locks one account and does a thing once; a list read a moment ago is only where to look.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from functions.shared.domain.short_delivery import ShortageRates
from functions.shared.stores.postgres import Database, Shards

#: Rows of one page: a job that is cut short has lost little, and no list grows with the shard.
PAGE: Final = 500

_DUE = (
    "SELECT DISTINCT user_id FROM ledger.settlement_due"
    " WHERE settles_on <= :today AND user_id > :after ORDER BY user_id LIMIT :rows"
)
_SETTLE = "SELECT ledger.settle(:user_id, :today, :now)"
_LEFT_OPEN = (
    "SELECT user_id, symbol, trade_date, net FROM ledger.position"
    " WHERE net <> 0 AND trade_date <= :through"
    " AND (trade_date, user_id, symbol) > (:day::date, :user_id::bigint, :symbol::text)"
    " ORDER BY trade_date, user_id, symbol LIMIT :rows"
)
_DELIVER = (
    "SELECT ledger.deliver_position(:user_id, :symbol, :trade_date, :settles_on, :today, :now)"
)
_VALUE = "SELECT ledger.value_shortage(:user_id, :symbol, :trade_date, :price, :today, :now)"
_SHORTAGES = (
    "SELECT user_id, symbol, trade_date, -quantity FROM ledger.shortage"
    " WHERE closed_seq IS NULL"
    " AND (trade_date, user_id, symbol) > (:day::date, :user_id::bigint, :symbol::text)"
    " ORDER BY trade_date, user_id, symbol LIMIT :rows"
)
_CLOSE_OUT = (
    "SELECT ledger.close_out(:user_id, :symbol, :trade_date, :price, :penalty, :tax, :today, :now)"
)
_BORROWERS = (
    "SELECT user_id FROM ledger.loan"
    " WHERE charged_through < :through AND user_id > :after ORDER BY user_id LIMIT :rows"
)
_INTEREST = "SELECT ledger.charge_interest(:user_id, :through, :today, :now)"
_ANNOUNCE = "SELECT ledger.announce_dividend(:symbol, :record_date, :per_share)"
_HELD_BEFORE = (
    "SELECT a.user_id, ledger.held_before(a.user_id, :symbol, :record_date) FROM (SELECT user_id"
    " FROM ledger.account WHERE user_id > :after ORDER BY user_id LIMIT :rows) a ORDER BY a.user_id"
)
_DIVIDEND = "SELECT ledger.pay_dividend(:user_id, :symbol, :record_date, :today, :now)"


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """An intraday position as it was listed: `net` shares, negative when sold short."""

    user_id: int
    symbol: str
    trade_date: date
    net: int


def due_users(database: Database, today: date, after: int) -> list[int]:
    """A page of the shard's accounts that have proceeds to settle by today."""
    return [row[0] for row in database.run(_DUE, today=today, after=after, rows=PAGE)]


def settle(shards: Shards, user_id: int, today: date, now: datetime) -> bool:
    """Settles what is due of the account; whether anything was."""
    return bool(shards.of_user(user_id).call(_SETTLE, user_id=user_id, today=today, now=now)[0][0])


def left_open(
    database: Database, through: date, after: OpenPosition | None = None
) -> list[OpenPosition]:
    """A page of the shard's positions that outlived their session, trade dates through a day."""
    return _positions(database, _LEFT_OPEN, after, through=through)


def open_shortages(database: Database, after: OpenPosition | None = None) -> list[OpenPosition]:
    """A page of the shard's short positions that were valued and are not closed out."""
    return _positions(database, _SHORTAGES, after)


def _positions(
    database: Database, sql: str, after: OpenPosition | None, **parameters: object
) -> list[OpenPosition]:
    place = after or OpenPosition(0, "", date.min, 0)
    rows = database.run(
        sql, day=place.trade_date, user_id=place.user_id, symbol=place.symbol, rows=PAGE,
        **parameters,
    )  # fmt: skip
    return [OpenPosition(*row) for row in rows]


def deliver(
    shards: Shards, position: OpenPosition, settles_on: date, today: date, now: datetime
) -> bool:
    """A long position becomes a lot of its trade date, which the account pays for; a short one is
    delivered from the holding as far as that goes. False when there is nothing to deliver, or an
    order may still change the position."""
    return _done(shards, _DELIVER, position, settles_on=settles_on, today=today, now=now)


def value_shortage(
    shards: Shards, position: OpenPosition, price: int, today: date, now: datetime
) -> bool:
    """Debits a short position's valuation at `price` (ten-thousandths of a rupee), once."""
    return _done(shards, _VALUE, position, price=price, today=today, now=now)


def close_out(
    shards: Shards,
    shortage: OpenPosition,
    price: int,
    rates: ShortageRates,
    today: date,
    now: datetime,
) -> bool:
    """Ends a valued shortage at `price` (ten-thousandths of a rupee), with the penalty, once."""
    return _done(
        shards, _CLOSE_OUT, shortage, price=price, penalty=rates.penalty, tax=rates.tax,
        today=today, now=now,
    )  # fmt: skip


def _done(shards: Shards, sql: str, position: OpenPosition, **parameters: object) -> bool:
    """Whether the call became an event."""
    rows = shards.of_user(position.user_id).call(
        sql, user_id=position.user_id, symbol=position.symbol, trade_date=position.trade_date,
        **parameters,
    )  # fmt: skip
    return int(rows[0][0]) > 0


def borrowers(database: Database, through: date, after: int) -> list[int]:
    """A page of the shard's accounts whose loan has days through that one to be charged."""
    rows = database.run(_BORROWERS, through=through, after=after, rows=PAGE)
    return [row[0] for row in rows]


def charge_interest(shards: Shards, user_id: int, through: date, today: date, now: datetime) -> int:
    """Charges interest on the end-of-day loan of each day not charged yet; how many days."""
    rows = shards.of_user(user_id).call(
        _INTEREST, user_id=user_id, through=through, today=today, now=now
    )
    return int(rows[0][0])


def announce_dividend(database: Database, symbol: str, record_date: date, per_share: int) -> bool:
    """Records a dividend on one shard, `per_share` in ten-thousandths of a rupee. False when
    another amount was announced for that date."""
    rows = database.run(_ANNOUNCE, symbol=symbol, record_date=record_date, per_share=per_share)
    return bool(rows[0][0])


def holders_before(database: Database, symbol: str, record_date: date) -> Iterator[int]:
    """The shard's accounts that held the symbol at the end of the day before the record date. It
    looks at every account, a page at a time: a few times a year for a symbol."""
    after = 0
    while page := database.run(
        _HELD_BEFORE, symbol=symbol, record_date=record_date, after=after, rows=PAGE
    ):
        yield from (user_id for user_id, held in page if held > 0)
        after = page[-1][0]


def pay_dividend(
    shards: Shards, user_id: int, symbol: str, record_date: date, today: date, now: datetime
) -> bool:
    """Pays an announced dividend to one holder, once; whether it was paid now."""
    rows = shards.of_user(user_id).call(
        _DIVIDEND, user_id=user_id, symbol=symbol, record_date=record_date, today=today, now=now
    )
    return int(rows[0][0]) > 0
