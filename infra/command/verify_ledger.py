"""`outcry ledger verify`: proves the ledger from its rows alone.

Invariant: nothing here is shared with the program that writes the ledger. The questions, the hash
and every rule are written a second time, so that one mistake can't hide itself. A check names the
first row that is wrong and goes on with the next check.

The database's owner is asked, in one read-only snapshot per shard: an order placed meanwhile is
either wholly seen or not at all.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pg8000.native

from infra.command.ledger_checks import CHECKS, Check
from infra.command.report import Report

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENTS_A_PAGE = 5_000

_EVENTS = """
SELECT user_id, seq, at, kind, ref, cash_change, held_change, cash, held, borrowed, body, hash
FROM ledger.ledger_event
WHERE (user_id, seq) > (CAST(:user AS bigint), CAST(:seq AS bigint))
ORDER BY user_id, seq LIMIT :page
"""
_ACCOUNTS = "SELECT user_id, seq, head, cash, held, borrowed FROM ledger.account ORDER BY user_id"


class Event(NamedTuple):
    """One row of the log. Money in paise."""

    user_id: int
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
    """The snapshot that a user's log must end in."""

    user_id: int
    seq: int
    head: bytes
    cash: int
    held: int
    borrowed: int


def run(postgres_owner_urls: Sequence[str]) -> Report:
    """Checks every shard. Raises pg8000's errors when one can't be read."""
    report = Report()
    for shard, url in enumerate(postgres_owner_urls):
        connection = connect(url)
        try:
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            check_shard(connection, shard, report)
            connection.run("ROLLBACK")
        finally:
            connection.close()
    return report


def check_shard(connection: pg8000.native.Connection, shard: int, report: Report) -> None:
    """Every check, inside the transaction that the connection is in."""
    _check_chains(connection, shard, report)
    for check in CHECKS:
        _run_check(connection, shard, check, report)


def connect(url: str) -> pg8000.native.Connection:
    """A connection to one shard, by its `postgresql://` address."""
    parts = urlsplit(url)
    return pg8000.native.Connection(
        unquote(parts.username or ""),
        host=parts.hostname or "",
        port=parts.port or 5432,
        database=parts.path.lstrip("/"),
        password=unquote(parts.password or ""),
        application_name="ledger verify",
    )


def event_hash(previous: bytes, event: Event) -> bytes:
    """sha256 of the previous hash and every field of the event, integers big-endian, the kind
    behind its length, the body as stored."""
    kind = event.kind.encode()
    micros = (event.at - _EPOCH) // timedelta(microseconds=1)
    head = struct.pack(">qqqh", event.user_id, event.seq, micros, len(kind))
    state = struct.pack(
        ">qqqqqq", event.ref or 0, event.cash_change, event.held_change,
        event.cash, event.held, event.borrowed,
    )  # fmt: skip
    return hashlib.sha256(previous + head + kind + state + event.body.encode()).digest()


def _check_chains(connection: pg8000.native.Connection, shard: int, report: Report) -> None:
    """Every user's log without a gap, each hash, each state from the one before, and its end."""
    rows = connection.run(_ACCOUNTS)
    accounts = {row[0]: Account(*row) for row in rows}
    ends: dict[int, Event] = {}
    broken: set[int] = set()
    for event in _events(connection):
        report.checked["events"] += 1
        if event.user_id in broken:
            continue
        fault = _fault(event, ends.get(event.user_id))
        if fault is not None:
            broken.add(event.user_id)  # what follows in this log is wrong because of it
            _add(report, shard, "events", f"user {event.user_id} seq {event.seq}: {fault}")
        ends[event.user_id] = event
    for user_id in sorted(set(ends) - set(accounts)):
        _add(report, shard, "accounts", f"user {user_id}: has events but no account")
    for account in accounts.values():
        report.checked["accounts"] += 1
        if account.user_id not in broken:
            fault = _snapshot_fault(account, ends.get(account.user_id))
            if fault is not None:
                _add(report, shard, "accounts", f"user {account.user_id}: {fault}")


def _events(connection: pg8000.native.Connection) -> Iterator[Event]:
    """The whole log in the order of the chains, a page at a time."""
    user, seq = -(2**63), 0
    while page := connection.run(_EVENTS, user=user, seq=seq, page=_EVENTS_A_PAGE):
        for row in page:
            yield Event(*row)
        user, seq = page[-1][0], page[-1][1]


def _fault(event: Event, before: Event | None) -> str | None:
    expected = 1 if before is None else before.seq + 1
    if event.seq != expected:
        return f"seq {expected} is missing before it"
    cash, held, borrowed = (0, 0, 0)
    previous = hashlib.sha256(struct.pack(">q", event.user_id)).digest()
    if before is not None:
        cash, held, borrowed = before.cash, before.held, before.borrowed
        previous = before.hash
        if event.at < before.at:
            return "time runs backwards"
    if event.hash != event_hash(previous, event):
        return "the hash does not fit the row and the one before it"
    if event.cash != cash + event.cash_change or event.held != held + event.held_change:
        return "the state after it is not the state before it plus its changes"
    if event.borrowed != borrowed and event.kind not in {"BORROWED", "REPAID"}:
        return "it changes the loan and is no event of a loan"
    if event.borrowed - borrowed != event.cash_change and event.kind in {"BORROWED", "REPAID"}:
        return "the loan changes by another amount than the cash"
    return None


def _snapshot_fault(account: Account, last: Event | None) -> str | None:
    """The account is what its last event says; None when it is. A cut tail shows here."""
    if last is None:
        return "has no events"
    if account.seq != last.seq:
        return f"the account is at seq {account.seq}, its log ends at {last.seq}"
    if account.head != last.hash:
        return "the head is not the hash of the last event"
    for name in ("cash", "held", "borrowed"):
        is_, should = getattr(account, name), getattr(last, name)
        if is_ != should:
            return f"{name} is {is_}, the log says {should}"
    return None


def _run_check(
    connection: pg8000.native.Connection, shard: int, check: Check, report: Report
) -> None:
    report.checked[check.name] += int(connection.run(check.rows)[0][0])
    rows: list[list[Any]] = connection.run(f"{check.wrong} LIMIT 1")
    for row in rows:
        _add(report, shard, check.name, str(row[0]))


def _add(report: Report, shard: int, name: str, text: str) -> None:
    """Keeps the first finding of each kind on each shard."""
    start = f"shard {shard}, {name}: "
    if not any(problem.startswith(start) for problem in report.problems):
        report.problems.append(start + text)
