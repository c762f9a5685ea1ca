from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.state import formats


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (100_000, "1,00,000"),
        (12_345_678, "1,23,45,678"),
        (-1_000_000, "−10,00,000"),
    ],
)
def test_digits_are_grouped_in_the_indian_manner(number: int, text: str) -> None:
    assert formats.grouped(number) == text


@given(st.integers())
def test_grouping_changes_no_digit(number: int) -> None:
    assert int(formats.grouped(number).replace(",", "").replace("−", "-")) == number


def test_rupees_carry_the_sign_before_the_symbol() -> None:
    assert formats.rupees(Decimal(1000000)) == "₹10,00,000.00"
    assert formats.rupees(Decimal("-1234.5")) == "−₹1,234.50"
    assert formats.rupees(None) == formats.NOTHING


def test_amounts_are_rounded_half_up() -> None:
    assert formats.amount(Decimal("2949.405")) == "2,949.41"
    assert formats.amount(Decimal("-0.004")) == "0.00"


def test_a_change_shows_its_direction_and_zero_shows_none() -> None:
    assert formats.signed(Decimal("12.5")) == "+12.50"
    assert formats.signed(Decimal(-3)) == "−3.00"
    assert formats.signed(Decimal(0)) == "0.00"
    assert formats.signed(Decimal("0.001")) == "0.00"
    assert formats.percent(Decimal("1.475")) == "+1.48%"


def test_volume_reads_in_lakhs_and_crores() -> None:
    assert formats.volume(99_999) == "99,999"
    assert formats.volume(3_641_000) == "36.41 L"
    assert formats.volume(30_600_000) == "3.06 Cr"


def test_times_are_indian() -> None:
    assert formats.clock(datetime(2026, 7, 10, 18, 45, 1, tzinfo=UTC)) == "00:15:01"


def test_a_day_is_the_indian_one() -> None:
    at = datetime(2026, 7, 9, 18, 45, 1, tzinfo=UTC)
    assert formats.minute(at) == "10 Jul 00:15"
    assert formats.is_of(at, date(2026, 7, 10))
    assert formats.is_of(at, None)
    assert not formats.is_of(at, date(2026, 7, 9))
