"""Prices pass through text exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.prices import average_price, format_price, parse_price


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_price_comes_back_from_its_text(price: int) -> None:
    assert parse_price(format_price(price)) == price


@pytest.mark.parametrize(
    ("text", "price"), [("1412.3", 14_123_000), ("5", 50_000), ("0.0001", 1), ("2.50000", 25_000)]
)
def test_a_price_is_read_whatever_its_number_of_places(text: str, price: int) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["", "1e3", "nan", "1.00001", "1,000", "٣", "-", ".5", " 1"])
def test_what_is_no_exact_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        parse_price(text)


def test_an_average_is_rounded_half_up() -> None:
    assert average_price(3 * 10_000 + 1, 2) == 15_001
    assert average_price(0, 0) == 0
