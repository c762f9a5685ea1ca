"""Files of symbols: what is read of other brokers' exports, what is refused, what comes back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.instruments import Instrument
from functions.watch.symbol_file import ROWS_MAX, RefusedRow, merge, read_rows, write_csv
from tests.support.ledger import ACME

NAMES = ("INFY", "M&M", "NIFTY 50", "TCS", "BAJAJ-AUTO")
MASTER: dict[str, Instrument] = dict.fromkeys(NAMES, ACME)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("INFY\nTCS\n", [(1, "INFY"), (2, "TCS")]),
        ('\ufeffSymbol,Name\r\nM&M,"Mahindra, & M"\r\n\r\nTCS,x\r\n', [(2, "M&M"), (4, "TCS")]),
        ("name,tradingsymbol\nInfosys,INFY\nshort row\n", [(2, "INFY")]),
        ('["INFY", {"symbol": " TCS "}]', [(1, "INFY"), (2, "TCS")]),
        ('{"symbols": ["INFY"]}', [(1, "INFY")]),
        ("  \n", []),
        ("NSE:SBIN,NSE:ITC, NSE:LT,", [(1, "NSE:SBIN"), (1, "NSE:ITC"), (1, "NSE:LT")]),
        ("INFY,TCS\n", [(1, "INFY"), (1, "TCS")]),
        ("INFY,TCS\nM&M", [(1, "INFY"), (1, "TCS"), (2, "M&M")]),
        ("###MINE,NSE:SBIN\n###ELSE,BSE:X,ITC", [(1, "NSE:SBIN"), (2, "BSE:X"), (2, "ITC")]),
        ("###MINE\nSBIN\nITC,LT", [(2, "SBIN"), (3, "ITC"), (3, "LT")]),
        ("INFY,Infosys Ltd\nTCS,3900.5", [(1, "INFY"), (2, "TCS")]),
    ],
)
def test_a_file_is_read_by_its_column_or_its_array(text: str, rows: list[object]) -> None:
    assert read_rows(text) == rows


@pytest.mark.parametrize("text", ['["INFY"', "[1]", '{"a": []}', '[[["x"]]]', 'a\n"b', "[" * 9_999])
def test_what_is_no_file_of_symbols_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ValueError, match=r"file|symbols"):
        read_rows(text)


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    assert len(read_rows("TCS\n" * 9_000)) > ROWS_MAX
    assert len(read_rows("NSE:TCS," * 9_000)) == ROWS_MAX + 1
    assert len(read_rows(json.dumps(["TCS"] * 9_000))) == ROWS_MAX + 1


def test_each_row_is_taken_once_or_named_with_its_reason() -> None:
    rows = [(2, "nse:infy"), (3, "TCS.NS"), (4, "NOSUCH"), (5, "M&M-EQ"), (6, "BAJAJ-AUTO"),
            (7, "INFY"), (8, "NIFTY 50")]  # fmt: skip
    merged = merge(["TCS"], rows, MASTER, 4)
    assert merged.symbols == ["TCS", "INFY", "M&M", "BAJAJ-AUTO"]
    assert merged.added == 3
    assert merged.refused == [
        RefusedRow(3, "TCS.NS", "ALREADY_THERE"),
        RefusedRow(4, "NOSUCH", "UNKNOWN_SYMBOL"),
        RefusedRow(7, "INFY", "ALREADY_THERE"),
        RefusedRow(8, "NIFTY 50", "NO_ROOM"),
    ]


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_what_was_exported_is_imported_the_same(symbols: list[str]) -> None:
    for text in (write_csv(symbols, MASTER), json.dumps(symbols)):
        merged = merge([], read_rows(text), MASTER, 250)
        assert (merged.symbols, merged.refused) == (symbols, [])


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        rows = read_rows(text)
    except ValueError:
        return
    merged = merge([], rows, MASTER, 3)
    assert merged.added + len(merged.refused) == len(rows)
