"""The tables that a slot's rows are in, and how those rows are copied to another shard.

Invariant: the catalog says what moves, no list that could be forgotten: every table of the ledger
with a user_id. Append-only tables are logs: their rows carry the seq of their event, are copied in
order while orders flow, and stay behind as an archive. All others are state, copied whole under
the fence and removed at the old home.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import pg8000.native

#: Handed on before a slot leaves: its rows name numbers of their own shard.
DRAINED: Final = "outbox"
#: The log whose (user, seq) every other log's rows belong to.
EVENTS: Final = "ledger_event"
#: Written by the statement that writes their event, and too many to be counted under the fence.
_COUNTED_BY_EVENT: Final = frozenset({EVENTS, "posting", "execution"})
#: May have rows of users without an account: reports that named nobody we know.
_WITHOUT_ACCOUNT: Final = "parked_execution"
#: A column with the number of the transaction that wrote the row; 0 says it came by a move.
_TRANSACTION_COLUMN: Final = "xact"

_TABLES = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum),
  EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.oid, c.relname HAVING bool_or(a.attname = 'user_id') ORDER BY c.relname
"""


class Table(NamedTuple):
    """A table of the ledger whose rows belong to users."""

    name: str
    columns: tuple[str, ...]
    append_only: bool

    @property
    def is_log(self) -> bool:
        return self.append_only and "seq" in self.columns


class Span(NamedTuple):
    """A stretch of one user's log: the events after `after`, up to `upto`."""

    user_id: int
    after: int
    upto: int


class UnknownKind(Exception):
    """A table that is neither a log nor state; nothing says how its rows are to be moved."""


class CopyDiffers(Exception):
    """What arrived is not what left; nothing was committed."""


def slot_tables(connection: pg8000.native.Connection) -> list[Table]:
    """Every table that a slot's rows are in. Raises UnknownKind."""
    found = [Table(name, tuple(columns), facts) for name, columns, facts in connection.run(_TABLES)]
    for table in found:
        if table.append_only and not table.is_log:
            raise UnknownKind(f"ledger.{table.name} is append-only and its rows name no event")
    return [table for table in found if table.name != DRAINED]


def copy_log(
    source: pg8000.native.Connection,
    target: pg8000.native.Connection,
    tables: Sequence[Table],
    spans: Sequence[Span],
) -> int:
    """Copies those stretches of every log, in the target's open transaction. Returns the rows.

    Raises CopyDiffers when an event of a stretch is missing.
    """
    values = ", ".join(f"({s.user_id}, {s.after}, {s.upto})" for s in spans)
    moving = f"(VALUES {values}) AS m (user_id, after, upto)"
    count = 0
    for table in tables:
        if not table.is_log:
            continue
        copied = _copy(source, target, table, f"FROM {moving} {_joined(table)}")
        events = sum(s.upto - s.after for s in spans)
        if table.name == EVENTS and copied != events:
            raise CopyDiffers(f"{events} events were to be copied, {copied} were there")
        count += copied
    return count


def copy_state(
    source: pg8000.native.Connection,
    target: pg8000.native.Connection,
    tables: Sequence[Table],
    slot: int,
) -> int:
    """Copies the slot's state tables in the target's open transaction. Returns the rows.

    Raises CopyDiffers unless both sides then hold the same rows.
    """
    # account first: the other tables' rows are found by its users.
    state = sorted((t for t in tables if not t.is_log), key=lambda t: t.name != "account")
    left = _sums(source, state, slot)
    for table in state:
        if left[table.name].rows:  # most slots have nothing in most tables, and the clock runs
            rows = f"FROM ledger.{table.name} t WHERE {_of_users(table, slot)}"
            _copy(source, target, table, rows)
    _compare(left, _sums(target, state, slot))
    return sum(table.rows for table in left.values())


def compare_logs(
    source: pg8000.native.Connection,
    target: pg8000.native.Connection,
    tables: Iterable[Table],
    slot: int,
) -> None:
    """Raises CopyDiffers unless both sides have the same rows in the logs that are few enough to be
    read under the fence; the others are written by the statement that writes their event."""
    few = [table for table in tables if table.is_log and table.name not in _COUNTED_BY_EVENT]
    _compare(_sums(source, few, slot), _sums(target, few, slot))


def remove_state(source: pg8000.native.Connection, tables: Iterable[Table], slot: int) -> None:
    """Removes what a slot that has left must not leave behind, in the open transaction."""
    state = sorted((t for t in tables if not t.is_log), key=lambda t: t.name == "account")
    for table in state:
        source.run(f"DELETE FROM ledger.{table.name} t WHERE {_of_users(table, slot)}")


def _joined(table: Table) -> str:
    """The log's rows of the stretches; executions are found by the order that their event names."""
    stretch = "t.user_id = m.user_id AND t.seq > m.after AND t.seq <= m.upto"
    if table.name != "execution":
        return f"JOIN ledger.{table.name} t ON {stretch}"
    return (
        f"JOIN ledger.{EVENTS} e ON {stretch.replace('t.', 'e.')} JOIN ledger.{table.name} t"
        " ON t.order_id = e.ref AND t.user_id = e.user_id AND t.seq = e.seq"
    )


def _of_users(table: Table, slot: int) -> str:
    """The slot's rows, found by its accounts: most tables have an index by user."""
    if table.name in {"account", _WITHOUT_ACCOUNT}:
        return _of_slot(slot)
    return f"t.user_id IN (SELECT a.user_id FROM ledger.account a WHERE (a.user_id & 63) = {slot})"


def _of_slot(slot: int) -> str:
    # User 0 is nobody: reports that name no account stay where they were parked.
    return f"(t.user_id & 63) = {slot} AND t.user_id > 0"


def _copy(
    source: pg8000.native.Connection,
    target: pg8000.native.Connection,
    table: Table,
    rows: str,
) -> int:
    columns = ", ".join(table.columns)
    values = ", ".join("0" if c == _TRANSACTION_COLUMN else f"t.{c}" for c in table.columns)
    stream = io.BytesIO()
    source.run(f"COPY (SELECT {values} {rows}) TO STDOUT", stream=stream)
    left: int = source.row_count
    stream.seek(0)
    if left > 0:
        target.run(f"COPY ledger.{table.name} ({columns}) FROM STDIN", stream=stream)
        if target.row_count != left:
            raise CopyDiffers(f"ledger.{table.name}: {left} rows left, {target.row_count} arrived")
    return left


class _Sum(NamedTuple):
    """How many rows of a slot a table has, and the sum of their hashes."""

    rows: int
    hashes: int


def _sums(
    connection: pg8000.native.Connection, tables: Sequence[Table], slot: int
) -> dict[str, _Sum]:
    asked = " UNION ALL ".join(
        f"SELECT '{table.name}', count(*),"
        " coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)"
        f" FROM ledger.{table.name} t WHERE {_of_users(table, slot)}"
        for table in tables
    )
    return {name: _Sum(rows, int(hashes)) for name, rows, hashes in connection.run(asked)}


def _compare(left: dict[str, _Sum], arrived: dict[str, _Sum]) -> None:
    for name, before in left.items():
        after = arrived[name]
        if before != after:
            raise CopyDiffers(f"ledger.{name}: {before.rows} rows left and {after.rows} arrived")


_COMMON = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r'
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'user_id')
ORDER BY c.relname
"""
#: What a shard says of itself, its sessions and its own log; every other table without users is the
#: same on every shard.
_OF_THE_SHARD: Final = frozenset(
    {
        "migration", "shard", "slot", "slot_home", "fix_applied", "fix_checkpoint", "anchor",
        "day_total",
    }
)  # fmt: skip


def common_tables(connection: pg8000.native.Connection) -> list[str]:
    """Tables that hold the same facts on every shard: rates, transitions, announcements."""
    return [row[0] for row in connection.run(_COMMON) if row[0] not in _OF_THE_SHARD]


def copy_common(source: pg8000.native.Connection, target: pg8000.native.Connection) -> None:
    """Brings a new shard what all shards know and no migration wrote."""
    for table in common_tables(source):
        stream = io.BytesIO()
        source.run(f"COPY ledger.{table} TO STDOUT", stream=stream)
        stream.seek(0)
        target.run("BEGIN")
        target.run(f"CREATE TEMP TABLE arriving (LIKE ledger.{table}) ON COMMIT DROP")
        target.run("COPY arriving FROM STDIN", stream=stream)
        target.run(f"INSERT INTO ledger.{table} SELECT * FROM arriving ON CONFLICT DO NOTHING")
        target.run("COMMIT")
