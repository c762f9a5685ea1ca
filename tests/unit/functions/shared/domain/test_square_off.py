"""The broker's own orders: their names and what they cost."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.square_off import (
    ATTEMPTS_MAX,
    RESERVED_PREFIX,
    attempt_key,
    cancel_key,
    square_off_fee,
)

DAY = date(2026, 7, 10)
CLIENT_ID_LONGEST = 36


@given(st.dates(), st.integers(1, 2**31 - 1), st.integers(1, ATTEMPTS_MAX))
def test_an_attempts_name_is_reserved_and_fits(day: date, token: int, number: int) -> None:
    key = attempt_key(day, token, number)
    assert key.startswith(RESERVED_PREFIX)
    assert len(key) <= CLIENT_ID_LONGEST


@given(
    st.tuples(st.integers(1, 10**6), st.integers(1, ATTEMPTS_MAX)),
    st.tuples(st.integers(1, 10**6), st.integers(1, ATTEMPTS_MAX)),
)
def test_two_attempts_never_share_a_name(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (attempt_key(DAY, *one) == attempt_key(DAY, *other)) == (one == other)


def test_names_follow_from_the_day_the_instrument_and_the_number() -> None:
    assert attempt_key(DAY, 1004, 2) == "SQ-20260710-1004-2"
    assert cancel_key(datetime(2026, 7, 10, 9, 51, 7), 77) == "SQ-20260710-77-0951"


def test_an_order_costs_fifty_rupees_and_tax() -> None:
    fee = square_off_fee(DAY)
    assert (fee.fee, fee.tax) == (50_00, 9_00)
    with pytest.raises(LookupError):
        square_off_fee(date(2022, 12, 31))
