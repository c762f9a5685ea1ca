"""The statement's two forms, on statements of every kind."""

import csv
import io
import itertools
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from functions.ledger.show_statement import COLUMNS, render_csv, render_entry
from functions.shared.bookkeeping.statements import Statement, StatementLine
from functions.shared.clock import micros
from functions.shared.domain.money import parse_decimal
from functions.shared.wire.movements import Movement

NOON = micros(datetime(2026, 7, 10, 6, 30, tzinfo=UTC))
KINDS = ["DEPOSITED", "WITHDRAWAL_REQUESTED", "BORROWED", "INTEREST_CHARGED"]


@st.composite
def made_statements(draw: st.DrawFn) -> Statement:
    opening = draw(st.integers(0, 10**15))
    amounts = draw(st.lists(st.integers(-(10**12), 10**12).filter(bool), max_size=20))
    balances = list(itertools.accumulate(amounts, initial=opening))[1:]
    lines = tuple(
        StatementLine(
            seq, NOON + seq, draw(st.sampled_from(KINDS)), None, amount, balance, Movement()
        )
        for seq, (amount, balance) in enumerate(zip(amounts, balances, strict=True), start=2)
    )
    return Statement(opening, lines, opening + sum(amounts), None)


def _paise(text: str) -> int:
    return parse_decimal(text, 2) if text else 0


def _rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


@given(made_statements())
def test_opening_and_the_entries_make_closing(statement: Statement) -> None:
    opening, *entries, closing = _rows(render_csv(statement))
    balance = _paise(opening["balance"])
    for entry in entries:
        balance += _paise(entry["credit"]) - _paise(entry["debit"])
        assert _paise(entry["balance"]) == balance
    assert _paise(closing["balance"]) == balance == statement.closing


@given(made_statements())
def test_the_table_says_what_the_json_says(statement: Statement) -> None:
    text = render_csv(statement)
    told = [
        {name: "" if value is None else str(value) for name, value in render_entry(line).items()}
        for line in statement.lines
    ]
    assert _rows(text)[1:-1] == told


def test_the_header_is_what_programs_rely_on() -> None:
    text = render_csv(Statement(100, (), 100, None))
    assert text.splitlines() == [
        "time,seq,kind,ref,description,debit,credit,balance,payment_id,client_id",
        ",,OPENING,,Opening balance,,,1.00,,",
        ",,CLOSING,,Closing balance,,,1.00,,",
    ]
    assert ",".join(COLUMNS) == text.splitlines()[0]


def test_a_page_that_is_not_the_last_carries_its_balance_forward() -> None:
    """Read in a spreadsheet the cursor is gone: nobody may take a page for the whole."""
    line = StatementLine(2, NOON, "DEPOSITED", None, 100, 200, Movement())
    *_, last = _rows(render_csv(Statement(100, (line,), 200, 2)))
    assert (last["kind"], last["description"], last["balance"]) == (
        "CARRIED_FORWARD", "Balance carried forward", "2.00",
    )  # fmt: skip


def test_a_movement_is_a_debit_or_a_credit_and_named_in_words() -> None:
    paid = render_entry(StatementLine(3, NOON, "REPAID", 7, -1534, 100, Movement()))
    assert (paid["debit"], paid["credit"], paid["ref"]) == ("15.34", None, "7")
    assert paid["description"] == "Loan repaid"
    unknown = render_entry(StatementLine(4, NOON, "INTEREST_CHARGED", None, -1, 99, Movement()))
    assert unknown["description"] == "Interest charged"
