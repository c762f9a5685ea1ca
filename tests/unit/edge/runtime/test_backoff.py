"""Back-off doubles to its ceiling, is jittered in full, and starts over after a success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.runtime.backoff import Backoff


def test_the_ceiling_doubles_up_to_the_most_and_starts_over() -> None:
    backoff = Backoff(0.1, 0.5, uniform=lambda _low, high: high)
    assert [backoff.next_seconds() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.reset()
    assert backoff.next_seconds() == 0.1


@given(st.integers(1, 40))
def test_no_wait_exceeds_the_most(tries: int) -> None:
    backoff = Backoff(0.05, 2.0)
    assert all(0 <= backoff.next_seconds() <= 2.0 for _ in range(tries))


def test_senseless_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="first_seconds"):
        Backoff(2.0, 1.0)
