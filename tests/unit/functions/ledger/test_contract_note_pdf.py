"""The printed note: it says what the JSON says, on as many pages as it takes."""

import re
import zlib
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st

from functions.ledger.contract_note_pdf import draw_note, grouped
from functions.shared.clock import micros
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.contract_notes import (
    HEAD_NAMES,
    TRADES_LISTED_MAX,
    WrittenNote,
    encode_note,
    render_note,
)
from tests.support.contract_notes import note_document, order_traded

DAY = date(2026, 7, 10)
EVENING = datetime(2026, 7, 10, 10, 12, tzinfo=UTC)


def rendered(orders: int, side: Side = Side.BUY) -> dict[str, object]:
    numbers = count(4_398_046_511_104_000_000)
    symbols = [f"S{n % 7}&CO" for n in range(orders)]
    traded = [
        order_traded(next(numbers), symbol, Product.CNC, side, 1 + n, 101_25 * (1 + n))
        for n, symbol in enumerate(symbols)
    ]
    isins = {symbol: f"INE00{symbol[1]}A01018" for symbol in symbols}
    body = encode_note(note_document(DAY, traded, 1_000_042, isins))
    return render_note(WrittenNote(2, body, 17, micros(EVENING)))


def words_on(document: bytes) -> list[str]:
    """Every text the document shows, in order."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL)
    shown = b"".join(zlib.decompress(stream) for stream in streams)
    found = re.findall(rb"\(((?:\\.|[^\\()])*)\) ?Tj", shown)
    return [re.sub(rb"\\(.)", rb"\1", text).decode("latin-1") for text in found]


def pages_of(document: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", document))


def test_the_page_says_what_the_json_says() -> None:
    note = rendered(3)
    words = words_on(draw_note(note, EVENING))
    text = " ".join(words)
    assert {"1000042", "10 July 2026", "2", "10 July 2026, 15:42 IST"} <= set(words)
    assert {"2026131", "11 July 2026"} <= set(words)
    charges = note["charges"]
    assert isinstance(charges, dict)
    sums = words[words.index("Obligation and levies") :]
    for head, name in HEAD_NAMES.items():
        assert sums[sums.index(name) + 1] == grouped(charges[head])
    assert sums[sums.index("All charges") + 1] == grouped(charges["total"])
    assert sums[sums.index("Pay-in or pay-out obligation") + 1] == grouped(str(note["obligation"]))
    assert sums[sums.index("Net payable by you") + 1] == grouped(str(note["net_amount"])[1:])
    trades, securities = note["trades"], note["securities"]
    assert isinstance(trades, list)
    assert isinstance(securities, list)
    for trade in trades:
        told = ("venue_order_id", "order_id", "exec_id", "symbol", "isin", "brokerage_per_unit")
        assert {trade[name] for name in told} <= set(words)
        assert {grouped(trade[name]) for name in ("price", "net_price", "net_total")} <= set(words)
        assert {"12:00:00.000", "12:00:00.250", "10 Jul 2026", "Buy"} <= set(words)
    for line in securities:
        assert {line["symbol"], line["isin"], grouped(line["buy_value"])} <= set(words)
    assert str(note["number"]) in text


def test_the_longest_date_ends_inside_the_margin() -> None:
    document = draw_note(rendered(1), datetime(2026, 9, 30, 18, 29, tzinfo=UTC))
    text = "30 September 2026, 23:59 IST"
    streams = re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL)
    shown = b"".join(zlib.decompress(stream) for stream in streams).decode("latin-1")
    [left] = re.findall(rf"BT ([0-9.]+) [0-9.]+ Td [0-9. ]+ rg \({text}\)", shown)
    page = FPDF(orientation="landscape", unit="pt")
    page.set_font("Helvetica", "B", 10)
    margin = 14 * 72 / 25.4
    assert float(left) + page.get_string_width(text) <= page.w - margin


def test_a_name_that_is_wider_than_its_column_goes_on_in_the_next_line() -> None:
    note = rendered(1)
    trades = note["trades"]
    assert isinstance(trades, list)
    trades[0]["exec_id"] = "W" * 40
    words = words_on(draw_note(note, EVENING))
    parts = [word for word in words if word.strip("W") == ""]
    assert "".join(parts) == "W" * 40
    assert len(parts) > 2


def test_a_seller_is_told_what_is_receivable() -> None:
    assert "Net receivable by you" in words_on(draw_note(rendered(1, Side.SELL), EVENING))


def test_the_same_note_is_the_same_bytes() -> None:
    note = rendered(5)
    assert draw_note(note, EVENING) == draw_note(note, EVENING)
    assert draw_note(note, EVENING) != draw_note(note, EVENING + timedelta(minutes=1))


def test_a_long_day_takes_more_pages_and_each_has_its_head() -> None:
    document = draw_note(rendered(120), EVENING)
    pages = pages_of(document)
    assert pages > 2
    assert words_on(document).count("OUTCRY") == pages
    assert words_on(document).count("Trade no.") == pages - 1  # the last has the levies alone


def test_trades_past_the_most_that_are_listed_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.wire.contract_notes.TRADES_LISTED_MAX", 10)
    assert TRADES_LISTED_MAX > 10
    note = rendered(12)
    assert isinstance(note["trades"], list)
    assert (len(note["trades"]), note["trades_total"]) == (10, 12)
    said = "2 more trades, each among the fills of its order; the sums are of all of them."
    assert said in words_on(draw_note(note, EVENING))


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.00", "0.00"), ("999.50", "999.50"), ("1000.00", "1,000.00"), ("-123456.7", "-1,23,456.7"),
     ("1234567", "12,34,567"), ("22359340800.00", "22,35,93,40,800.00")],
)  # fmt: skip
def test_amounts_are_grouped_in_lakhs_and_crores(amount: str, text: str) -> None:
    assert grouped(amount) == text


@given(st.integers(-(10**15), 10**15))
def test_grouping_changes_no_digit(number: int) -> None:
    assert grouped(str(number)).replace(",", "") == str(number)
