"""Percentiles are within a thousandth, whatever was counted."""

import math

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from infra.load.histogram import MOST, Histogram

VALUES = st.lists(st.integers(0, MOST), min_size=1, max_size=30)
PERCENTS = (0.0, 1.0, 50.0, 99.0, 99.9, 100.0)


def counted(values: list[int]) -> Histogram:
    found = Histogram()
    for value in values:
        found.record(value)
    return found


@given(VALUES, st.sampled_from(PERCENTS))
def test_a_percentile_is_the_value_of_its_rank_within_a_thousandth(
    values: list[int], percent: float
) -> None:
    rank = max(1, math.ceil(len(values) * percent / 100))
    exact = sorted(values)[rank - 1]
    assert exact <= counted(values).percentile(percent) <= exact * 1.001


@given(st.integers(0, MOST))
def test_it_counts_in_the_same_buckets_as_the_library_does(value: int) -> None:
    bucket = HdrHistogram(1, MOST, 3).get_highest_equivalent_value(value)
    assert counted([value, MOST]).percentile(50.0) == min(bucket, MOST)


@given(VALUES, VALUES)
def test_two_added_count_as_one(some: list[int], others: list[int]) -> None:
    together, both = counted(some), counted(some + others)
    together.add(counted(others))
    assert [together.percentile(p) for p in PERCENTS] == [both.percentile(p) for p in PERCENTS]
    assert (together.total, together.greatest) == (both.total, both.greatest)


def test_nothing_counted_is_nothing_and_what_is_out_of_range_is_kept_at_its_end() -> None:
    found = Histogram()
    assert found.percentile(99.0) == 0
    found.record(-5)
    found.record(MOST + 1, 2)
    assert (found.total, found.percentile(1.0), found.percentile(99.0)) == (3, 0, MOST)
