"""A contract note's document: kept, read back, and rendered for a client."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.clock import micros
from functions.shared.domain.charges import HEADS
from functions.shared.domain.contract_note import OrderTraded, contract_note
from functions.shared.domain.money import parse_decimal
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.contract_notes import (
    HEAD_NAMES,
    WrittenNote,
    decode_note,
    encode_note,
    render_note,
)

DAY = date(2026, 7, 10)
AT = micros(datetime(2026, 7, 10, 10, 12, tzinfo=UTC))

days = st.lists(
    st.builds(
        OrderTraded,
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
    note = contract_note(DAY, day)
    document = decode_note(encode_note(user_id, note))
    assert (document.user_id, document.note) == (user_id, note)
    assert encode_note(user_id, document.note) == encode_note(user_id, note)


@given(day=days)
def test_a_clients_note_adds_up(day: list[OrderTraded]) -> None:
    def paise(name: str) -> int:
        return parse_decimal(str(shown[name]), 2)

    shown = render_note(WrittenNote(1, encode_note(7, contract_note(DAY, day)), 17, AT))
    charges = {name: parse_decimal(text, 2) for name, text in shown["charges"].items()}  # type: ignore[attr-defined]
    total = charges.pop("total")
    assert list(charges) == list(HEADS) == list(HEAD_NAMES)
    assert sum(charges.values()) == total == paise("charges_total")
    assert paise("net_amount") == paise("sell_value") - paise("buy_value") - total


def test_a_note_is_named_by_day_account_and_version() -> None:
    order = OrderTraded(5, "ACME", Product.CNC, Side.BUY, 3, 100_00)
    shown = render_note(WrittenNote(2, encode_note(1042, contract_note(DAY, [order])), 17, AT))
    assert shown["number"] == "20260710-1042-2"
    assert (shown["trade_date"], shown["version"], shown["seq"]) == ("2026-07-10", 2, 17)
    assert shown["written_at"] == "2026-07-10T10:12:00.000000Z"
    assert shown["orders"] == [
        {"order_id": "5", "symbol": "ACME", "product": "CNC", "side": "BUY", "quantity": 3,
         "average_price": "33.3333", "value": "100.00"}
    ]  # fmt: skip
    (security,) = shown["securities"]  # type: ignore[misc]
    assert (security["sell_average"], security["buy_average"]) == (None, "33.3333")


@pytest.mark.parametrize("body", ["", "{}", '{"v":2,"user_id":1,"note":{}}'])
def test_a_document_of_another_kind_is_refused(body: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_note(body)
