"""A contract note's document: kept, read back, and rendered for a client."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.clock import micros
from functions.shared.domain.charges import HEADS
from functions.shared.domain.contract_note import OrderTraded
from functions.shared.domain.money import parse_decimal
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.contract_notes import (
    HEAD_NAMES,
    WrittenNote,
    decode_note,
    encode_note,
    render_note,
)
from tests.support.contract_notes import note_document, order_traded

DAY = date(2026, 7, 10)
AT = micros(datetime(2026, 7, 10, 10, 12, tzinfo=UTC))

days = st.lists(
    st.builds(
        order_traded,
        order_id=st.integers(1, 2**62),
        symbol=st.sampled_from(["ACME", "M&M", "BSE:ACME"]),
        product=st.sampled_from(Product),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 10**6),
        value=st.integers(1, 10**12),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda order: order.order_id,
)


@given(day=days, user_id=st.integers(1, 2**40))
def test_what_is_kept_is_read_back(day: list[OrderTraded], user_id: int) -> None:
    document = note_document(DAY, day, user_id, {"M&M": "INE101A01026", "ACME": "INE000A01010"})
    body = encode_note(document)
    assert decode_note(body) == document
    assert encode_note(decode_note(body)) == body


@given(day=days)
def test_a_clients_note_adds_up(day: list[OrderTraded]) -> None:
    def paise(name: str) -> int:
        return parse_decimal(str(shown[name]), 2)

    shown = render_note(WrittenNote(1, encode_note(note_document(DAY, day)), 17, AT))
    charges = {name: parse_decimal(text, 2) for name, text in shown["charges"].items()}  # type: ignore[attr-defined]
    total = charges.pop("total")
    assert list(charges) == list(HEADS) == list(HEAD_NAMES)
    assert sum(charges.values()) == total == paise("charges_total")
    assert paise("net_amount") == paise("sell_value") - paise("buy_value") - total
    traded = [parse_decimal(trade["net_total"], 2) for trade in shown["trades"]]  # type: ignore[attr-defined]
    assert sum(traded) == paise("net_amount") + total - charges["brokerage"]


def test_a_note_is_named_by_day_account_and_version() -> None:
    order = order_traded(5, "ACME", Product.CNC, Side.BUY, 3, 100_00)
    document = note_document(DAY, [order], 1042, {"ACME": "INE000A01010"})
    shown = render_note(WrittenNote(2, encode_note(document), 17, AT))
    assert shown["number"] == "20260710-1042-2"
    assert (shown["trade_date"], shown["version"], shown["seq"]) == ("2026-07-10", 2, 17)
    assert (shown["settles_on"], shown["settlement_number"]) == ("2026-07-11", "2026131")
    assert shown["written_at"] == "2026-07-10T10:12:00.000000Z"
    assert shown["orders"] == [
        {"order_id": "5", "venue_order_id": "V5", "ordered_at": "2026-07-10T06:30:00.000000Z",
         "symbol": "ACME", "product": "CNC", "side": "BUY", "quantity": 3,
         "average_price": "33.3333", "value": "100.00", "brokerage": "0.00"}
    ]  # fmt: skip
    (security,) = shown["securities"]  # type: ignore[misc]
    assert (security["sell_average"], security["buy_average"]) == (None, "33.3333")
    assert security["isin"] == "INE000A01010"


def test_a_trade_is_shown_with_its_numbers_times_and_rates() -> None:
    """1,000 shares at 1,000: 20 of brokerage is 2 paise a share, which a buyer pays on top."""
    bought = order_traded(5, "ACME", Product.MIS, Side.BUY, 1_000, 1_000_000_00)
    sold = order_traded(6, "ACME", Product.MIS, Side.SELL, 1_000, 1_000_000_00)
    document = note_document(DAY, [bought, sold], isins={"ACME": "INE000A01010"})
    shown = render_note(WrittenNote(1, encode_note(document), 17, AT))
    first, second = shown["trades"]  # type: ignore[misc]
    assert first == {
        "order_id": "5", "venue_order_id": "V5", "ordered_at": "2026-07-10T06:30:00.000000Z",
        "exec_id": "E5", "time": "2026-07-10T06:30:00.250000Z", "symbol": "ACME",
        "isin": "INE000A01010", "side": "BUY", "quantity": 1000, "price": "1000.00",
        "brokerage_per_unit": "0.0200", "net_price": "1000.0200", "net_total": "-1000020.00",
    }  # fmt: skip
    assert (second["net_price"], second["net_total"]) == ("999.9800", "999980.00")


@pytest.mark.parametrize("body", ["", "{}", '{"v":2,"user_id":1,"note":{}}'])
def test_a_document_of_another_kind_is_refused(body: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_note(body)
