"""Money as text: one exact form, and nothing else is taken for it."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.money import (
    NotADecimal,
    divide_half_up,
    format_amount,
    format_decimal,
    format_price,
    parse_decimal,
    parse_price,
    value_of,
)

AMOUNTS = st.integers(-(10**15), 10**15)


@given(value=AMOUNTS, decimals=st.integers(0, 3))
def test_what_is_formatted_is_read_back(value: int, decimals: int) -> None:
    assert parse_decimal(format_decimal(value, decimals), decimals) == value


@given(value=st.integers(0, 10**13))
def test_a_price_is_read_back(value: int) -> None:
    assert parse_price(format_price(value)) == value


@given(text=st.text(max_size=12))
def test_a_text_is_either_an_exact_decimal_or_refused(text: str) -> None:
    try:
        value = parse_decimal(text, 2)
    except NotADecimal:
        return
    assert Fraction(value, 100) == Fraction(text)


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "1.", ".5", "01", "1e3", "1E3", "NaN", "Infinity", "1,000", "1_000",
     "--1", "0x1", "१", "１", "1\n", "1\x00", "1.005", "9" * 19, "1." + "0" * 18],
)  # fmt: skip
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(NotADecimal):
        parse_decimal(text, 2)


def test_zeros_past_the_allowed_decimals_carry_no_value() -> None:
    assert parse_decimal("2950.5000", 2) == 295050


def test_amounts_have_two_decimals_and_prices_as_many_as_they_need() -> None:
    assert format_amount(100_000_000) == "1000000.00"
    assert format_amount(-5) == "-0.05"
    assert format_price(29_505_000) == "2950.50"
    assert format_price(29_505_025) == "2950.5025"


@given(n=AMOUNTS, d=st.integers(1, 10**9))
def test_half_goes_away_from_zero(n: int, d: int) -> None:
    exact = Fraction(n, d)
    got = divide_half_up(n, d)
    assert abs(got - exact) <= Fraction(1, 2)
    if abs(got - exact) == Fraction(1, 2):
        assert abs(got) > abs(exact)


def test_a_value_is_exact_on_whole_paise_and_rounds_half_up_below() -> None:
    assert value_of(10, 29_505_000) == 2_950_500
    assert value_of(1, 50) == 1
    assert value_of(1, 49) == 0
