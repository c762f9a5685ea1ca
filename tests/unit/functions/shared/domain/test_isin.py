"""ISIN and its check digit."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.isin import check_digit, is_isin

FIRST_ELEVEN = st.builds(
    str.__add__,
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(string.ascii_uppercase + string.digits, min_size=9, max_size=9),
)


@pytest.mark.parametrize("isin", ["INE002A01018", "INE009A01021", "INE467B01029", "US0378331005"])
def test_numbers_of_known_shares_are_right(isin: str) -> None:
    assert is_isin(isin)


@given(FIRST_ELEVEN, st.integers(2, 10), st.sampled_from(string.digits))
def test_one_wrong_digit_is_found(first: str, place: int, digit: str) -> None:
    isin = f"{first}{check_digit(first)}"
    assert is_isin(isin)
    if first[place].isdigit() and first[place] != digit:
        assert not is_isin(isin[:place] + digit + isin[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "INE002A0101", "INE002A010188", "ine002a01018", "INE002A0101X"]
)
def test_another_shape_is_none(text: str) -> None:
    assert not is_isin(text)
