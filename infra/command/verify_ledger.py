"""`outcry ledger verify`: proves the ledger from its rows and its signed anchors alone.

Invariant: nothing here is shared with the program that writes the ledger. The questions, the hash
and every rule are written a second time, so that one mistake can't hide itself. A check names the
first row that is wrong and goes on with the next check.

The database's owner is asked, in one read-only snapshot per shard: an order placed meanwhile is
either wholly seen or not at all. The anchors are read first, so none speaks of what comes later.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import pg8000.native
from pg8000.exceptions import DatabaseError

from infra.command import anchor_log
from infra.command.archives import check_archives
from infra.command.book_checks import BOOK_CHECKS
from infra.command.bust_checks import BUST_CHECKS
from infra.command.checks import Check
from infra.command.day_checks import DAY_CHECKS
from infra.command.event_log import Anchored, End, Walk, walk_log
from infra.command.exit_checks import EXIT_CHECKS
from infra.command.intervention_checks import INTERVENTION_CHECKS
from infra.command.ledger_checks import LEDGER_CHECKS
from infra.command.order_checks import ORDER_CHECKS
from infra.command.payment_checks import PAYMENT_CHECKS
from infra.command.plan_checks import PLAN_CHECKS
from infra.command.posting_checks import POSTING_CHECKS
from infra.command.report import Report

SLOTS = 64
CHECKS: Final[tuple[Check, ...]] = (
    *POSTING_CHECKS, *LEDGER_CHECKS, *ORDER_CHECKS, *EXIT_CHECKS, *BUST_CHECKS, *BOOK_CHECKS,
    *PAYMENT_CHECKS, *DAY_CHECKS, *PLAN_CHECKS, *INTERVENTION_CHECKS,
)  # fmt: skip
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
#: SQLSTATE class of values that a question can't work with.
_DATA_EXCEPTION = "22"

# The planner can't tell how many rows the checks' inner questions have, and takes them for few:
# joined row by row, a large log would be read once for each of its orders.
_READ_ONCE = "SET LOCAL enable_nestloop = off"
_ACCOUNTS = """
SELECT user_id, seq, head, (extract(epoch FROM at) * 1000000)::bigint, cash, held, borrowed,
  unsettled, blocked FROM ledger.account ORDER BY user_id
"""
_HOMES = "SELECT slot, epoch FROM ledger.slot WHERE state IN ('HERE', 'LEAVING')"
_ANCHORS = """
SELECT number, after, through, size, root, frontier, (extract(epoch FROM at) * 1000000)::bigint
FROM ledger.anchor ORDER BY number
"""


class Account(NamedTuple):
    """The snapshot that a user's log must end in."""

    user_id: int
    seq: int
    head: bytes
    at: int
    cash: int
    held: int
    borrowed: int
    unsettled: int
    blocked: int


class _Funds(msgspec.Struct):
    """What an event tells of the account after it."""

    cash: int
    held: int
    borrowed: int
    unsettled: int
    blocked: int
    seq: int


class _Body(msgspec.Struct):
    funds: _Funds


@dataclass(frozen=True)
class Anchors:
    """Where the anchors lie, as the write-once store's folder, and the key they are checked by."""

    folder: Path
    key: Path


def run(postgres_owner_urls: Sequence[str], anchors: Anchors | None = None) -> Report:
    """Checks every shard, and holds its log against the anchors when told where they are.

    Raises pg8000's errors when a shard can't be read, OSError or ValueError when the key can't.
    """
    report = Report()
    signed = (
        anchor_log.read_anchors(anchors.folder, anchor_log.load_key(anchors.key)) if anchors else []
    )
    with ExitStack() as opened:
        connections = []
        for url in postgres_owner_urls:
            connection = connect(url)
            opened.callback(connection.close)
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.run(_READ_ONCE)
            connections.append(connection)
        homes = find_homes(connections, report)
        for shard, connection in enumerate(connections):
            check_shard(connection, shard, report, homes, signed)
            if anchors:
                check_anchor_rows(connection, shard, report, signed, anchors.folder)
            connection.run("ROLLBACK")
        check_archives(connections, homes, report)
    return report


def find_homes(connections: Sequence[pg8000.native.Connection], report: Report) -> dict[int, int]:
    """Slot -> the shard it is at home on; a slot at home twice, or nowhere, is a finding."""
    homes: dict[int, tuple[int, int]] = {}
    for shard, connection in enumerate(connections):
        for slot, epoch in connection.run(_HOMES):
            report.checked["slots"] += 1
            known = homes.get(slot)
            if known is not None and known[0] == epoch:
                _add(report, shard, "slots", f"slot {slot}: is at home on shard {known[1]} too")
            if known is None or epoch > known[0]:
                homes[slot] = (epoch, shard)
    for slot in range(SLOTS):
        if slot not in homes:
            _add(report, 0, "slots", f"slot {slot}: is at home nowhere; is it being moved?")
    return {slot: shard for slot, (_, shard) in homes.items()}


def check_shard(
    connection: pg8000.native.Connection,
    shard: int,
    report: Report,
    homes: dict[int, int],
    signed: Sequence[anchor_log.Shard] = (),
) -> None:
    """Every check of one shard, inside the transaction that the connection is in."""
    check_chains(connection, shard, report, homes, signed)
    for check in CHECKS:
        run_check(connection, shard, check, report)


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
        # On this machine in the clear: loading the known authorities takes longer than a check.
        ssl_context=False if parts.hostname in _HERE else None,
    )


def _anchored_at(
    signed: Sequence[anchor_log.Shard], shard: int, homes: dict[int, int]
) -> list[Anchored]:
    """What any shard's anchors have signed of the users who are at home on this one."""
    leaves = (leaf for one in signed for leaf in one.leaves)
    return sorted(leaf for leaf in leaves if homes.get(leaf[0] & SLOTS - 1) == shard)


def check_chains(
    connection: pg8000.native.Connection,
    shard: int,
    report: Report,
    homes: dict[int, int],
    signed: Sequence[anchor_log.Shard],
) -> None:
    """Every user's log without a gap, each hash, each state from the one before, and its end."""

    def found(check: str, user: int, seq: int, fault: str) -> None:
        _add(report, shard, check, f"user {user} seq {seq}: {fault}")

    def ended(user: int, last: End) -> None:
        account = accounts.pop(user, None)
        if homes.get(user & SLOTS - 1) != shard:
            return  # a slot that has left, or is arriving: its account is elsewhere
        if account is None:
            _add(report, shard, "accounts", f"user {user}: has events but no account")
        elif user not in walk.broken:
            fault = _snapshot_fault(account, last)
            if fault is not None:
                _add(report, shard, "accounts", f"user {user}: {fault}")

    rows = map(Account._make, connection.run(_ACCOUNTS))
    accounts = {row.user_id: row for row in rows if homes.get(row.user_id & SLOTS - 1) == shard}
    report.checked["accounts"] += len(accounts)
    walk = Walk(found, anchored=_anchored_at(signed, shard, homes), ended=ended)
    walk_log(connection, walk)
    report.checked["events"] += walk.events
    report.checked["anchored heads"] += walk.anchors
    for user in accounts:
        _add(report, shard, "accounts", f"user {user}: has no events")


def _snapshot_fault(account: Account, last: End) -> str | None:
    """The account is what its last event says; None when it is. A cut tail shows here."""
    if account.seq != last.seq:
        return f"the account is at seq {account.seq}, its log ends at {last.seq}"
    if account.head != last.hash:
        return "the head is not the hash of the last event"
    try:
        told = msgspec.json.decode(last.body, type=_Body).funds
    except msgspec.MsgspecError as error:
        return f"its last event can't be read: {error}"
    for name in ("cash", "held", "borrowed", "at", "unsettled", "blocked"):
        is_ = getattr(account, name)
        for source in (last, told):
            if is_ != getattr(source, name, is_):
                return f"{name} is {is_}, the log says {getattr(source, name)}"
    return None


def check_anchor_rows(
    connection: pg8000.native.Connection,
    shard: int,
    report: Report,
    signed: Sequence[anchor_log.Shard],
    folder: Path,
) -> None:
    """The shard records exactly the anchors that are written; the last one it may be about to.
    One recorded since the store was read is looked for there again."""
    written = next((one for one in signed if one.number == shard), anchor_log.Shard(shard))
    report.checked["anchors"] += len(written.anchors)
    if written.fault is not None:
        _add(report, shard, "anchors", written.fault)
    rows = connection.run(_ANCHORS)
    for place, (number, *row) in enumerate(rows, start=1):
        if number != place:
            _add(report, shard, "anchors", f"anchor {place} is not recorded")
        elif place <= len(written.anchors):
            recorded, signed_as = anchor_log.Anchor(*row), written.anchors[place - 1]
            for name, is_, was in zip(recorded._fields, recorded, signed_as, strict=True):
                if is_ != was:
                    _add(report, shard, "anchors",
                         f"anchor {number}: recorded is another {name} than signed")  # fmt: skip
        elif not anchor_log.is_written(folder, shard, number):
            _add(report, shard, "anchors", f"anchor {number} is recorded and not in the store")
    missing = len(written.anchors) - len(rows)
    if missing > 1:
        _add(report, shard, "anchors",
             f"{missing} anchors beyond anchor {len(rows)} are signed and not recorded: "
             "the ledger is older than what it signed")  # fmt: skip


def run_check(
    connection: pg8000.native.Connection, shard: int, check: Check, report: Report
) -> None:
    """A row that PostgreSQL can't work with is damage too, and the other checks go on."""
    report.checked[check.name] += int(connection.run(check.rows)[0][0])
    connection.run("SAVEPOINT one_check")
    try:
        rows: list[list[Any]] = connection.run(f"{check.wrong} LIMIT 1")
    except DatabaseError as error:
        told = error.args[0]
        if not told["C"].startswith(_DATA_EXCEPTION):
            raise
        connection.run("ROLLBACK TO SAVEPOINT one_check")
        rows = [[f"a row can't be read: {told['M']} {told.get('D', '')}".rstrip()]]
    for row in rows:
        _add(report, shard, check.name, str(row[0]))


def _add(report: Report, shard: int, name: str, text: str) -> None:
    """Keeps the first finding of each kind on each shard."""
    start = f"shard {shard}, {name}: "
    if not any(problem.startswith(start) for problem in report.problems):
        report.problems.append(start + text)
