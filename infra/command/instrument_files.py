"""Lists of instruments as they are published, read row by row: NSE's EQUITY_L.csv, Kite's
instruments CSV, and one of our own with a fact a column.

Invariant: a row is taken whole or refused with its reasons; a file whose header is none of these is
refused. Layouts: EQUITY_L.csv of nsearchives.nseindia.com; Kite Connect 3, "Instruments".
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from functions.shared.domain.isin import is_isin
from functions.shared.domain.money import NotADecimal, parse_price

#: Series that are shares of companies: equity, trade-to-trade, and the exchange's board for SMEs.
SHARE_SERIES: Final = frozenset({"EQ", "BE", "BT", "BZ", "SM", "ST"})
#: Ticks in ten-thousandths of a rupee (NSE, since 15 April 2025; 0.05 was the one before).
TICKS: Final = frozenset({100, 500, 1_000, 5_000, 10_000, 50_000})
_SYMBOL: Final = re.compile(r"[A-Z0-9&-]{1,20}")
_SERIES: Final = re.compile(r"[A-Z0-9]{1,4}")
_NAME_MOST, _LOT_MOST = 200, 1_000_000
#: Ten million rupees, in ten-thousandths.
_PRICE_MOST: Final = 10**11
_NSE_SEGMENT: Final = 1
_PRODUCTS: Final = ("CNC", "MIS", "MTF")
_ROWS_MOST: Final = 1_000_000
_EQUITY_L: Final = frozenset(
    {"SYMBOL", "NAME OF COMPANY", "SERIES", "DATE OF LISTING", "MARKET LOT", "ISIN NUMBER"}
)
_KITE: Final = frozenset(
    {"instrument_token", "exchange_token", "tradingsymbol", "name", "tick_size", "lot_size",
     "segment", "exchange"}
)  # fmt: skip

Fact = str | int | bool
Row = Mapping[str, str]


class FileRefused(Exception):
    """The file as a whole can't be read; says why."""


class _Wrong(Exception):
    """What is wrong with one value."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    line: int
    symbol: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class InstrumentFile:
    """What a file says: facts by symbol, rows that were refused, and how many of the rows are of
    something else than a share of NSE."""

    facts: dict[str, dict[str, Fact]] = field(default_factory=dict)
    refused: list[RefusedRow] = field(default_factory=list)
    skipped: int = 0


def read_instruments(path: Path) -> InstrumentFile:
    """Raises FileRefused for a file that can't be read, or is none of the layouts."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileRefused(f"{path.name}: {error}") from error


def _read(lines: Iterator[list[str]]) -> InstrumentFile:
    header = [name.strip() for name in next(lines, [])]  # NSE's begin with a blank
    facts_of = _layout_of(frozenset(header))
    read = InstrumentFile()
    isins: dict[Fact, str] = {}
    for number, values in enumerate(lines, 2):
        if number > _ROWS_MOST:
            raise FileRefused(f"more than {_ROWS_MOST} rows")
        if not any(values):
            continue
        row = dict(zip(header, (value.strip() for value in values), strict=False))
        if len(values) != len(header):
            _refuse(read, number, row, [f"{len(values)} values of {len(header)}"])
            continue
        wrong: list[str] = []
        facts = facts_of(row, wrong)
        if facts is None:
            read.skipped += 1
            continue
        symbol, isin = str(facts.get("symbol", "")), facts.get("isin")
        if symbol in read.facts:
            wrong.append("the symbol stands in the file before")
        if isin is not None and isins.setdefault(isin, symbol) != symbol:
            wrong.append(f"the ISIN is {isins[isin]}'s")
        if wrong:
            _refuse(read, number, row, wrong)
        else:
            read.facts[symbol] = facts
    return read


def _refuse(read: InstrumentFile, line: int, row: Row, reasons: Iterable[str]) -> None:
    symbol = next((row[n] for n in ("SYMBOL", "tradingsymbol", "symbol") if row.get(n)), "?")
    read.refused.append(RefusedRow(line, symbol, tuple(reasons)))


_Facts = dict[str, Fact]
_Reader = Callable[[Row, list[str]], _Facts | None]


def _layout_of(names: frozenset[str]) -> _Reader:
    if names >= _EQUITY_L:
        return _equity_l
    if names >= _KITE:
        return _kite
    if "symbol" in names and names <= _OWN.keys():
        return _own
    raise FileRefused(
        "the header is neither EQUITY_L's nor that of Kite's instruments, nor of columns named"
        f" {', '.join(_OWN)}"
    )


def _equity_l(row: Row, wrong: list[str]) -> _Facts | None:
    given = {
        "symbol": row["SYMBOL"],
        "name": row["NAME OF COMPANY"],
        "series": row["SERIES"],
        "listed_on": row["DATE OF LISTING"],
        "lot": row["MARKET LOT"],
        "isin": row["ISIN NUMBER"],
    }
    return _facts(given, wrong)


def _kite(row: Row, wrong: list[str]) -> _Facts | None:
    """Series stand behind the symbol, none for EQ. An index has no lot, and other exchanges and
    series that are no shares are not ours."""
    if (row["exchange"], row["segment"]) != ("NSE", "NSE"):
        return None
    symbol, _, series = row["tradingsymbol"].rpartition("-")
    if not symbol or not (2 <= len(series) <= 2) or not _SERIES.fullmatch(series):
        symbol, series = row["tradingsymbol"], "EQ"
    if series not in SHARE_SERIES:
        return None
    try:
        token, number = int(row["instrument_token"]), int(row["exchange_token"])
    except ValueError:
        wrong.append("a token is no number")
    else:
        if token != number << 8 | _NSE_SEGMENT:
            wrong.append(f"instrument_token {token} is not that of {number} on NSE")
    given = {
        "symbol": symbol,
        "name": row["name"],
        "series": series,
        "tick": row["tick_size"],
        "lot": row["lot_size"],
    }
    return _facts(given, wrong)


def _own(row: Row, wrong: list[str]) -> _Facts | None:
    """What is empty is not said."""
    return _facts({name: text for name, text in row.items() if text}, wrong)


def _facts(given: Row, wrong: list[str]) -> _Facts:
    """The values as the master keeps them. What is wrong with any is added to `wrong`."""
    facts: _Facts = {}
    for name, text in given.items():
        try:
            facts[name] = _OWN[name](text)
        except _Wrong as error:
            wrong.append(f"{name} {text!r} {error}")
    if "symbol" not in given:
        wrong.append("it has no symbol")
    return facts


def _symbol(text: str) -> str:
    if not _SYMBOL.fullmatch(text):
        raise _Wrong("is no symbol")
    return text


def _name(text: str) -> str:
    if not 0 < len(text) <= _NAME_MOST or not text.isprintable():
        raise _Wrong(f"is not of 1 to {_NAME_MOST} letters")
    return text


def _series(text: str) -> str:
    if text not in SHARE_SERIES:
        raise _Wrong(f"is none of {', '.join(sorted(SHARE_SERIES))}")
    return text


def _isin(text: str) -> str:
    if not is_isin(text):
        raise _Wrong("is no ISIN, or its check digit is wrong")
    return text


def _products(text: str) -> str:
    named = [each.upper() for each in re.split(r"[ ,+]+", text) if each]
    if len(set(named)) != len(named) or not {"CNC"} <= set(named) <= set(_PRODUCTS):
        raise _Wrong("is not CNC, or CNC with MIS, MTF or both, such as CNC+MIS")
    return ",".join(each for each in _PRODUCTS if each in named)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:20]) <= most):
            raise _Wrong(f"is not a whole number from {least} to {most}")
        return int(text)

    return read


def _tick(text: str) -> int:
    try:
        units = Decimal(text) * 10_000
    except InvalidOperation:
        raise _Wrong("is no number") from None
    if units not in TICKS:
        raise _Wrong("is no tick of NSE")
    return int(units)


def _base_price(text: str) -> int:
    """Rupees, as a whole number of the smallest tick."""
    try:
        units = parse_price(text)
    except NotADecimal:
        raise _Wrong("is no price in rupees") from None
    if not 0 < units <= _PRICE_MOST or units % min(TICKS):
        raise _Wrong("is not a price of whole paise above 0")
    return units


def _listed_on(text: str) -> str:
    """`06-OCT-2008`, or as ISO 8601 has it."""
    try:
        day = date.fromisoformat(text) if text[:4].isdigit() else _nse_date(text)
    except ValueError:
        raise _Wrong("is no date") from None
    return day.isoformat()


def _nse_date(text: str) -> date:
    return datetime.strptime(text.title(), "%d-%b-%Y").date()  # noqa: DTZ007  a day has no zone


def _yes(text: str) -> bool:
    if text not in {"Y", "N"}:
        raise _Wrong("is neither Y nor N")
    return text == "Y"


#: The columns of our own layout, and how the value of each is read.
_OWN: Final[Mapping[str, Callable[[str], Fact]]] = {
    "symbol": _symbol,
    "name": _name,
    "isin": _isin,
    "series": _series,
    "sector": _name,
    "products": _products,
    "lot": _whole(1, _LOT_MOST),
    "tick": _tick,
    "freeze_quantity": _whole(1, 2**31 - 1),
    "band_percent": _whole(1, 100),
    "closing_auction": _yes,
    "listed_on": _listed_on,
    "market_cap": _whole(0, 2**31 - 1),
    "base_price": _base_price,
}
