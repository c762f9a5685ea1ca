"""The ledger's rows as the checker reads them, by questions of its own.

Invariant: read as the owner in one snapshot; nothing is computed here that the database could have
computed wrongly for the application too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import pg8000.native


class Event(NamedTuple):
    """One row of a log. Money in paise."""

    user: int
    seq: int
    at: datetime
    kind: str
    ref: int | None
    cash_change: int
    held_change: int
    cash: int
    held: int
    borrowed: int
    body: str
    hash: bytes


class Account(NamedTuple):
    """The snapshot beside a log."""

    user: int
    seq: int
    head: bytes
    cash: int
    held: int
    borrowed: int
    unsettled: int
    blocked: int
    open_orders: int


class Placed(NamedTuple):
    """An order and the seq of the event it was decided by."""

    order: int
    user: int
    key: str
    status: str
    filled: int
    seq: int


class Deposit(NamedTuple):
    """A deposit and its event."""

    user: int
    key: str
    amount: int
    seq: int


class Withdrawal(NamedTuple):
    """A withdrawal, the event of its request (a refusal too) and that of the bank's last word."""

    user: int
    key: str
    number: int
    state: str
    requested: int
    ended: int | None


class Execution(NamedTuple):
    """A report of the venue that was applied."""

    trade_date: date
    exec_id: str
    user: int
    order: int
    exec_type: str
    quantity: int
    price: int
    seq: int


class Due(NamedTuple):
    """Sale proceeds and when they settle."""

    user: int
    settles_on: date
    unsettled: int
    blocked: int


class Lot(NamedTuple):
    """What is left of one buy."""

    user: int
    symbol: str
    lot: int
    trade_date: date
    quantity: int
    cost: int


class Sum(NamedTuple):
    """The postings of one event and asset."""

    user: int
    seq: int
    asset: str
    amount: int


class Leaving(NamedTuple):
    """A row of the outbox: an event, and what the venue is to be told because of it."""

    user: int
    seq: int
    command: str | None


_EVENTS = (
    "SELECT user_id, seq, at, kind, ref, cash_change, held_change, cash, held, borrowed, body, hash"
    " FROM ledger.ledger_event ORDER BY user_id, seq"
)
_ACCOUNTS = (
    "SELECT user_id, seq, head, cash, held, borrowed, unsettled, blocked, open_orders"
    " FROM ledger.account"
)
_PLACED = (
    "SELECT order_id, user_id, client_order_id, status, filled_quantity, placed_seq"
    " FROM ledger.orders"
)
_DEPOSITS = "SELECT user_id, client_id, amount, seq FROM ledger.deposit"
_WITHDRAWALS = (
    "SELECT user_id, client_id, payment_id, state, coalesce(requested_seq, ended_seq),"
    " CASE WHEN requested_seq IS NOT NULL THEN ended_seq END"
    " FROM ledger.payment WHERE direction = 'OUT'"
)
_EXECUTIONS = (
    "SELECT trade_date, exec_id, user_id, order_id, exec_type, quantity, price, seq"
    " FROM ledger.execution"
)
_DUES = "SELECT user_id, settles_on, unsettled, blocked FROM ledger.settlement_due"
_LOTS = "SELECT user_id, symbol, lot, trade_date, quantity, cost FROM ledger.holding_lot"
_SUMS = "SELECT user_id, seq, asset, sum(amount)::bigint FROM ledger.posting GROUP BY 1, 2, 3"
_OUTBOX = "SELECT user_id, seq, command FROM ledger.outbox ORDER BY id"


@dataclass(slots=True)
class Books:
    """All of it, of every shard that was read."""

    events: dict[int, list[Event]] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    orders: list[Placed] = field(default_factory=list)
    deposits: list[Deposit] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    outbox: list[Leaving] = field(default_factory=list)


def read(connections: Sequence[pg8000.native.Connection]) -> Books:
    """The books of all shards, each in one snapshot. Nothing may have drained the outbox."""
    books = Books()
    for connection in connections:
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for row in connection.run(_EVENTS):
            books.events.setdefault(row[0], []).append(Event(*row))
        books.accounts |= {row[0]: Account(*row) for row in connection.run(_ACCOUNTS)}
        books.orders += _rows(connection, _PLACED, Placed)
        books.deposits += _rows(connection, _DEPOSITS, Deposit)
        books.withdrawals += _rows(connection, _WITHDRAWALS, Withdrawal)
        books.executions += _rows(connection, _EXECUTIONS, Execution)
        books.dues += _rows(connection, _DUES, Due)
        books.lots += _rows(connection, _LOTS, Lot)
        books.sums += _rows(connection, _SUMS, Sum)
        books.outbox += _rows(connection, _OUTBOX, Leaving)
        connection.run("ROLLBACK")
    return books


def _rows(connection: pg8000.native.Connection, sql: str, shape: Any) -> list[Any]:
    return [shape(*row) for row in connection.run(sql)]
