"""What the shell decides without a socket: when the next tick may come."""

from hypothesis import given
from hypothesis import strategies as st

from edge.fanout.hub import TICK_SECONDS
from edge.fanout.server import STEP_SECONDS, soonest_tick

#: Seconds that a tick may take, late or not.
TOOK = st.floats(0.0001, 0.2)
SHARE = st.floats(0, 5)


@given(TOOK, SHARE)
def test_those_who_come_in_have_their_share_of_every_tick_however_long_it_took(
    took: float, share: float
) -> None:
    """A tick of nine milliseconds, one each ten, is never late and would leave them a tenth."""
    begun, many = 100.0, 1_000
    due = max(begun + TICK_SECONDS, soonest_tick(begun, took, share, many))
    assert due - begun - took >= took * share - 1e-9


@given(TOOK, SHARE, st.integers(0, 100))
def test_prices_wait_no_longer_than_those_who_come_in_can_use(
    took: float, share: float, steps: int
) -> None:
    waited = soonest_tick(100.0, took, share, steps) - 100.0 - took
    assert -1e-9 <= waited <= steps * STEP_SECONDS + 1e-9
