import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.terminal import REFUSED, order
from tests.support.terminal_prices import NOON
from tui.client.models import FieldError, Problem, RuleFailure
from tui.state.draft import Draft
from tui.state.requests import OrderRequest, PlanRequest
from tui.state.ticket import (
    Change,
    check,
    check_change,
    place_failures,
    place_problem,
    read_price,
    read_quantity,
)


def test_ten_shares_at_a_limit_are_an_order() -> None:
    request = check(Draft(symbol="reliance", quantity="10", price="2,950.50"))

    assert isinstance(request, OrderRequest)
    assert request.body() == {
        "symbol": "RELIANCE",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": 10,
        "price": "2950.50",
        "product": "CNC",
        "validity": "DAY",
    }


def test_a_market_order_carries_no_price() -> None:
    request = check(Draft(symbol="TCS", type="MARKET", quantity="1", price="oops"))

    assert isinstance(request, OrderRequest)
    assert "price" not in request.body()


@pytest.mark.parametrize(
    ("kind", "validity", "price"),
    [("STOP", "DAY", None), ("STOP_LIMIT", "DAY", "99.00"), ("LIMIT", "GTT", "99.00")],
)
def test_an_order_that_waits_carries_its_trigger(
    kind: str, validity: str, price: str | None
) -> None:
    draft = Draft("TCS", "SELL", kind, "1", price or "", "100.00", validity=validity)
    request = check(draft)

    assert isinstance(request, OrderRequest)
    assert request.body()["trigger_price"] == "100.00"
    assert request.body().get("price") == price
    assert check(dataclasses.replace(draft, trigger_price="")) == {"trigger_price": "Enter a price"}


def test_a_bracket_is_an_entry_with_two_exits() -> None:
    draft = Draft("TCS", "BUY", "BRACKET", "5", "100", "95", target_price="110", validity="GTT")
    request = check(draft)

    assert isinstance(request, OrderRequest)
    assert request.body() == {
        "symbol": "TCS",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": 5,
        "price": "100",
        "product": "CNC",
        "validity": "DAY",
        "exits": {"stop": {"trigger_price": "95"}, "target": {"price": "110"}},
    }
    at_the_market = check(dataclasses.replace(draft, price=""))
    assert isinstance(at_the_market, OrderRequest)
    assert (at_the_market.type, at_the_market.price) == ("MARKET", None)


def test_an_oco_is_a_gtt_of_two_legs_that_sells() -> None:
    draft = Draft("TCS", "SELL", "OCO", "5", "94", "95", target_price="110")
    request = check(draft)

    assert isinstance(request, OrderRequest)
    body = request.body()
    assert (body["type"], body["validity"]) == ("LIMIT", "GTT")
    assert (body["price"], body["trigger_price"], body["target_price"]) == ("94", "95", "110")
    assert "exits" not in body
    assert check(dataclasses.replace(draft, side="BUY")) == {"order": "A delivery OCO is a SELL"}


def test_a_plan_names_what_its_kind_needs() -> None:
    iceberg = check(Draft("TCS", type="ICEBERG", quantity="10", price="100", legs="4"))
    vwap = check(
        Draft(
            "TCS", type="VWAP", quantity="10", minutes="30", interval_minutes="7",
            participation_percent="10",
        )
    )  # fmt: skip

    assert isinstance(iceberg, PlanRequest)
    assert isinstance(vwap, PlanRequest)
    assert iceberg.body(NOON) == {
        "kind": "ICEBERG", "symbol": "TCS", "side": "BUY", "quantity": 10, "product": "CNC",
        "price": "100", "legs": 4,
    }  # fmt: skip
    assert vwap.body(NOON) == {
        "kind": "VWAP", "symbol": "TCS", "side": "BUY", "quantity": 10, "product": "CNC",
        "ends_at": "2026-07-10T07:00:00+00:00", "interval_minutes": 7, "participation_percent": 10,
    }  # fmt: skip
    assert (vwap.slices, iceberg.each) == (5, 3)
    assert (iceberg.judged().quantity, vwap.judged().type) == (3, "MARKET")


def test_every_wrong_field_of_a_plan_is_named() -> None:
    draft = Draft("TCS", type="VWAP", minutes="5", interval_minutes="5", participation_percent="60")

    assert check(draft) == {
        "quantity": "Enter a quantity",
        "interval_minutes": "Less than 5",
        "participation_percent": "1 to 50",
    }
    assert check(Draft("TCS", type="ICEBERG", quantity="9", legs="1")) == {"legs": "2 to 50"}


def test_a_rule_of_a_plan_stands_at_its_field_whatever_its_nearest_is() -> None:
    late = RuleFailure(code="ENDS_AFTER_SESSION", nearest="2026-07-10T10:00:00Z")
    many = RuleFailure(code="SLICES_OUT_OF_RANGE", nearest="50")

    assert place_failures([late, many]) == {"minutes": "past the close", "legs": "→ 50"}


def test_a_price_rule_of_the_target_stands_at_the_target() -> None:
    rule = RuleFailure(code="PRICE_OFF_TICK", value="110.03", nearest="110.05")
    problem = Problem(
        errors=[
            FieldError(field="exits.target.price", message="too large"),
            FieldError(field="exits.stop.trigger_price", message="too small"),
        ]
    )

    assert place_failures([rule], Decimal("110.03")) == {"target_price": "→ 110.05"}
    assert place_failures([rule], Decimal("111.00")) == {"price": "→ 110.05"}
    found = place_problem(problem)
    assert (found["target_price"], found["trigger_price"]) == ("too large", "too small")


def test_what_is_wrong_with_a_trigger_stands_at_the_trigger() -> None:
    rule = RuleFailure(code="TRIGGER_OFF_TICK", nearest="100.05")

    assert place_failures([rule]) == {"trigger_price": "→ 100.05"}


def test_the_trigger_of_an_order_that_waits_can_change() -> None:
    waits = order(status="TRIGGER_PENDING", type="STOP", price=None, trigger_price=Decimal(90))

    assert check_change(waits, "10", "", "91.00") == Change(None, None, Decimal("91.00"))
    assert check_change(waits, "10", "", "") == {"trigger_price": "Enter a price"}


def test_every_missing_field_is_named_at_once() -> None:
    assert check(Draft()) == {
        "symbol": "Choose a symbol",
        "quantity": "Enter a quantity",
        "price": "Enter a price",
    }


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "٣", "9" * 19, "ten", "NaN"])
def test_a_quantity_is_plain_digits(text: str) -> None:
    assert isinstance(read_quantity(text), str)


@pytest.mark.parametrize("text", ["-1", "1e3", "NaN", "Infinity", ".5", "1.", "٣", "0", "1" * 19])
def test_a_price_is_plain_digits_with_a_point(text: str) -> None:
    assert isinstance(read_price(text), str)


@given(st.integers(1, 10**12), st.integers(0, 99))
def test_a_price_keeps_every_digit(rupees: int, paise: int) -> None:
    text = f"{rupees}.{paise:02d}"
    assert str(read_price(text)) == text


@given(st.text())
def test_no_text_is_read_as_anything_but_a_positive_number(text: str) -> None:
    quantity, price = read_quantity(text), read_price(text)
    assert isinstance(quantity, str) or quantity > 0
    assert isinstance(price, str) or (price > 0 and price.is_finite())


def test_a_refusal_stands_at_the_field_that_cures_it() -> None:
    assert place_failures(REFUSED.rules) == {"price": "→ 2,950.50", "quantity": "max 328"}


def test_a_refusal_no_field_cures_belongs_to_the_order() -> None:
    assert place_failures([RuleFailure(code="KILL_SWITCH", message="Trading is off")]) == {
        "order": "Trading is off"
    }


def test_a_modification_sends_only_what_changed() -> None:
    change = check_change(order(), "10", "2951.00")

    assert change == Change(None, Decimal("2951.00"))
    assert isinstance(change, Change)
    assert change.body() == {"price": "2951.00"}


def test_a_modification_cannot_go_below_what_is_filled() -> None:
    assert check_change(order(filled_quantity=4), "3", "2950.50") == {
        "quantity": "4 are filled already"
    }


def test_a_modification_of_nothing_is_not_sent() -> None:
    assert check_change(order(), "10", "2950.50") == {"order": "Nothing is changed"}


def test_of_several_largest_quantities_the_one_that_passes_them_all_is_shown() -> None:
    rules = [
        RuleFailure(code="ORDER_VALUE_TOO_LARGE", message="too much", largest_quantity=49_999),
        RuleFailure(code="INSUFFICIENT_FUNDS", message="too little", largest_quantity=491),
    ]

    assert place_failures(rules) == {"quantity": "max 491"}


def test_selling_what_is_not_held_says_that_there_is_none() -> None:
    rule = RuleFailure(code="INSUFFICIENT_HOLDINGS", message="more than held", largest_quantity=0)

    assert place_failures([rule]) == {"quantity": "none to sell"}


def test_an_index_is_refused_at_its_symbol() -> None:
    rule = RuleFailure(code="NOT_TRADABLE", message="an index can't be bought or sold")

    assert place_failures([rule]) == {"symbol": "not tradable"}


def test_a_malformed_request_is_placed_at_its_fields() -> None:
    problem = Problem(
        code="INVALID_REQUEST",
        detail="quantity: too large",
        errors=[FieldError(field="quantity", message="too large")],
    )

    assert place_problem(problem) == {"quantity": "too large", "order": "Quantity: too large"}
