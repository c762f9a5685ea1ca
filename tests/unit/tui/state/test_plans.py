from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.terminal import PLANS, funds, plan
from tests.support.terminal_prices import NOON
from tui.client.models import Plan
from tui.state.account import apply, loaded
from tui.state.plans import coming, placed_slices, plans_shown, progress_bar

TWAP, ICEBERG, ENDED = PLANS


def test_open_plans_stand_above_ended_ones_newest_first() -> None:
    account = loaded(funds(), [], [], [], [ENDED, TWAP, ICEBERG])

    assert [each.plan_id for each in plans_shown(account)] == ["3002", "3001", "3000"]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (TWAP, "12:06:00"),
        (ICEBERG, "after leg 3"),
        (ENDED, ""),
        (plan(state="CANCELLING"), "ending"),
        (plan(slices=None), "–"),
        (plan(slices=[]), "–"),
    ],
)
def test_what_comes_next_is_a_time_a_leg_or_the_end(known: Plan, words: str) -> None:
    assert coming(known, NOON) == words


def test_a_slice_whose_time_is_over_is_due_now() -> None:
    assert coming(TWAP, NOON + timedelta(minutes=7)) == "due now"


def test_an_event_keeps_the_slices_that_it_does_not_tell() -> None:
    account = loaded(funds(), [], [], [], [TWAP])
    told = msgspec.structs.replace(
        TWAP, state="CANCELLED", version=4, slices=None, filled_quantity=0, average_price=None
    )
    after = apply(account, told).plans["3001"]

    assert (after.state, after.filled_quantity, placed_slices(after)) == ("CANCELLED", 164, 2)
    older = msgspec.structs.replace(TWAP, version=2)
    assert apply(account, older).plans["3001"] is TWAP


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 40))
def test_a_bar_is_full_when_all_is_done_and_begun_when_anything_is(
    done: int, total: int, width: int
) -> None:
    bar = progress_bar(min(done, total), total, width)

    assert len(bar) == width
    assert (bar == "█" * width) == (done >= total)
    assert (bar == "·" * width) == (done == 0)
