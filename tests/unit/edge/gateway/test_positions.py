"""The checkpoint passes a position only when it is settled, in whatever order that is learnt."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from edge.gateway.positions import STALL_SECONDS, Positions


def test_it_stops_before_a_report_that_is_not_applied() -> None:
    positions = Positions()
    positions.settle(1, 1)
    positions.publish([2, 3], 0.0)
    positions.settle(4, 4)
    assert positions.advance([], 0.0)
    assert positions.through == 1
    assert not positions.advance([3], 0.0)
    assert positions.advance([2, 3], 0.0)
    assert (positions.through, positions.outstanding) == (4, 0)


def test_a_gap_fill_settles_all_it_covers_even_where_it_overlaps() -> None:
    positions = Positions()
    positions.restart("O1", 10, 0.0)
    positions.settle(8, 20)
    positions.settle(15, 18)
    positions.advance([], 0.0)
    assert positions.through == 20


def test_a_restart_forgets_what_lies_beyond() -> None:
    positions = Positions()
    positions.publish([1, 2], 0.0)
    positions.settle(3, 3)
    positions.restart("O1", 0, 0.0)
    assert positions.outstanding == 0
    assert not positions.advance([], 0.0)


def test_it_stalls_only_when_reports_wait_and_nothing_moves_and_grows_patient() -> None:
    positions = Positions()
    positions.restart("O1", 0, 0.0)
    assert not positions.stalled(100.0)
    positions.publish([1], 100.0)
    assert not positions.stalled(100.0 + STALL_SECONDS)
    assert positions.stalled(100.1 + STALL_SECONDS)
    positions.restart("O1", 0, 106.0)
    positions.publish([1], 106.0)
    assert not positions.stalled(106.1 + STALL_SECONDS)
    assert positions.stalled(106.1 + 2 * STALL_SECONDS)
    positions.advance([1], 120.0)
    positions.publish([2], 120.0)
    assert positions.stalled(120.1 + STALL_SECONDS)


@given(st.lists(st.booleans(), max_size=60), st.randoms())
def test_it_never_passes_what_is_not_settled(administrative: list[bool], random: Random) -> None:
    positions, settled = Positions(), set[int]()
    order = list(range(1, len(administrative) + 1))
    random.shuffle(order)
    for position in order:
        if administrative[position - 1]:
            positions.settle(position, position)
            positions.advance([], 0.0)
        else:
            positions.publish([position], 0.0)
            positions.advance([position, *random.sample(sorted(settled), len(settled) // 2)], 0.0)
        settled.add(position)
        expected = next(p for p in range(1, len(order) + 2) if p not in settled) - 1
        assert positions.through == expected
