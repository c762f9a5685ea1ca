"""What a split and a bonus make of a price: exact factors, one rounding, an order that stays."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.candle_spans import DayBar
from functions.shared.domain.corporate_actions import (
    ActionKind,
    CorporateAction,
    adjusted_bar,
    adjusted_price,
    factor_since,
)

DAY = date(2026, 7, 10)


def action(kind: ActionKind, given: int, held: int, ex_date: date = DAY) -> CorporateAction:
    return CorporateAction(ex_date, kind, given, held)


@pytest.mark.parametrize(
    ("kind", "given_", "held", "factor"),
    [
        (ActionKind.SPLIT, 5, 1, Fraction(5)),
        (ActionKind.SPLIT, 1, 10, Fraction(1, 10)),
        (ActionKind.BONUS, 1, 1, Fraction(2)),
        (ActionKind.BONUS, 2, 5, Fraction(7, 5)),
        (ActionKind.DIVIDEND, 1_250, 1, Fraction(1)),
    ],
)
def test_a_share_becomes_as_many_as_were_given_for_it(
    kind: ActionKind, given_: int, held: int, factor: Fraction
) -> None:
    assert action(kind, given_, held).factor == factor


def test_the_ex_date_itself_trades_as_the_shares_are_now() -> None:
    split = [action(ActionKind.SPLIT, 5, 1)]

    assert factor_since(split, DAY - timedelta(days=1)) == 5
    assert factor_since(split, DAY) == 1


def test_several_actions_multiply() -> None:
    later = action(ActionKind.BONUS, 1, 2, DAY + timedelta(days=9))

    assert factor_since([action(ActionKind.SPLIT, 2, 1), later], date(2020, 1, 1)) == 3


prices = st.integers(1, 10**12)
factors = st.builds(Fraction, st.integers(1, 99_999), st.integers(1, 99_999))


@given(prices, factors)
def test_a_price_is_rounded_once_by_half_a_unit_at_most(price: int, factor: Fraction) -> None:
    exact, shown = price / factor, adjusted_price(price, factor)

    assert shown >= 1
    assert abs(shown - exact) <= Fraction(1, 2) or (shown == 1 and exact < 1)


@given(st.lists(prices, min_size=4, max_size=4), factors, st.integers(0, 10**12))
def test_a_bar_keeps_its_order(four: list[int], factor: Fraction, volume: int) -> None:
    low, opened, close, high = sorted(four)

    bar = adjusted_bar(DayBar(DAY, opened, high, low, close, volume), factor)

    assert bar.low <= bar.open <= bar.close <= bar.high
    assert abs(bar.volume - volume * factor) <= Fraction(1, 2)
