"""Charges: a published calculator's vector, and what must hold for any trade."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.charges import HEADS, Charges, charges_on, delivery_rates
from functions.shared.domain.orders import Side

DAY = date(2026, 7, 10)


def on(side: Side, value: int) -> Charges:
    return charges_on(value, delivery_rates(side, DAY).rates)


def test_a_round_trip_of_delivery_costs_what_the_published_vector_says() -> None:
    """400 shares bought at 1,000 and sold at 1,100 on NSE: total 931.42 without the depository."""
    buy, sell = on(Side.BUY, 400_000_00), on(Side.SELL, 440_000_00)
    both = {head: b + s for head, b, s in zip(HEADS, buy, sell, strict=True)}
    assert both == {
        "brokerage": 0, "stt": 840_00, "exchange": 25_79, "ipft": 0, "sebi": 84,
        "stamp": 60_00, "gst": 4_79,
    }  # fmt: skip
    assert sum(both.values()) == 931_42


def test_only_a_buy_is_stamped() -> None:
    assert on(Side.BUY, 10_000_00)[5] == 150
    assert on(Side.SELL, 10_000_00)[5] == 0


def test_nothing_traded_costs_nothing() -> None:
    assert on(Side.BUY, 0) == (0,) * 7


@given(side=st.sampled_from(Side), values=st.lists(st.integers(0, 10**10), max_size=20))
def test_charges_booked_as_differences_add_up_to_those_of_the_whole(
    side: Side, values: list[int]
) -> None:
    booked, total, before = (0,) * 7, 0, (0,) * 7
    for value in values:
        total += value
        after = on(side, total)
        steps = tuple(a - b for a, b in zip(after, before, strict=True))
        assert min(steps) >= 0  # a fill never gives a charge back
        booked = tuple(b + s for b, s in zip(booked, steps, strict=True))
        before = after
    assert booked == on(side, sum(values))


def test_a_day_before_the_loaded_rates_has_none() -> None:
    with pytest.raises(LookupError):
        delivery_rates(Side.BUY, date(2026, 2, 28))
    assert delivery_rates(Side.BUY, date(2026, 3, 1)).source
