"""`outcry instruments corporate-actions FILE`: splits, bonuses and dividends by ex-date.

Invariant: as with the lists of instruments a file is taken in as a whole, in one transaction, or
not at all; rows that are refused are said with their reasons, and stop no other.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NamedTuple

from functions.shared.domain.corporate_actions import ActionKind
from functions.shared.stores.postgres import Database
from infra.command.exits import CHECK_FAILED, DONE, REFUSED, Failure
from infra.command.place import home, owner_urls, running_stack

_COLUMNS: Final = ("symbol", "ex_date", "kind", "ratio")
_ROWS_MOST: Final = 100_000
_RATIO: Final = re.compile(r"([1-9]\d{0,4}):([1-9]\d{0,4})")
_WRITE: Final = (
    "INSERT INTO market.corporate_action AS a (token, ex_date, kind, given, held, source)"
    " SELECT i.token, CAST(:ex_date AS date), :kind, :given, :held, :source"
    " FROM market.instrument i WHERE i.exchange = 'NSE' AND i.symbol = :symbol"
    " ON CONFLICT (token, ex_date, kind) DO UPDATE"
    " SET given = excluded.given, held = excluded.held, source = excluded.source"
    " RETURNING (xmax = 0)"
)


class Row(NamedTuple):
    line: int
    symbol: str
    ex_date: date
    kind: ActionKind
    given: int
    held: int


class Refused(NamedTuple):
    line: int
    reason: str


class _DryRun(Exception):
    """Takes the transaction back."""


def import_actions(file: Path, *, dry_run: bool = False) -> int:
    """Take splits, bonuses and dividends in: a CSV of symbol, ex_date, kind and ratio.

    A SPLIT's ratio is new:old shares, a BONUS's more:held, a DIVIDEND's rupees a share.

    Args:
        file: the CSV
        dry_run: say what would change, and change nothing
    """
    rows, refused = read_actions(file)
    database = Database(owner_urls(running_stack(home()))[0], "corporate-actions")
    try:
        taken, new, unlisted = take_in(database, rows, file.name, dry_run=dry_run)
    finally:
        database.close()
    for line, reason in sorted([*refused, *unlisted]):
        print(f"line {line}: {reason}")
    also = "; a dry run, nothing was changed" if dry_run else ""
    wrong = len(refused) + len(unlisted)
    print(f"{taken} taken in, {new} of them new, {wrong} refused{also}")
    return CHECK_FAILED if wrong else DONE


def take_in(
    database: Database, rows: Sequence[Row], source: str, *, dry_run: bool
) -> tuple[int, int, list[Refused]]:
    """How many were taken in, how many of them were new, and those of shares that aren't listed.
    Through the owner's role on shard 0. Raises Retryable; then nothing was taken in."""
    taken, new, unlisted = 0, 0, list[Refused]()
    try:
        with database.transaction():
            for row in rows:
                written = database.run(
                    _WRITE, symbol=row.symbol, ex_date=row.ex_date, kind=row.kind.value,
                    given=row.given, held=row.held, source=source,
                )  # fmt: skip
                if written:
                    taken, new = taken + 1, new + bool(written[0][0])
                else:
                    unlisted.append(Refused(row.line, f"{row.symbol} is not listed"))
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass  # taken back, as it was meant
    return taken, new, unlisted


def read_actions(file: Path) -> tuple[list[Row], list[Refused]]:
    """The rows, and those that say nothing that can be. Raises Failure for a file that can't be
    read or has other columns."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, strict=True)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise Failure(f"{file.name}: the header is not {','.join(_COLUMNS)}", REFUSED)
            return _read(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Failure(f"{file.name}: {error}", REFUSED) from error


def _read(lines: Iterator[Mapping[str, str]]) -> tuple[list[Row], list[Refused]]:
    rows: dict[tuple[str, date, ActionKind], Row] = {}
    refused: list[Refused] = []
    for line, given in enumerate(lines, 2):
        if line > _ROWS_MOST:
            raise Failure(f"more than {_ROWS_MOST} rows", REFUSED)
        try:
            row = _row(line, given)
        except ValueError as error:
            refused.append(Refused(line, str(error)))
            continue
        if rows.setdefault((row.symbol, row.ex_date, row.kind), row) is not row:
            refused.append(Refused(line, f"{row.kind} of {row.symbol} stands in the file before"))
    return list(rows.values()), refused


def _row(line: int, given: Mapping[str, str]) -> Row:
    values = [(given.get(name) or "").strip() for name in _COLUMNS]
    symbol, on, kind_text, ratio = values[0].upper(), *values[1:]
    if not symbol:
        raise ValueError("no symbol")
    try:
        ex_date = date.fromisoformat(on)
    except ValueError as error:
        raise ValueError(f"ex_date {on!r} is not a date such as 2026-07-10") from error
    try:
        kind = ActionKind(kind_text.upper())
    except ValueError as error:
        known = ", ".join(ActionKind)
        raise ValueError(f"kind {kind_text!r} is none of {known}") from error
    if kind is ActionKind.DIVIDEND:
        return Row(line, symbol, ex_date, kind, _paise(ratio), 1)
    match = _RATIO.fullmatch(ratio)
    if match is None:
        raise ValueError(f"ratio {ratio!r} is not two whole numbers such as 2:1")
    return Row(line, symbol, ex_date, kind, int(match[1]), int(match[2]))


def _paise(text: str) -> int:
    try:
        paise = Decimal(text) * 100
    except InvalidOperation as error:
        raise ValueError(f"dividend {text!r} is not rupees a share such as 12.50") from error
    if not paise.is_finite() or paise != int(paise) or not 0 < paise <= 10**9:
        raise ValueError(f"dividend {text!r} is not rupees a share such as 12.50")
    return int(paise)
