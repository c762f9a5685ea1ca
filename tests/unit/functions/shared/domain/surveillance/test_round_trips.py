"""Round trips: what counts as one, from which on a stock is restricted."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.surveillance.findings import Rule
from functions.shared.domain.surveillance.round_trips import count_trade
from functions.shared.domain.surveillance.watched import SymbolDay
from tests.support.surveillance import DAY, Watched

Legs = list[tuple[str, int]]


def trips(legs: Legs) -> int:
    held = SymbolDay()
    return sum(count_trade(held, side, quantity, 90) for side, quantity in legs)


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ([("BUY", 10)], 0),
        ([("BUY", 10), ("SELL", 10)], 1),
        ([("SELL", 10), ("BUY", 10)], 1),
        ([("BUY", 10), ("SELL", 9)], 1),
        ([("BUY", 10), ("SELL", 8)], 0),
        ([("BUY", 10), ("SELL", 8), ("SELL", 1)], 1),
        ([("BUY", 5), ("BUY", 5), ("SELL", 5), ("SELL", 5)], 1),
        ([("BUY", 10), ("SELL", 20), ("BUY", 10)], 2),
        ([("BUY", 10), ("SELL", 10), ("SELL", 10), ("BUY", 10)], 2),
        ([("BUY", 10), ("BUY", 10), ("BUY", 10)], 0),
        ([("BUY", 100), *[("SELL", 5)] * 20, ("BUY", 100), *[("SELL", 5)] * 20], 2),
        ([("BUY", 100), ("SELL", 105), ("BUY", 100), ("SELL", 95)], 2),
    ],
)
def test_a_round_trip_is_a_leg_turned_back_by_nine_tenths(legs: Legs, expected: int) -> None:
    assert trips(legs) == expected


@given(st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 1000)), max_size=60))
def test_trips_are_never_more_than_half_of_the_turns_of_side_and_one(legs: Legs) -> None:
    turns = sum(one[0] != other[0] for one, other in pairwise(legs))
    assert trips(legs) <= turns
    mirrored = [("SELL" if side == "BUY" else "BUY", quantity) for side, quantity in legs]
    assert trips(mirrored) == trips(legs)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.integers(2, 5))
def test_a_trade_in_parts_counts_as_the_whole_one(quantities: list[int], parts: int) -> None:
    whole = [(side, q * parts) for q in quantities for side in ("BUY", "SELL")]
    split = [(s, q // parts) for s, q in whole for _ in range(parts)]
    assert trips(split) == trips(whole) == len(quantities)


def test_the_eleventh_round_trip_is_found_and_the_tenth_is_not() -> None:
    watched = Watched()
    for _ in range(10):
        watched.trade("BUY", 10)
        watched.trade("SELL", 10, 101)
    assert watched.found == []
    watched.trade("BUY", 10)
    [finding] = watched.trade("SELL", 10, 101)
    assert (finding.rule, finding.round_trips, finding.score) == (Rule.WASH_TRADING, 11, 70)
    assert [reason.code for reason in finding.reasons] == ["ROUND_TRIPS"]


def test_near_equal_prices_and_twice_the_limit_add_to_the_score() -> None:
    watched = Watched()
    for _ in range(21):
        watched.trade("BUY", 10)
        watched.trade("SELL", 10)
    assert (watched.found[0].score, watched.found[-1].score) == (90, 100)


def test_a_new_day_counts_anew_and_a_late_trade_counts_into_the_day_that_is() -> None:
    watched = Watched()
    for _ in range(10):
        watched.trade("BUY", 10)
        watched.trade("SELL", 10)
    for _ in range(10):
        watched.trade("BUY", 10, day="2026-11-24")
        watched.trade("SELL", 10, day="2026-11-24")
    assert watched.found == []
    watched.trade("BUY", 10, day=DAY)
    assert [f.rule for f in watched.trade("SELL", 10, day=DAY)] == [Rule.WASH_TRADING]
