"""The parts of a quantity add up to it, in lots, as evenly as lots allow."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.slicing import apportion, equal_parts, slice_times, timed_quantity

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
