"""The day's note: published vectors, and what must hold for any day."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.charges import HEADS, RATE_UNIT, charge_rates, depository_charge
from functions.shared.domain.contract_note import (
    ContractNote,
    OrderTraded,
    Trade,
    brokerage_by_trade,
    contract_note,
    exchange_of,
    settlement_number,
)
from functions.shared.domain.orders import Product, Side
from tests.support.contract_notes import order_traded

DAY = date(2026, 7, 10)
CNC, MIS, BUY, SELL = Product.CNC, Product.MIS, Side.BUY, Side.SELL
_number = count(1)


def traded(
    side: Side, quantity: int, rupees: str, product: Product = CNC, symbol: str = "ACME"
) -> OrderTraded:
    """An order of its own."""
    value = Fraction(rupees) * quantity * 100
    assert value.denominator == 1
    return order_traded(next(_number), symbol, product, side, quantity, int(value))


def heads(note: ContractNote) -> dict[str, int]:
    return dict(zip(HEADS, note.charges, strict=True))


def test_securities_tax_is_on_the_days_average_price_in_whole_rupees() -> None:
    """Bought 500 at 100 and 200 at 110, sold 500 at 105: the average is 103.75, the tax 13 on what
    was squared off and 21 on what was delivered."""
    note = contract_note(
        DAY, [traded(BUY, 500, "100"), traded(SELL, 500, "105"), traded(BUY, 200, "110")]
    )
    (line,) = note.securities
    assert (line.squared_off, line.delivered) == (500, 200)
    assert line.stt == 13_00 + 21_00


def test_only_what_was_squared_off_and_only_what_was_delivered() -> None:
    squared = contract_note(DAY, [traded(BUY, 500, "103.75"), traded(SELL, 500, "103.75")])
    delivered = contract_note(DAY, [traded(BUY, 200, "103.75")])
    assert (squared.securities[0].stt, delivered.securities[0].stt) == (13_00, 21_00)


@pytest.mark.parametrize(("value", "stt"), [("10100", 3_00), ("9999.96", 2_00), ("10000", 3_00)])
def test_half_a_rupee_of_securities_tax_is_rounded_up(value: str, stt: int) -> None:
    """2.525 was seen to be charged as 3."""
    note = contract_note(DAY, [traded(BUY, 1, value, MIS), traded(SELL, 1, value, MIS)])
    assert note.securities[0].stt == stt


def test_a_days_intraday_round_trip_differs_from_the_calculators_only_in_the_average() -> None:
    """400 at 1,000 and 1,100. Calculators tax the sale at its own price: 110 instead of 105."""
    note = contract_note(DAY, [traded(BUY, 400, "1000", MIS), traded(SELL, 400, "1100", MIS)])
    assert heads(note) == {
        "brokerage": 40_00, "stt": 105_00, "exchange": 25_79, "ipft": 0, "sebi": 84,
        "stamp": 12_00, "gst": 11_99,
    }  # fmt: skip
    assert note.net_amount == 40_000_00 - sum(note.charges)


def test_a_published_note_of_a_small_purchase_is_reproduced() -> None:
    """2 shares at 105.34 on 13 November 2024: nothing but 0.01 to the exchange, 210.69 to pay."""
    note = contract_note(date(2024, 11, 13), [traded(BUY, 2, "105.34", symbol="LIQUIDCASE")])
    assert note.buy_value == 210_68
    assert {head: paise for head, paise in heads(note).items() if paise} == {"exchange": 1}
    assert note.net_amount == -210_69


def test_a_delivery_squared_off_the_same_day_is_stamped_as_intraday() -> None:
    bought = traded(BUY, 100, "1000")
    assert heads(contract_note(DAY, [bought]))["stamp"] == 15_00
    assert heads(contract_note(DAY, [bought, traded(SELL, 100, "1000")]))["stamp"] == 3_00
    assert heads(contract_note(DAY, [bought, traded(SELL, 50, "1000")]))["stamp"] == 9_00


def test_brokerage_is_capped_for_each_order_however_it_was_filled() -> None:
    one = order_traded(1, "ACME", MIS, BUY, 1_000, 1_000_000_00)
    other = order_traded(2, "ACME", MIS, BUY, 1, 100_00)
    note = contract_note(DAY, [other, one])
    assert (note.brokerages, heads(note)["brokerage"]) == ((20_00, 3), 20_00 + 3)
    half = Trade("E", 0, 500, 10_000_000, 500_000_00)
    halves = contract_note(DAY, [replace(one, trades=(half, half)), other])
    assert replace(halves, orders=note.orders) == note
    assert list(brokerage_by_trade(halves.orders[0], 20_01)) == [10_01, 10_00]


def test_an_order_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        contract_note(DAY, [order_traded(1, "ACME", CNC, BUY, 1, 100_00)] * 2)


def test_each_exchange_charges_its_own_turnover() -> None:
    nse, bse = traded(BUY, 100, "1000"), traded(BUY, 100, "1000", symbol="BSE:ACME")
    assert [exchange_of(order.symbol) for order in (nse, bse)] == ["NSE", "BSE"]
    note = contract_note(DAY, [nse, bse])
    assert heads(note)["exchange"] == 3_07 + 3_75
    assert [line.symbol for line in note.securities] == ["ACME", "BSE:ACME"]


def test_a_settlement_is_numbered_by_the_sessions_of_its_year() -> None:
    """January 2026 has twenty sessions: two of its weekdays are holidays; 1 February is a Sunday
    with one of its own."""
    numbers = [settlement_number(date(2026, *day), "nse") for day in ((1, 1), (1, 30), (2, 1))]
    assert numbers == ["2026001", "2026020", "2026021"]
    assert settlement_number(date(2026, 2, 1), "always-open") == "2026032"
    assert settlement_number(date(2024, 7, 10), "nse") is None


def test_a_day_without_trades_has_no_note() -> None:
    with pytest.raises(ValueError, match="nothing was traded"):
        contract_note(DAY, [])


def test_a_day_without_rates_has_no_note() -> None:
    with pytest.raises(LookupError):
        contract_note(date(2024, 9, 30), [traded(BUY, 1, "100")])


def test_a_sale_out_of_the_demat_account_costs_thirteen_rupees_and_the_tax() -> None:
    assert depository_charge(DAY) == (13_00, 2_34)
    with pytest.raises(LookupError):
        depository_charge(date(2022, 12, 31))


trades = st.lists(
    st.builds(
        Trade,
        exec_id=st.text(min_size=1),
        at=st.integers(0, 2**50),
        quantity=st.integers(1, 10**5),
        price=st.integers(1, 10**9),
        value=st.integers(1, 10**10),
    ),
    min_size=1,
    max_size=5,
).map(tuple)
orders = st.lists(
    st.builds(
        OrderTraded,
        order_id=st.integers(1, 2**62),
        venue_order_id=st.none() | st.just("V1"),
        placed_at=st.just(0),
        symbol=st.sampled_from(["S0", "S1", "S2"]),
        product=st.sampled_from(Product),
        side=st.sampled_from(Side),
        trades=trades,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda order: order.order_id,
)


@given(parts=orders, data=st.data())
def test_the_order_of_the_trades_changes_nothing(
    parts: list[OrderTraded], data: st.DataObject
) -> None:
    assert contract_note(DAY, data.draw(st.permutations(parts))) == contract_note(DAY, parts)


@given(parts=orders)
def test_splitting_an_order_into_trades_changes_no_money(parts: list[OrderTraded]) -> None:
    at_once = [
        replace(part, trades=(Trade("E", 0, part.quantity, 1, part.value),)) for part in parts
    ]
    whole, split = contract_note(DAY, at_once), contract_note(DAY, parts)
    assert replace(whole, orders=split.orders) == split
    for order, brokerage in zip(split.orders, split.brokerages, strict=True):
        shares = list(brokerage_by_trade(order, brokerage))
        assert sum(shares) == brokerage
        assert min(shares) >= 0


@given(parts=orders)
def test_the_note_adds_up(parts: list[OrderTraded]) -> None:
    note = contract_note(DAY, parts)
    bought = sum(part.value for part in parts if part.side is BUY)
    sold = sum(part.value for part in parts if part.side is SELL)
    assert (note.buy_value, note.sell_value) == (bought, sold)
    assert note.net_amount == sold - bought - sum(note.charges)
    assert min(note.charges) >= 0
    assert note.charges[0] == sum(note.brokerages)
    assert note.charges[1] == sum(line.stt for line in note.securities)
    for line in note.securities:
        assert line.bought - line.sold == line.delivered
        assert line.squared_off + max(line.delivered, 0) == line.bought
        assert line.squared_off + max(-line.delivered, 0) == line.sold


@given(parts=orders)
def test_taxes_are_whole_rupees_within_half_a_rupee_of_the_exact_amount(
    parts: list[OrderTraded],
) -> None:
    note = contract_note(DAY, parts)
    assert note.charges[1] % 100 == note.charges[5] % 100 == 0
    for line in note.securities:
        value, quantity = line.buy_value + line.sell_value, line.bought + line.sold
        intraday = charge_rates(MIS, "NSE", SELL, DAY).rates[1]
        delivery = charge_rates(CNC, "NSE", BUY, DAY).rates[1]
        exact = Fraction(value, quantity) * (
            line.squared_off * intraday + abs(line.delivered) * delivery
        )
        assert abs(exact / RATE_UNIT - line.stt) <= 100  # two parts, each within 50 paise
