"""Lists of instruments as NSE, Kite and we write them, row by row."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.command.instrument_files import FileRefused, InstrumentFile, read_instruments
from infra.command.instruments import Told, merged, report

EQUITY_L = (
    "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER,"
    " FACE VALUE\n"
)
KITE = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str) -> InstrumentFile:
    path = folder / "list.csv"
    path.write_text(text)
    return read_instruments(path)


def test_nses_list_gives_name_series_lot_isin_and_the_day_of_listing(folder: Path) -> None:
    file = read(
        folder, EQUITY_L + "M&M,Mahindra & Mahindra Limited,EQ,03-JAN-1996,5,1,INE101A01026,5\n"
    )
    assert (file.refused, file.skipped) == ([], 0)
    assert file.facts == {
        "M&M": {
            "symbol": "M&M", "name": "Mahindra & Mahindra Limited", "series": "EQ",
            "listed_on": "1996-01-03", "lot": 1, "isin": "INE101A01026",
        }
    }  # fmt: skip


def test_kites_list_gives_tick_and_lot_of_nses_shares_alone(folder: Path) -> None:
    file = read(
        folder,
        KITE
        + "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.1,1,EQ,NSE,NSE\n"
        + "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE\n"
        + "128083204,500325,RELIANCE,RELIANCE,0,,0,0.05,1,EQ,BSE,BSE\n"
        + "1793,7,DULL-BE,DULL COMPANY,0,,0,0.01,1,EQ,NSE,NSE\n"
        + "2049,8,735GS2035-GS,A LOAN,0,,0,0.01,100,EQ,NSE,NSE\n"
        + "4267265,16669,BAJAJ-AUTO,BAJAJ AUTO,0,,0,0.5,1,EQ,NSE,NSE\n"
        + "99,8,CROOKED,CROOKED,0,,0,0.01,1,EQ,NSE,NSE\n",
    )
    assert file.facts["RELIANCE"] == {
        "symbol": "RELIANCE", "name": "RELIANCE INDUSTRIES", "series": "EQ", "tick": 1_000,
        "lot": 1,
    }  # fmt: skip
    assert file.facts["DULL"]["series"] == "BE"
    assert (list(file.facts), file.skipped) == (["RELIANCE", "DULL", "BAJAJ-AUTO"], 3)
    [row] = file.refused
    assert (row.line, row.symbol) == (8, "CROOKED")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("lower,A Company,EQ,03-JAN-1996,5,1,INE101A01026,5", "symbol 'lower' is no symbol"),
        ("ACME,,EQ,03-JAN-1996,5,1,INE101A01026,5", "name ''"),
        ("ACME,A Company,ZZ,03-JAN-1996,5,1,INE101A01026,5", "series 'ZZ' is none of"),
        ("ACME,A Company,EQ,31-FEB-1996,5,1,INE101A01026,5", "listed_on '31-FEB-1996' is no date"),
        ("ACME,A Company,EQ,03-JAN-1996,5,0,INE101A01026,5", "lot '0' is not a whole number"),
        ("ACME,A Company,EQ,03-JAN-1996,5,1.5,INE101A01026,5", "lot '1.5'"),
        ("ACME,A Company,EQ,03-JAN-1996,5,1,INE101A01027,5", "check digit"),
        ("ACME,A Company,EQ,03-JAN-1996,5,1", "6 values of 8"),
        ("GOOD,Again,EQ,03-JAN-1996,5,1,INE002A01018,5", "stands in the file before"),
        ("ACME,A Company,EQ,03-JAN-1996,5,1,INE009A01021,5", "the ISIN is GOOD's"),
    ],
)
def test_a_row_is_refused_with_its_reason_and_stops_no_other(
    folder: Path, row: str, why: str
) -> None:
    good = "GOOD,Good Company,EQ,03-JAN-1996,5,1,INE009A01021,5\n"
    last = "LAST,Last Company,EQ,03-JAN-1996,5,1,INE467B01029,5\n"
    file = read(folder, f"{EQUITY_L}{good}{row}\n{last}")
    assert list(file.facts) == ["GOOD", "LAST"]
    [refused] = file.refused
    assert refused.line == 3
    assert why in "; ".join(refused.reasons)


def test_a_list_of_our_own_has_any_facts(folder: Path) -> None:
    file = read(
        folder,
        "symbol,sector,market_cap,closing_auction,tick\nTCS,Information Technology,1100000,Y,0.10\n"
        "INFY,,,,\nWIPRO,,-1,yes,0.07\n",
    )
    assert file.facts == {
        "TCS": {
            "symbol": "TCS", "sector": "Information Technology", "market_cap": 1_100_000,
            "closing_auction": True, "tick": 1_000,
        },
        "INFY": {"symbol": "INFY"},
    }  # fmt: skip
    assert len(file.refused[0].reasons) == 3


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "symbol,colour\nA,red\n", 'symbol,name\nA,"broken\n', "\x00\xff"]
)
def test_another_file_is_refused_whole(folder: Path, text: str) -> None:
    with pytest.raises(FileRefused):
        read(folder, text)


def test_a_file_that_is_no_text_or_not_there_is_refused(folder: Path) -> None:
    (folder / "bytes.csv").write_bytes(b"\xff\xfe\x00symbol")
    for name in ("bytes.csv", "missing.csv"):
        with pytest.raises(FileRefused):
            read_instruments(folder / name)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_whatever_a_row_says_it_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("rows") / "list.csv"
    path.write_text(f"symbol,name,lot,tick\n{text}\nTCS,Tata,1,0.1\n", newline="")
    try:
        file = read_instruments(path)
    except FileRefused:
        return
    assert all(set(facts) <= {"symbol", "name", "lot", "tick"} for facts in file.facts.values())


def test_of_two_lists_the_first_is_heard_and_the_other_fills_in() -> None:
    one = InstrumentFile(facts={"A": {"symbol": "A", "name": "First", "isin": "X"}})
    other = InstrumentFile(facts={"A": {"symbol": "A", "name": "FIRST", "tick": 100}, "B": {}})
    assert merged([one, other]) == [{"symbol": "A", "name": "First", "tick": 100, "isin": "X"}, {}]


def test_the_report_counts_all_and_tells_what_was_refused(folder: Path) -> None:
    file = read(folder, EQUITY_L + "ACME,,EQ,03-JAN-1996,5,1,INE101A01026,5\n")
    told = [Told("A", "LISTED", ""), Told("B", "RENAMED", "was C"), Told("D", "REFUSED", "why")]
    said = report([file], told, dry_run=True).splitlines()
    assert said[0].startswith("would be: 1 listed, 1 renamed, 0 changed, 0 unchanged, 2 refused")
    assert said[1:] == [
        "B: renamed was C", "D: refused why", "line 2, ACME: name '' is not of 1 to 200 letters",
    ]  # fmt: skip
