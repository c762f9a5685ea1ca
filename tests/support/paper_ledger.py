"""A ledger in one SQLite file: enough to judge the gateway by, and to survive its kills.

It keeps what the real one keeps for the gateway: which session positions are applied (in the
transaction that books the report), the checkpoint, each execution once, and the orders and changes
that are unanswered.
"""

import sqlite3
import threading
import time
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec

from functions.shared.clock import micros
from functions.shared.domain.errors import Fenced, Retryable
from functions.shared.stores.fill_copies import Fill, OpenCopy
from functions.shared.stores.fix_checkpoint import StaleOrder
from functions.shared.stores.streams import ValkeyStreams
from functions.shared.stores.venue_review import Difference, Kind, LedgerOrder
from functions.shared.wire.commands import (
    CancelOrder,
    NewOrder,
    OrderCommand,
    ReplaceOrder,
    decode_command,
    encode_command,
    orders_stream,
    session_of_symbol,
)
from functions.shared.wire.executions import ExecutionReport, decode_execution, executions_stream

_SCHEMA = """
CREATE TABLE IF NOT EXISTS applied (session TEXT, position INTEGER,
  PRIMARY KEY (session, position));
CREATE TABLE IF NOT EXISTS checkpoint (session TEXT PRIMARY KEY, through INTEGER);
CREATE TABLE IF NOT EXISTS fill (trade_date TEXT, exec_id TEXT, order_id INTEGER, quantity INTEGER,
  price INTEGER, at INTEGER, PRIMARY KEY (trade_date, exec_id));
CREATE TABLE IF NOT EXISTS copy (exec_id TEXT PRIMARY KEY, report TEXT, state TEXT);
CREATE TABLE IF NOT EXISTS compared (only_one INTEGER PRIMARY KEY, through TEXT);
CREATE TABLE IF NOT EXISTS told (order_id INTEGER PRIMARY KEY, user_id INTEGER, command TEXT,
  placed REAL, status TEXT, version INTEGER, request INTEGER, change TEXT);
CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, holder TEXT, fence INTEGER, until REAL);
CREATE TABLE IF NOT EXISTS numbering (session TEXT PRIMARY KEY, number INTEGER);
CREATE TABLE IF NOT EXISTS difference (session TEXT, kind TEXT, subject TEXT, settled INTEGER,
  PRIMARY KEY (session, kind, subject));
"""
_STATUSES = {"0": "OPEN", "1": "PARTIALLY_FILLED", "2": "FILLED", "4": "CANCELLED",
             "8": "REJECTED", "C": "EXPIRED"}  # fmt: skip


class PaperLedger:
    """Implements stores.leases.Leases, stores.fix_checkpoint.Checkpoint,
    stores.venue_review.VenueReview and stores.fill_copies.FillCopies. Each thread and process opens
    its own; the checkpoint alone looks at the fence."""

    def __init__(self, path: Path, fence: int = 0) -> None:
        self._fence = fence
        self._database = sqlite3.connect(
            path, timeout=60, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def take(self, names: Sequence[str], holder: str, seconds: float) -> int | None:
        self._database.execute("BEGIN IMMEDIATE")
        held = self._leases(names)
        free = all(other == holder or until < time.time() for other, _, until in held)
        fence = 1 + max((fence for _, fence, _ in held), default=0)
        if free:
            self._database.executemany(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)",
                [(name, holder, fence, time.time() + seconds) for name in names],
            )
        self._database.execute("COMMIT")
        return fence if free else None

    def renew(self, names: Sequence[str], fence: int, seconds: float) -> bool:
        if any(other != fence for _, other, _ in self._leases(names)):
            return False
        self._until(names, fence, time.time() + seconds)
        return True

    def release(self, names: Sequence[str], fence: int) -> None:
        self._until(names, fence, 0.0)

    def _leases(self, names: Sequence[str]) -> list[tuple[str, int, float]]:
        rows = self._database.execute("SELECT name, holder, fence, until FROM lease").fetchall()
        return [(holder, fence, until) for name, holder, fence, until in rows if name in names]

    def _until(self, names: Sequence[str], fence: int, until: float) -> None:
        self._database.executemany(
            "UPDATE lease SET until = ? WHERE name = ? AND fence = ?",
            [(until, name, fence) for name in names],
        )

    def numbering(self, session: str) -> str:
        row = self._database.execute(
            "SELECT number FROM numbering WHERE session = ?", (session,)
        ).fetchone()
        return f"{session}#{row[0]}" if row else session

    def begin_numbering(self, session: str) -> None:
        self._database.execute(
            "INSERT INTO numbering VALUES (?, 2) ON CONFLICT DO UPDATE SET number = number + 1",
            (session,),
        )

    def through(self, session: str) -> int:
        found = self._database.execute(
            "SELECT through FROM checkpoint WHERE session = ?", (session,)
        ).fetchone()
        return int(found[0]) if found else 0

    def applied(self, session: str, after: int) -> list[int]:
        rows = self._database.execute(
            "SELECT position FROM applied WHERE session = ? AND position > ?", (session, after)
        )
        return [int(row[0]) for row in rows]

    def move(self, session: str, through: int) -> None:
        lease = session.partition("#")[0]
        if any(fence != self._fence for _, fence, _ in self._leases([lease])):
            raise Fenced(lease)
        self._database.execute(
            "INSERT INTO checkpoint VALUES (?, ?) ON CONFLICT (session) "
            "DO UPDATE SET through = max(through, excluded.through)",
            (session, through),
        )

    def stale_orders(self, older_than_seconds: float) -> list[StaleOrder]:
        rows = self._database.execute(
            "SELECT order_id, user_id, coalesce(change, command) FROM told WHERE placed < ?"
            " AND (status = 'PENDING' OR status IN ('0', '1') AND change IS NOT NULL)",
            (time.time() - older_than_seconds,),
        )
        return [StaleOrder(*row) for row in rows]

    def working_orders(self) -> list[LedgerOrder]:
        return [o for o in self._orders() if o.status in {"PENDING", "OPEN", "PARTIALLY_FILLED"}]

    def orders_named(self, order_ids: Sequence[int]) -> list[LedgerOrder]:
        return [o for o in self._orders() if o.order_id in set(order_ids)]

    def note(
        self, session: str, kinds: Sequence[Kind], found: Sequence[Difference], now: datetime
    ) -> None:
        for kind in kinds:
            self._database.execute(
                "UPDATE difference SET settled = 1 WHERE session = ? AND kind = ?", (session, kind)
            )
        self._database.executemany(
            "INSERT OR REPLACE INTO difference VALUES (?, ?, ?, 0)",
            [(session, d.kind, d.subject) for d in found],
        )

    def working_anywhere(self, order_ids: Sequence[int]) -> set[int]:
        return {o.order_id for o in self.working_orders()} & set(order_ids)

    def note_cancel(self, session: str, subject: str, number: int) -> None:
        """Which cancel was sent is the venue's to tell here."""

    def differences(self) -> set[tuple[str, str]]:
        """(kind, subject) of those that stand."""
        rows = self._database.execute("SELECT kind, subject FROM difference WHERE settled = 0")
        return set(rows.fetchall())

    def standing(self, session: str, kind: Kind) -> list[Difference]:
        rows = self._database.execute(
            "SELECT subject FROM difference WHERE session = ? AND kind = ? AND settled = 0",
            (session, kind),
        )
        return [Difference(kind, row[0], "", "") for row in rows]

    def record(self, reports: Sequence[ExecutionReport]) -> None:
        self._database.executemany(
            "INSERT OR IGNORE INTO copy VALUES (?, ?, 'NEW')",
            [(report.exec_id, msgspec.json.encode(report).decode()) for report in reports],
        )

    def open(self) -> list[OpenCopy]:
        """All of them came long ago, so that no test waits."""
        rows = self._database.execute("SELECT report, state FROM copy WHERE state <> 'BOOKED'")
        copies = ((msgspec.json.decode(r, type=ExecutionReport), state) for r, state in rows)
        return [OpenCopy(_fill_of(r), r, state == "HANDED_ON", 3_600.0) for r, state in copies]

    def booked(self, keys: Sequence[tuple[date, str]]) -> list[Fill]:
        return [fill for fill, _ in self._fills() if fill.key in set(keys)]

    def mark_booked(self, keys: Sequence[tuple[date, str]]) -> None:
        self._mark("BOOKED", keys)

    def mark_handed_on(self, keys: Sequence[tuple[date, str]]) -> None:
        self._mark("HANDED_ON", keys)

    def not_copied(self, fills: Sequence[Fill]) -> list[Fill]:
        copied = {row[0] for row in self._database.execute("SELECT exec_id FROM copy")}
        return [fill for fill in fills if fill.exec_id not in copied]

    def booked_between(self, after: datetime, before: datetime) -> list[Fill]:
        return [fill for fill, at in self._fills() if micros(after) < at < micros(before)]

    def compared_through(self) -> datetime | None:
        rows = self._database.execute("SELECT through FROM compared").fetchall()
        return datetime.fromisoformat(rows[0][0]) if rows else None

    def move_compared(self, through: datetime) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO compared VALUES (1, ?)", (through.isoformat(),)
        )

    def lose_fill(self, order: NewOrder) -> None:
        self._database.execute("DELETE FROM fill WHERE order_id = ?", (order.order_id,))

    def invent_fill(self, exec_id: str, like: str) -> None:
        """Books a fill that the venue never told, at the time and on the terms of another."""
        self._database.execute(
            "INSERT INTO fill SELECT trade_date, ?, order_id, quantity, price, at FROM fill"
            " WHERE exec_id = ?",
            (exec_id, like),
        )

    def _mark(self, state: str, keys: Sequence[tuple[date, str]]) -> None:
        self._database.executemany(
            "UPDATE copy SET state = ? WHERE exec_id = ?", [(state, key[1]) for key in keys]
        )

    def _fills(self) -> list[tuple[Fill, int]]:
        rows = self._database.execute(
            "SELECT trade_date, exec_id, order_id, quantity, price, at FROM fill"
        )
        return [(Fill(date.fromisoformat(row[0]), *row[1:5]), row[5]) for row in rows]

    def place(self, order: NewOrder, status: str = "PENDING") -> None:
        command = encode_command(order).decode()
        self._database.execute(
            "INSERT INTO told VALUES (?, ?, ?, ?, ?, 1, 0, NULL)",
            (order.order_id, order.user_id, command, time.time(), status),
        )

    def change(self, command: ReplaceOrder | CancelOrder) -> None:
        """Asked for, and not answered yet."""
        self._database.execute(
            "UPDATE told SET change = ?, placed = ? WHERE order_id = ?",
            (encode_command(command).decode(), time.time(), command.order_id),
        )

    def forget(self, order: NewOrder) -> None:
        self._database.execute("DELETE FROM told WHERE order_id = ?", (order.order_id,))

    def _orders(self) -> list[LedgerOrder]:
        rows = self._database.execute(
            "SELECT t.command, t.status, t.version, t.request, coalesce(sum(f.quantity), 0)"
            " FROM told t LEFT JOIN fill f USING (order_id) GROUP BY t.order_id"
        )
        found: list[LedgerOrder] = []
        for text, status, version, request, filled in rows:
            o = decode_command(text)
            assert isinstance(o, NewOrder)
            found.append(
                LedgerOrder(
                    o.order_id, o.user_id, o.symbol, o.side, _STATUSES.get(status, status),
                    o.quantity, filled, o.price or 0, request, version, int(status != "PENDING"),
                )
            )  # fmt: skip
        return found

    def apply(self, report: ExecutionReport) -> None:
        """Books one report and its position in one transaction; a second time changes nothing."""
        run = self._database.execute
        run("BEGIN IMMEDIATE")
        run("INSERT OR IGNORE INTO applied VALUES (?, ?)", (report.session, report.position))
        if report.exec_type == "F":
            run(
                "INSERT OR IGNORE INTO fill VALUES (?, ?, ?, ?, ?, ?)",
                (
                    report.trade_date,
                    report.exec_id,
                    report.order_id,
                    report.last_quantity,
                    report.last_price,
                    report.transacted_at,
                ),
            )
        if report.exec_type == "5":
            run(
                "UPDATE told SET request = ?, command = json_set(command, '$.quantity', ?,"
                " '$.price', ?) WHERE order_id = ?",
                (report.request, report.order_quantity, report.price, report.order_id),
            )
        if (report.exec_type, report.reject_code) != ("I", 5):
            run(
                "UPDATE told SET change = NULL WHERE order_id = ?"
                " AND json_extract(change, '$.request') = ?",
                (report.order_id, report.request),
            )
        # 103=5: the venue has no such order, which ends none before its day is over.
        if report.exec_type != "9" and (report.exec_type, report.reject_code) != ("I", 5):
            run(
                "UPDATE told SET status = ?, version = version + 1"
                " WHERE order_id = ? AND (status <> ? OR ?)",
                (report.ord_status, report.order_id, report.ord_status, report.exec_type == "F"),
            )
        run("COMMIT")

    def mark_applied(self, reports: list[ExecutionReport]) -> None:
        """These positions are applied, in one transaction; nothing is booked."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(
            "INSERT OR IGNORE INTO applied VALUES (?, ?)",
            [(report.session, report.position) for report in reports],
        )
        self._database.execute("COMMIT")

    def fills(self) -> dict[str, tuple[int, int, int]]:
        """exec_id: (order_id, quantity, price)."""
        rows = self._database.execute("SELECT exec_id, order_id, quantity, price FROM fill")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def statuses(self) -> dict[int, str]:
        """order_id: OrdStatus, or PENDING."""
        return dict(self._database.execute("SELECT order_id, status FROM told").fetchall())


def _fill_of(report: ExecutionReport) -> Fill:
    return Fill(
        date.fromisoformat(report.trade_date), report.exec_id, report.order_id,
        report.last_quantity, report.last_price, report.exec_type,
    )  # fmt: skip


class PaperApplier:
    """The ledger's worker: executions streams to the paper ledger, on a thread of its own."""

    def __init__(self, url: str, path: Path, partitions: int = 4) -> None:
        self.reports: list[ExecutionReport] = []
        self._url = url
        self._path = path
        self._streams = [executions_stream(n) for n in range(partitions)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        streams, ledger = ValkeyStreams(self._url), PaperLedger(self._path)
        while not self._stop.is_set():
            try:
                for stream, entries in streams.read(self._streams, "ledger", "me", 100, 50):
                    for entry in entries:
                        report = decode_execution(entry.data)
                        ledger.apply(report)
                        self.reports.append(report)
                    streams.acknowledge(stream, "ledger", [entry.id for entry in entries])
            except Retryable:
                self._stop.wait(0.05)


def command_stream(command: OrderCommand, sessions: int = 2) -> str:
    return orders_stream(session_of_symbol(command.symbol, sessions))
