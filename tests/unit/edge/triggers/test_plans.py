"""When a plan is asked for: at its times, after its legs, and again until the ledger answers."""

from edge.triggers.plans import (
    ASK_AGAIN_SECONDS,
    ASK_MOST,
    FOLLOW_SECONDS,
    PlanBook,
    PlanEnded,
    SliceSeen,
)
from functions.shared.stores.watched_plans import WatchedPlan
from functions.shared.wire.trigger_commands import WorkPlan

TIMED = WatchedPlan(9, 7, False, (100, 200, 250))
ICEBERG = WatchedPlan(8, 7, True, (1_000,), latest=81)
ASKED = [WorkPlan(user_id=7, plan_id=9, seen_at=5)]
LEG = [WorkPlan(user_id=7, plan_id=8, seen_at=5)]


def book(*plans: WatchedPlan) -> PlanBook:
    made = PlanBook()
    made.load(plans)
    return made


def test_a_timed_plan_is_asked_for_as_each_slice_is_due_and_as_its_window_ends() -> None:
    plans = PlanBook()
    plans.watch(TIMED)
    plans.watch(TIMED)
    assert plans.due(99, 0.0, 5) == []
    for number, (before, due) in enumerate(((150, 100), (199, 200), (249, 250))):
        assert plans.due(due, 0.0, 5) == ASKED
        plans.see(SliceSeen(9, 90 + number, works=True), 0.0)
        assert plans.due(max(before, due), 60.0, 5) == []


def test_what_fell_due_while_nobody_watched_is_asked_for_once() -> None:
    plans = book(TIMED)
    assert plans.due(240, 0.0, 5) == ASKED
    assert plans.due(240, 0.0, 5) == []


def test_it_is_asked_again_for_a_minute_until_a_new_slice_answers() -> None:
    plans, now = book(TIMED), 0.0
    assert plans.due(100, now, 5) == ASKED
    plans.see(SliceSeen(9, 90, works=True), now)
    assert plans.due(200, now, 5) == ASKED
    plans.see(SliceSeen(9, 90, works=False), now)  # the one before: it was in the way
    for _ in range(ASK_MOST - 1):
        assert plans.due(200, now + ASK_AGAIN_SECONDS - 0.1, 5) == []
        now += ASK_AGAIN_SECONDS
        assert plans.due(200, now, 5) == ASKED
    assert plans.due(200, now + 1_000, 5) == []


def test_an_icebergs_next_leg_is_asked_for_when_none_followed_the_one_that_ended() -> None:
    plans = book(ICEBERG)
    plans.see(SliceSeen(8, 80, works=False), 0.0)  # an older leg's late event
    plans.see(SliceSeen(8, 81, works=True), 0.0)
    assert plans.due(0, 60.0, 5) == []
    plans.see(SliceSeen(8, 81, works=False), 60.0)
    assert plans.due(0, 60.0, 5) == []
    assert plans.due(0, 60.0 + FOLLOW_SECONDS, 5) == LEG
    plans.see(SliceSeen(8, 82, works=True), 62.0)
    assert plans.due(0, 100.0, 5) == []


def test_an_icebergs_leg_that_followed_at_once_is_not_asked_for() -> None:
    plans = book(ICEBERG)
    plans.see(SliceSeen(8, 81, works=False), 0.0)
    plans.see(SliceSeen(8, 82, works=True), 0.1)
    assert plans.due(0, 60.0, 5) == []


def test_an_ended_plan_is_asked_for_no_more() -> None:
    plans = book(TIMED, ICEBERG)
    plans.due(100, 0.0, 5)
    plans.see(SliceSeen(8, 81, works=False), 0.0)
    for number in (8, 9, 10):
        plans.forget(PlanEnded(number))
        plans.see(SliceSeen(number, 99, works=False), 0.0)
    assert plans.due(10_000, 60.0, 5) == []
    assert len(plans) == 0
