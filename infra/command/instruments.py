"""`outcry instruments ...`: the instrument master's facts, by the dates they are valid from.

Invariant: a list is taken in as a whole, in one transaction, or not at all; a dry run is the same
transaction, taken back. Rows that are refused are said with their reasons, and stop no other.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import cyclopts
import msgspec

from functions.shared.clock import open_clock, trade_date
from functions.shared.stores.postgres import Database
from infra.command.corporate_actions import import_actions
from infra.command.exits import CHECK_FAILED, DONE, REFUSED, WRONG_USAGE, Failure
from infra.command.instrument_files import Fact, FileRefused, InstrumentFile, read_instruments
from infra.command.place import home, owner_urls, running_stack

instruments_app = cyclopts.App(name="instruments", help="The instruments that can be traded.")
instruments_app.command(import_actions, name="corporate-actions")

_TOLD_MOST: Final = 50
#: Rows of one statement: it ends well before the connection's patience.
_BATCH: Final = 200
_IMPORT = (
    "SELECT symbol, outcome, detail FROM market.import_instruments("
    ":rows, CAST(:today AS date), CAST(:from_ AS date), :source)"
)
_FACTS = (
    "SELECT d.fact, d.value, CAST(d.valid_from AS text), d.source FROM market.dated_fact d"
    " JOIN market.instrument i USING (token) WHERE i.exchange = 'NSE' AND i.symbol = :symbol"
    " ORDER BY d.fact, d.valid_from"
)
_KIND = (
    "SELECT market.note_facts(i, jsonb_build_object('kind', CAST(:kind AS text)),"
    " CAST(:from_ AS date), :source) FROM market.instrument i"
    " WHERE i.exchange = 'NSE' AND i.symbol = :symbol AND i.kind <> 'INDEX'"
)
_APPLY = "SELECT market.apply_dated_facts(CAST(:today AS date), 1000000)"
_NOW = (
    "SELECT CAST(to_jsonb(i) AS text) FROM market.instrument i"
    " WHERE i.exchange = 'NSE' AND i.symbol = :symbol"
)


class Told(NamedTuple):
    """What became of one row, or would."""

    symbol: str
    outcome: str
    detail: str


class _DryRun(Exception):
    """Takes the transaction back."""


@instruments_app.command(name="import")
def import_(*files: Path, from_: date | None = None, dry_run: bool = False) -> int:
    """Take lists of NSE's shares into the master; say what changed, what was refused, and why.

    Several files are read as one: Kite's has no ISIN, EQUITY_L.csv has no tick.

    Args:
        files: EQUITY_L.csv of NSE, Kite's instruments CSV, or a CSV with a fact a column
        from_: day that the facts are valid from; the business day when not given
        dry_run: say what would change, and change nothing
    """
    if not files:
        raise Failure("name a file", WRONG_USAGE)
    try:
        read = [read_instruments(path) for path in files]
    except FileRefused as error:
        raise Failure(str(error), REFUSED) from error
    place = home()
    stack = running_stack(place)
    today = trade_date(open_clock(stack.clock).now())
    source = ", ".join(path.name for path in files)
    database = Database(owner_urls(stack)[0], "import")
    try:
        told = take_in(database, merged(read), today, from_ or today, source, dry_run=dry_run)
    finally:
        database.close()
    print(report(read, told, dry_run=dry_run))
    refused = any(file.refused for file in read) or any(one.outcome == "REFUSED" for one in told)
    return CHECK_FAILED if refused else DONE


@instruments_app.command
def delist(symbol: str, *, from_: date, why: str = "delisted", undo: bool = False) -> int:
    """From a day on take no order of a share; search finds it no more, what is held of it stays.

    Orders of the day end with it; those kept for later are refused when they would go out.

    Args:
        symbol: the share, as NSE writes it
        from_: the first day without it, today or later
        why: the notice it is by
        undo: list it (again) from that day on
    """
    stack = running_stack(home())
    today = trade_date(open_clock(stack.clock).now())
    if from_ < today:
        raise Failure(f"--from {from_}: the day is {today} already", WRONG_USAGE)
    database = Database(owner_urls(stack)[0], "delist")
    try:
        noted = note_kind(database, symbol.upper(), from_, today, why, is_listed=undo)
    finally:
        database.close()
    if noted is None:
        raise Failure(f"{symbol} is no share of the master", REFUSED)
    state = "listed" if undo else "not listed"
    print(f"{symbol.upper()} is {state} from {from_} on" + ("" if noted else ", as was known"))
    return DONE


def note_kind(
    database: Database, symbol: str, valid_from: date, today: date, why: str, *, is_listed: bool
) -> bool | None:
    """Notes from when on a share is listed, or is not; whether that is news, None without such a
    share. Raises Retryable; then nothing was noted."""
    kind = "EQUITY" if is_listed else "DELISTED"
    with database.transaction():
        rows = database.run(_KIND, symbol=symbol, kind=kind, from_=valid_from, source=why)
        database.run(_APPLY, today=today)
    return bool(rows[0][0]) if rows else None


@instruments_app.command
def show(symbol: str, *, json_: bool = False) -> int:
    """Show what the master knows of a share, and since when and by what source.

    Args:
        symbol: the share, as NSE writes it
        json_: as JSON
    """
    database = Database(owner_urls(running_stack(home()))[0], "instruments")
    try:
        rows = database.run(_NOW, symbol=symbol)
        if not rows:
            raise Failure(f"{symbol} is not listed", REFUSED)
        now = json.loads(rows[0][0])
        facts = [
            dict(zip(("fact", "value", "valid_from", "source"), row, strict=True))
            for row in database.run(_FACTS, symbol=symbol)
        ]
    finally:
        database.close()
    if json_:
        print(json.dumps({"now": now, "facts": facts}))
        return DONE
    for name, value in now.items():
        print(f"{name:<18}{value}")
    for fact in facts:
        print(f"{fact['valid_from']:<12}{fact['fact']:<18}{fact['value']}  ({fact['source']})")
    return DONE


def merged(files: Iterable[InstrumentFile]) -> list[dict[str, Fact]]:
    """The facts of each symbol: where two files tell the same one, the first is heard."""
    facts: dict[str, dict[str, Fact]] = {}
    for file in files:
        for symbol, told in file.facts.items():
            facts[symbol] = told | facts.get(symbol, {})
    return list(facts.values())


def take_in(
    database: Database,
    rows: Sequence[dict[str, Fact]],
    today: date,
    valid_from: date,
    source: str,
    *,
    dry_run: bool,
) -> list[Told]:
    """Through the owner's role on shard 0. Raises Retryable; then nothing was taken in."""
    told: list[Told] = []
    try:
        with database.transaction():
            for start in range(0, len(rows), _BATCH):
                taken = database.run(
                    _IMPORT,
                    rows=msgspec.json.encode(rows[start : start + _BATCH]).decode(),
                    today=today,
                    from_=valid_from,
                    source=source,
                )
                told += [Told(*row) for row in taken]
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return told


def report(files: Iterable[InstrumentFile], told: Sequence[Told], *, dry_run: bool) -> str:
    """The counts, then what was listed or renamed, then each row that was refused and why."""
    counts = Counter(one.outcome.lower() for one in told)
    rows = [row for file in files for row in file.refused]
    counts["refused"] += len(rows)
    skipped = sum(file.skipped for file in files)
    names = ("listed", "renamed", "changed", "unchanged", "refused")
    lines = [
        ("would be: " if dry_run else "")
        + ", ".join(f"{counts[name]} {name}" for name in names)
        + f"; {skipped} rows are of no share of NSE"
    ]
    some = [f"{t.symbol}: {t.outcome.lower()} {t.detail}" for t in told if t.detail]
    some += [f"line {row.line}, {row.symbol}: {'; '.join(row.reasons)}" for row in rows]
    if len(some) > _TOLD_MOST:
        some = [*some[:_TOLD_MOST], f"and {len(some) - _TOLD_MOST} more"]
    return "\n".join([*lines, *some])
