"""`outcry ledger rebuild`: every snapshot made again from the events alone, and held against the
tables.

Invariant: it only reads, in one snapshot per shard. There is no `--write`: a table that differs
from its log is damage, and what was told to customers and the venue came from that table. It has to
be looked at beside the log it contradicts, not painted over.

The log is streamed; what is kept in memory are the tables, and one account being made.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pg8000.native

from infra.command.event_log import End, Walk, walk_log
from infra.command.replayed_account import Key, ReplayedAccount, Row
from infra.command.replayed_dues import ReplayFault
from infra.command.report import Report
from infra.command.verify_ledger import SLOTS, connect, find_homes

DIFFERENCES_SHOWN = 50


class _Table(NamedTuple):
    """A snapshot table: its key behind the user, the columns that the log decides, which rows."""

    key: tuple[str, ...]
    columns: Mapping[str, str]
    which: str = "true"


def _same(*columns: str) -> dict[str, str]:
    return {column: column for column in columns}


def _micros(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint"


_OPEN_PLAN = "state IN ('ACTIVE', 'CANCELLING')"

_TABLES = {
    "account": _Table(
        (),
        _same(
            "seq", "head", "cash", "held", "borrowed", "unsettled", "blocked", "open_orders",
            "class", "state", "limits",
        )
        | {"at": _micros("at"), "settles_next": "settles_next::text"},
    ),
    "kill_switch": _Table((), _same("is_on", "seq") | {"since": _micros("since")}),
    "settlement_due": _Table(("settles_on::text",), _same("unsettled", "blocked", "intraday")),
    "intraday_result": _Table(("trade_date::text",), _same("amount")),
    "holding": _Table(("symbol",), _same("quantity", "open_sell", "pledged", "cost")),
    "holding_lot": _Table(
        ("symbol", "lot"),
        _same("quantity", "cost")
        | {"trade_date": "trade_date::text", "settles_on": "settles_on::text"},
    ),
    # Those that work: what has ended holds nothing and is no command to the venue any more.
    "orders": _Table(
        ("order_id",),
        _same(
            "client_order_id", "fingerprint", "symbol", "side", "type", "product", "margin_rate",
            "validity", "quantity", "disclosed_quantity", "price", "limit_price", "trigger_price",
            "trigger_above", "released_seq", "parent_order_id", "group_id", "leg", "stance",
            "exits", "trail", "trail_step", "reserved", "charge_rates", "charges", "status",
            "filled_quantity", "traded_value", "pending_change", "pending_quantity",
            "pending_price", "pending_reserved", "request", "accepted_request", "venue_order_id",
            "reason_code", "reason", "rules", "context", "placed_seq", "version",
        )
        | {"trade_date": "trade_date::text"}
        | {
            column: _micros(column)
            for column in ("releases_at", "expires_at", "created_at", "updated_at")
        },
        "status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')",
    ),
    # Those that have not ended: the others place nothing any more.
    "plan": _Table(
        ("plan_id",),
        _same(
            "client_id", "fingerprint", "kind", "symbol", "side", "product", "quantity", "price",
            "participation", "curve", "state", "reason_code", "reason", "opened_seq", "version",
        )
        | {"trade_date": "trade_date::text"}
        | {
            column: _micros(column)
            for column in ("starts_at", "ends_at", "created_at", "updated_at")
        },
        _OPEN_PLAN,
    ),
    "plan_slice": _Table(
        ("plan_id", "number"),
        _same("planned", "expected", "state", "quantity", "order_id", "market_volume")
        | {"due_at": _micros("due_at")},
        f"plan_id IN (SELECT p.plan_id FROM ledger.plan p WHERE p.{_OPEN_PLAN})",
    ),
    "symbol_restriction": _Table(
        ("alert_id",), _same("symbol", "seq", "ended_seq") | {"ends_at": _micros("ends_at")}
    ),
    "position": _Table(
        ("symbol", "trade_date::text"),
        _same(
            "margin_rate", "net", "open_value", "buy_quantity", "buy_value", "sell_quantity",
            "sell_value", "realised", "open_buy", "open_sell", "reserved_buy", "reserved_sell",
        ),
    ),
}  # fmt: skip

_Rows = dict[Key, Row]


def run(postgres_owner_urls: Sequence[str]) -> Report:
    """Rebuilds every account and names each difference, up to `DIFFERENCES_SHOWN` of them.

    Raises pg8000's errors when a shard can't be read.
    """
    report = Report()
    connections = [connect(url) for url in postgres_owner_urls]
    try:
        for connection in connections:
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        homes = find_homes(connections, report)
        for shard, connection in enumerate(connections):
            rebuild_shard(connection, shard, report, homes)
            connection.run("ROLLBACK")
    finally:
        for connection in connections:
            connection.close()
    if len(report.problems) > DIFFERENCES_SHOWN:
        more = len(report.problems) - DIFFERENCES_SHOWN
        report.problems[DIFFERENCES_SHOWN:] = [f"and {more} more"]
    return report


def rebuild_shard(
    connection: pg8000.native.Connection, shard: int, report: Report, homes: Mapping[int, int]
) -> None:
    """Rebuilds the accounts at home on one shard, in the transaction that the connection is in."""
    rebuilding = _Rebuilding(shard, report, homes, _read_tables(connection, shard, homes))
    walk = Walk(rebuilding.fault, each=rebuilding.event, ended=rebuilding.ended)
    walk_log(connection, walk)
    rebuilding.finish()
    report.checked["events"] += walk.events


class _Rebuilding:
    """Takes the log's events one by one; each account is compared when its log is at its end."""

    def __init__(
        self,
        shard: int,
        report: Report,
        homes: Mapping[int, int],
        tables: dict[int, dict[str, _Rows]],
    ) -> None:
        self._shard = shard
        self._report = report
        self._homes = homes
        self._tables = tables
        self._account = ReplayedAccount()
        self._wrong: int | None = None

    def event(self, user: int, kind: str, end: End) -> None:
        if user == self._wrong or self._homes.get(user & SLOTS - 1) != self._shard:
            return
        try:
            self._account.apply(kind, end)
        except ReplayFault as fault:
            self.fault("events", user, end.seq, str(fault))

    def ended(self, user: int, _end: End) -> None:
        """Compares what the log says with what the tables have."""
        account, self._account = self._account, ReplayedAccount()
        if user == self._wrong or self._homes.get(user & SLOTS - 1) != self._shard:
            return
        kept = self._tables.pop(user, {})
        for table, rebuilt in account.tables().items():
            rows = kept.get(table, {})
            self._report.checked[table] += len(rebuilt)
            for key in sorted(rows.keys() | rebuilt.keys(), key=str):
                for difference in _differences(rows.get(key), rebuilt.get(key)):
                    place = " ".join(map(str, (table, *key)))
                    self._report.problems.append(
                        f"shard {self._shard}, user {user} {place}: {difference}"
                    )

    def fault(self, _check: str, user: int, seq: int, text: str) -> None:
        """The log itself is wrong there: what it says of this user can't be rebuilt."""
        self._report.problems.append(f"shard {self._shard}, user {user} seq {seq}: {text}")
        self._wrong = user
        self._tables.pop(user, None)

    def finish(self) -> None:
        """Names rows of users without a log."""
        for user in sorted(self._tables):
            self._report.problems.append(f"shard {self._shard}, user {user}: has rows but no log")


def _differences(row: Row | None, rebuilt: Row | None) -> list[str]:
    if row is None or rebuilt is None:
        return ["the log has it, the table does not" if row is None
                else "the table has it, the log does not"]  # fmt: skip
    return [
        f"{column} is {_shown(row[column])}, the log says {_shown(rebuilt[column])}"
        for column in row
        if row[column] != rebuilt[column]
    ]


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _read_tables(
    connection: pg8000.native.Connection, shard: int, homes: Mapping[int, int]
) -> dict[int, dict[str, _Rows]]:
    """user -> table -> key -> row, of the users at home on the shard."""
    found: dict[int, dict[str, _Rows]] = defaultdict(lambda: defaultdict(dict))
    for name, table in _TABLES.items():
        wanted = ", ".join(("user_id", *table.key, *table.columns.values()))
        for row in connection.run(f"SELECT {wanted} FROM ledger.{name} WHERE {table.which}"):
            if homes.get(row[0] & SLOTS - 1) == shard:
                split = 1 + len(table.key)
                values = dict(zip(table.columns, row[split:], strict=True))
                found[row[0]][name][tuple(row[1:split])] = values
    return found
