"""The parts of a quantity add up to it, in lots, as evenly as lots allow."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.slicing import (
    apportion,
    equal_parts,
    slice_times,
    timed_quantity,
    volume_quantity,
)

NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
LOTS = st.integers(1, 5_000)
LOT = st.sampled_from([1, 25, 1_200])


@given(LOTS, LOT, st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_parts_by_weight_are_whole_lots_that_add_up_and_differ_by_a_lot_from_their_share(
    lots: int, lot: int, weights: list[int]
) -> None:
    if not sum(weights):
        weights[0] = 1
    parts = apportion(lots * lot, weights, lot)
    assert sum(parts) == lots * lot
    assert all(part % lot == 0 for part in parts)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - lots * lot * weight) < lot * sum(weights)


@given(LOTS, LOT, st.integers(1, 200))
def test_equal_parts_differ_by_a_lot_at_most_and_the_larger_come_first(
    lots: int, lot: int, count: int
) -> None:
    parts = equal_parts(lots * lot, count, lot)
    assert sum(parts) == lots * lot
    assert parts == sorted(parts, reverse=True)
    assert parts[0] - parts[-1] in (0, lot)
    assert (parts[-1] > 0) == (lots >= count)


@pytest.mark.parametrize(("quantity", "weights"), [(101, [1, 1]), (100, [0, 0]), (100, [2, -1])])
def test_what_can_not_be_shared_is_refused(quantity: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="can't be shared"):
        apportion(quantity, weights, 2)


@given(st.integers(1, 1_440), st.integers(1, 1_440))
def test_slices_begin_with_each_interval_and_none_is_at_the_end(minutes: int, every: int) -> None:
    ends, interval = NOON + timedelta(minutes=minutes), timedelta(minutes=every)
    times = slice_times(NOON, ends, interval)
    assert times[0] == NOON
    assert ends - interval <= times[-1] < ends
    gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
    assert gaps <= {interval}


@given(
    LOTS, LOT, st.integers(2, 60), st.data(),
)  # fmt: skip
def test_whatever_slices_trade_or_miss_the_last_one_is_what_is_left(
    lots: int, lot: int, count: int, data: st.DataObject
) -> None:
    """Each slice may be missed, and trades any part of what it was placed for."""
    planned = equal_parts(lots * lot, count, lot)
    left, unfilled, missed_before = lots * lot, 0, 0
    for number, own in enumerate(planned):
        ahead = planned[number + 1 :]
        if ahead and data.draw(st.booleans()):  # a halt
            missed_before += 1
            continue
        quantity = timed_quantity(left, own, ahead, unfilled, lot)
        assert quantity % lot == 0
        assert 0 <= quantity <= left
        if not ahead:
            assert quantity == left
        elif not missed_before:
            assert quantity == own + unfilled
        traded = data.draw(st.integers(0, quantity // lot)) * lot
        left, unfilled = left - traded, quantity - traded


def test_what_a_halt_missed_is_spread_over_the_rest_and_never_comes_at_once() -> None:
    planned = equal_parts(1_000, 10, 1)
    assert timed_quantity(1_000, planned[4], planned[5:], 0, 1) == 100 + 67  # 400 over six slices


@given(
    LOTS, LOT, st.integers(1, 50), st.lists(st.integers(0, 10**6), min_size=1, max_size=40),
    st.data(),
)  # fmt: skip
def test_a_vwap_trades_whole_lots_up_to_its_target_and_its_share_of_the_market(
    lots: int, lot: int, participation: int, curve: list[int], data: st.DataObject
) -> None:
    whole, filled, traded = lots * lot, 0, 0
    for number, expected in enumerate(curve):
        ahead = sum(curve[number + 1 :])
        quantity = volume_quantity(whole, filled, traded, expected, ahead, participation, lot)
        assert quantity % lot == 0
        assert 0 <= quantity <= whole - filled
        if quantity:
            assert (filled + quantity) * 100 <= (traded + expected) * participation
            passed = traded + expected
            assert not ahead or (filled + quantity) * (passed + ahead) <= whole * passed
        filled += data.draw(st.integers(0, quantity // lot)) * lot
        traded += data.draw(st.integers(0, 2 * expected))


def test_a_vwap_that_the_market_follows_trades_by_the_curve_to_the_last_share() -> None:
    curve, filled, traded, slices = [300, 100, 200], 0, 0, []
    for number, expected in enumerate(curve):
        ahead = sum(curve[number + 1 :])
        slices.append(volume_quantity(60, filled, traded, expected, ahead, 50, 1))
        filled, traded = filled + slices[-1], traded + expected
    assert slices == [30, 10, 20]


def test_a_busier_market_than_expected_is_followed_and_a_thin_one_is_not_swamped() -> None:
    assert volume_quantity(60, 30, 900, 100, 200, 50, 1) == 20  # 1,000 of 1,200 are over, not 4/6
    assert volume_quantity(60, 0, 20, 100, 0, 10, 1) == 12  # the last slice, and 48 stay left
