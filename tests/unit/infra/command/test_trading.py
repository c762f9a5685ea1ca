"""The trading commands without a broker: what is typed, what is printed, which code it ends."""

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.command.exits import NOT_SIGNED_IN, REFUSED, WRONG_USAGE, Failure
from infra.command.signed_in import refusal_code, refusal_text
from infra.command.trading import order_command, upper
from infra.command.trading_tables import document, paise, print_json, print_rows
from infra.command.watch import seconds_of


def test_the_command_that_sends_names_the_whole_order_and_its_id() -> None:
    asked = {"symbol": "M&M", "side": "BUY", "type": "STOP_LIMIT", "quantity": 5,
             "price": "2900", "trigger_price": "2890", "product": "CNC",
             "validity": "DAY"}  # fmt: skip

    words = shlex.split(order_command(asked, "a-1"))

    assert words == [
        "outcry", "buy", "M&M", "5", "--limit", "2900", "--trigger", "2890",
        "--type", "STOP_LIMIT", "--product", "CNC", "--validity", "DAY", "--id", "a-1", "--confirm",
    ]  # fmt: skip


@given(st.integers(-(10**15), 10**15))
def test_rupees_become_whole_paise(amount: int) -> None:
    text = f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"

    assert paise(text) == amount


def test_a_part_of_a_paisa_is_never_rounded_away() -> None:
    with pytest.raises(ValueError, match="whole paise"):
        paise("1.005")


def test_a_document_has_money_in_paise_and_prices_as_they_came() -> None:
    preview = {"price": "1500.00", "value": "7500.00", "margin": None, "charges": {"stt": "7.50"}}

    assert document(preview) == {
        "price": "1500.00",
        "value_paise": 750_000,
        "margin_paise": None,
        "charges_paise": {"stt": 750},
    }


def test_a_document_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"items": ["a", "b"]})

    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"items": ["a", "b"]}


def test_a_pipe_gets_one_line_a_row_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(("symbol", "ltp"), [{"symbol": "[red]X", "ltp": "1.00"}, {"symbol": "Y"}])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["symbol", "ltp"], ["[red]X", "1.00"], ["Y", "-"]]


def test_a_refusal_says_the_value_and_what_is_valid() -> None:
    rule = {"code": "PRICE_OFF_TICK", "message": "not a multiple", "value": "1.03", "limit": "0.10",
            "nearest": "1.00", "largest_quantity": 7}  # fmt: skip

    text = refusal_text({"code": "REFUSED", "detail": "no", "rules": [rule]})

    assert text.splitlines() == [
        "REFUSED: no",
        "  PRICE_OFF_TICK: not a multiple (asked 1.03, valid 0.10, nearest 1.00, at most 7 shares)",
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, WRONG_USAGE), (401, NOT_SIGNED_IN), (404, REFUSED), (409, REFUSED), (422, REFUSED)],
)
def test_each_status_has_its_exit_code(status: int, code: int) -> None:
    assert refusal_code(status) == code


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("5m", 300), ("24h", 86_400)])
def test_spans_are_read(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "0s", "25h", "1d", "١s"])
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(Failure) as refused:
        seconds_of(text)

    assert refused.value.code == WRONG_USAGE


def test_symbols_are_written_as_the_exchange_does_and_none_is_refused() -> None:
    assert upper(["infy", "M&m"]) == ["INFY", "M&M"]
    with pytest.raises(Failure, match="such as INFY"):
        upper([])
