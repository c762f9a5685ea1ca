"""A list of symbols as a file: read from CSV or JSON as other brokers export it, and written.

Invariant: reading never fails as a whole and never guesses: every row is taken, or named with the
reason. What is a list of symbols (TradingView's `NSE:SBIN,NSE:ITC`, in `###` sections) is read
across, cell by cell; what is a table, by its column of symbols. Standard library only.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from functions.shared.domain.instruments import Instrument, listed_name

ROWS_MAX: Final = 2_000
_TEXT_SHOWN: Final = 40
#: What the column of symbols is called by Kite, NSE, TradingView, Yahoo and ourselves.
_COLUMNS: Final = ("symbol", "tradingsymbol", "ticker", "scrip", "instrument")
#: Other writings of NSE: `RELIANCE.NS` (Yahoo), `RELIANCE-EQ` (Kite's older files).
_SUFFIXES: Final = (".NS", "-EQ")
#: TradingView's exports: a list's section is `###NAME`, and each symbol names its exchange.
_SECTION: Final = "###"
_EXCHANGE: Final = "NSE:"
_WORD: Final = re.compile(r"(?=.*[A-Za-z])[\w&.:-]+")

Why = Literal["UNKNOWN_SYMBOL", "ALREADY_THERE", "NO_ROOM"]


class RefusedRow(NamedTuple):
    """`row` counts from 1, the header's included."""

    row: int
    text: str
    code: Why


class Merged(NamedTuple):
    """The list with what was taken behind it, how much that was, and what was not."""

    symbols: list[str]
    added: int
    refused: list[RefusedRow]


def read_rows(text: str) -> list[tuple[int, str]]:
    """(row, symbol as written), at most ROWS_MAX + 1 of them: a JSON array of texts or of objects
    with a `symbol`, or CSV by its column of symbols. Without such a header the first column
    counts, or every cell of a list with commas; the cells of a row then share its number.

    Raises ValueError for JSON of another shape and for what is no CSV.
    """
    body = text.removeprefix("\ufeff").strip()
    if body.startswith(("[", "{")):
        return _json_rows(body)
    try:
        rows = list(csv.reader(io.StringIO(body), strict=True))[: ROWS_MAX + 2]
    except csv.Error as error:
        raise ValueError(f"the file is no CSV: {error}") from error
    if not rows:
        return []
    header = [cell.strip().lower() for cell in rows[0]]
    column = next((header.index(name) for name in _COLUMNS if name in header), None)
    if column is None and _is_list(rows):
        return _listed(rows)
    first = 1 if column is None else 2
    at = column or 0
    return [
        (number, row[at].strip())
        for number, row in enumerate(rows[first - 1 :], start=first)
        if len(row) > at and row[at].strip()
    ]


def merge(
    there: Iterable[str],
    rows: Iterable[tuple[int, str]],
    master: Mapping[str, Instrument],
    most: int,
) -> Merged:
    """The rows' symbols behind those that are there, each once, up to `most`."""
    symbols = list(there)
    known, before = set(symbols), len(symbols)
    refused: list[RefusedRow] = []
    for number, text in rows:
        symbol = _symbol_of(text, master)
        if symbol is None:
            refused.append(RefusedRow(number, text[:_TEXT_SHOWN], "UNKNOWN_SYMBOL"))
        elif symbol in known:
            refused.append(RefusedRow(number, text[:_TEXT_SHOWN], "ALREADY_THERE"))
        elif len(symbols) >= most:
            refused.append(RefusedRow(number, text[:_TEXT_SHOWN], "NO_ROOM"))
        else:
            symbols.append(symbol)
            known.add(symbol)
    return Merged(symbols, len(symbols) - before, refused)


def write_csv(symbols: Iterable[str], master: Mapping[str, Instrument]) -> str:
    """One row a symbol, behind a header (RFC 4180). What is listed no more has no name."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("symbol", "exchange", "name", "isin"))
    for symbol in symbols:
        found = master.get(symbol)
        writer.writerow((symbol, "NSE", found.name if found else "", found.isin if found else ""))
    return out.getvalue()


def _is_list(rows: list[list[str]]) -> bool:
    """Whether the cells beside the first are symbols, too: a section's or an exchange's name says
    so, one line, or words alone. A table without a header has names of companies or figures."""
    filled = [cells for row in rows if (cells := [cell.strip() for cell in row if cell.strip()])]
    beside = [cell for cells in filled for cell in cells[1:]]
    is_marked = any(_is_section(cells[0]) for cells in filled)
    names_exchange = any(cell.upper().startswith(_EXCHANGE) for cell in beside)
    are_words = all(_WORD.fullmatch(cell) for cell in beside)
    return is_marked or names_exchange or are_words or len(filled) == 1


def _listed(rows: list[list[str]]) -> list[tuple[int, str]]:
    cells = [
        (number, cell.strip())
        for number, row in enumerate(rows, start=1)
        for cell in row
        if cell.strip() and not _is_section(cell.strip())
    ]
    return cells[: ROWS_MAX + 1]


def _is_section(cell: str) -> bool:
    return cell.startswith(_SECTION)


def _json_rows(body: str) -> list[tuple[int, str]]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the file is no JSON") from error
    items = value.get("symbols") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise ValueError("the file has neither an array of symbols nor an object with `symbols`")
    texts = [item.get("symbol") if isinstance(item, dict) else item for item in items]
    named = [text for text in texts if isinstance(text, str)]
    if len(named) != len(texts):
        raise ValueError("the file's array holds something other than symbols")
    return [(row, text.strip()) for row, text in enumerate(named, start=1)][: ROWS_MAX + 1]


def _symbol_of(text: str, master: Mapping[str, Instrument]) -> str | None:
    name = listed_name(text)
    if name in master:
        return name
    for suffix in _SUFFIXES:
        short = name.removesuffix(suffix)
        if short != name and short in master:
            return short
    return None
