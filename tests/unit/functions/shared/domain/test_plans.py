"""What is due of a plan: one order at a time, never too much, and an end that says what is left."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.orders import Side, Status
from functions.shared.domain.plans import (
    Cancel,
    End,
    Note,
    Place,
    Plan,
    PlanKind,
    PlanState,
    Slice,
    SliceOrder,
    SliceState,
    next_step,
)
from functions.shared.domain.slicing import equal_parts, slice_times

NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def plan_of(kind: PlanKind, quantity: int, parts: int, lot: int = 1) -> Plan:
    """Slices of ten minutes each, for a timed one."""
    ends = NOON + 10 * MINUTE * parts
    times: list[Any] = [None] * parts
    if kind is not PlanKind.ICEBERG:
        times = [*slice_times(NOON, ends, 10 * MINUTE)]
    planned = equal_parts(quantity, parts, lot)
    slices = (
        Slice(number, at, part, SliceState.WAITING, expected=part * 20)
        for number, (at, part) in enumerate(zip(times, planned, strict=True), start=1)
    )
    return Plan(7, kind, "ACME", Side.BUY, quantity, None, 50, NOON, ends, PlanState.ACTIVE,
                tuple(slices))  # fmt: skip


@dataclass
class Desk:
    """The ledger and the venue, as far as a plan is concerned."""

    plan: Plan

    def change(self, number: int, **changes: Any) -> None:
        slices = [replace(s, **changes) if s.number == number else s for s in self.plan.slices]
        self.plan = replace(self.plan, slices=tuple(slices))

    def change_order(self, **changes: Any) -> None:
        """Of the order that was placed last."""
        latest = self.plan.latest
        assert latest is not None
        assert latest.order is not None
        self.change(latest.number, order=replace(latest.order, **changes))

    def do(self, step: object, *, killed: bool = False) -> None:
        """`killed`: whoever placed it did not come to note it."""
        match step:
            case Place(number, quantity):
                assert self.plan.working is None
                assert self.plan.filled + quantity <= self.plan.quantity
                order = SliceOrder(number, Status.OPEN, quantity, 0)
                self.change(number, order=order)
                if not killed:
                    self.note(number)
            case Note(number):
                self.note(number)
            case Cancel():
                self.change_order(status=Status.CANCELLED)
            case End(state):
                assert self.plan.working is None
                self.plan = replace(self.plan, state=state)

    def note(self, number: int) -> None:
        self.change(number, state=SliceState.PLACED, noted=True)
        for each in self.plan.slices[: number - 1]:
            if each.state is SliceState.WAITING:
                self.change(each.number, state=SliceState.SKIPPED)

    def fill(self, quantity: int) -> None:
        order = self.plan.working
        assert order is not None
        filled = order.filled + quantity
        status = Status.FILLED if filled == order.quantity else Status.PARTIALLY_FILLED
        self.change_order(filled=filled, status=status)


@given(st.data(), st.sampled_from(PlanKind), st.integers(1, 40), st.integers(2, 12))
def test_a_plan_never_trades_too_much_and_ends_whatever_befalls_it(
    data: st.DataObject, kind: PlanKind, lots: int, parts: int
) -> None:
    lot = data.draw(st.sampled_from([1, 25]))
    desk = Desk(plan_of(kind, max(lots, parts) * lot, parts, lot))
    now = NOON
    for _ in range(30 * parts + 30):
        now += data.draw(st.sampled_from([timedelta(), MINUTE, 7 * MINUTE]))
        trading = data.draw(st.integers(0, 9)) > 1
        step = next_step(desk.plan, now, lot, trading=trading)
        assert not (isinstance(step, Place) and not trading)
        desk.do(step, killed=data.draw(st.booleans()))
        if desk.plan.state is not PlanState.ACTIVE:
            break
        if (working := desk.plan.working) is not None and data.draw(st.booleans()):
            rest = (working.quantity - working.filled) // lot
            desk.fill(data.draw(st.integers(0, rest)) * lot)
    now = desk.plan.ends_at
    for _ in range(4):
        desk.do(next_step(desk.plan, now, lot, trading=True))
    assert desk.plan.state in (PlanState.COMPLETED, PlanState.EXPIRED)
    assert (desk.plan.state is PlanState.COMPLETED) == (desk.plan.left == 0)
    assert next_step(desk.plan, now, lot, trading=True) is None


def test_the_next_leg_goes_once_the_one_before_is_filled_and_not_earlier() -> None:
    desk = Desk(plan_of(PlanKind.ICEBERG, 11, 3))
    for quantity in (4, 4, 3):
        step = next_step(desk.plan, NOON, 1, trading=True)
        assert step == Place(desk.plan.filled // 4 + 1, quantity)
        desk.do(step)
        desk.fill(quantity - 1)
        assert next_step(desk.plan, NOON, 1, trading=True) is None
        desk.fill(1)
    assert next_step(desk.plan, NOON, 1, trading=True) == End(PlanState.COMPLETED)


def test_what_a_slice_leaves_is_cancelled_and_carried_when_the_next_is_due() -> None:
    desk = Desk(plan_of(PlanKind.TWAP, 40, 4))
    desk.do(next_step(desk.plan, NOON, 1, trading=True))
    desk.fill(3)
    assert next_step(desk.plan, NOON + 9 * MINUTE, 1, trading=True) is None
    desk.do(next_step(desk.plan, NOON + 10 * MINUTE, 1, trading=False))  # a cancel passes
    assert next_step(desk.plan, NOON + 10 * MINUTE, 1, trading=False) is None
    assert next_step(desk.plan, NOON + 10 * MINUTE, 1, trading=True) == Place(2, 17)


def test_a_vwap_counts_the_market_from_its_first_slice_on() -> None:
    desk = Desk(plan_of(PlanKind.VWAP, 40, 4))
    step = next_step(desk.plan, NOON, 1, trading=True, volume=7_000)
    assert step == Place(1, 10)
    desk.do(step)
    desk.change(1, market_volume=7_000)
    desk.fill(10)
    ten = NOON + 10 * MINUTE
    assert next_step(desk.plan, ten, 1, trading=True, volume=7_200) == Place(2, 10)
    assert next_step(desk.plan, ten, 1, trading=True, volume=None) == Place(2, 10)
    assert next_step(desk.plan, ten, 1, trading=True, volume=7_800) == Place(
        2, 18
    )  # 1,000 of 1,400


def test_a_cancel_on_its_way_is_not_asked_for_again() -> None:
    desk = Desk(plan_of(PlanKind.TWAP, 40, 4))
    desk.do(next_step(desk.plan, NOON, 1, trading=True))
    desk.change_order(being_cancelled=True)
    assert next_step(desk.plan, NOON + 10 * MINUTE, 1, trading=True) is None


def test_a_placed_slice_that_nobody_noted_is_noted_before_anything_else() -> None:
    desk = Desk(plan_of(PlanKind.ICEBERG, 10, 2))
    desk.do(next_step(desk.plan, NOON, 1, trading=True), killed=True)
    desk.fill(5)
    assert next_step(desk.plan, NOON, 1, trading=False) == Note(1)


@pytest.mark.parametrize("status", [Status.DENIED, Status.REJECTED])
@pytest.mark.parametrize("kind", [PlanKind.ICEBERG, PlanKind.TWAP])
def test_a_slice_that_is_refused_ends_the_plan_with_its_reason(
    kind: PlanKind, status: Status
) -> None:
    desk = Desk(plan_of(kind, 10, 2))
    desk.do(next_step(desk.plan, NOON, 1, trading=True))
    desk.change_order(status=status, reason_code="INSUFFICIENT_FUNDS", reason="too little")
    assert next_step(desk.plan, NOON, 1, trading=True) == End(
        PlanState.FAILED, "INSUFFICIENT_FUNDS", "too little"
    )


def test_a_slice_that_the_plan_itself_did_not_allow_is_carried_on() -> None:
    desk = Desk(plan_of(PlanKind.TWAP, 10, 2))
    desk.do(next_step(desk.plan, NOON, 1, trading=True))
    desk.change_order(status=Status.DENIED, reason_code="PLAN_BUSY")
    assert next_step(desk.plan, NOON + 10 * MINUTE, 1, trading=True) == Place(2, 10)


@pytest.mark.parametrize(
    ("status", "state"),
    [(Status.CANCELLED, PlanState.CANCELLED), (Status.EXPIRED, PlanState.EXPIRED)],
)
def test_a_leg_that_ends_before_it_is_filled_ends_the_iceberg(
    status: Status, state: PlanState
) -> None:
    desk = Desk(plan_of(PlanKind.ICEBERG, 10, 2))
    desk.do(next_step(desk.plan, NOON, 1, trading=True))
    desk.fill(2)
    desk.change_order(status=status)
    step = next_step(desk.plan, NOON, 1, trading=True)
    assert isinstance(step, End)
    assert step.state is state


def test_a_plan_that_is_asked_to_end_cancels_its_order_and_then_ends() -> None:
    desk = Desk(plan_of(PlanKind.ICEBERG, 10, 2))
    desk.do(next_step(desk.plan, NOON, 1, trading=True))
    desk.plan = replace(desk.plan, state=PlanState.CANCELLING)
    step = next_step(desk.plan, NOON, 1, trading=False)
    assert step == Cancel(1)
    desk.do(step)
    assert next_step(desk.plan, NOON, 1, trading=False) == End(PlanState.CANCELLED)


@pytest.mark.parametrize("kind", PlanKind)
def test_a_plan_that_a_bust_opened_again_ends_once_nothing_of_it_works(kind: PlanKind) -> None:
    """It is early in its window: no slice waits, and nothing is placed again."""
    desk = Desk(plan_of(kind, 20, 2))
    desk.change(2, state=SliceState.SKIPPED)
    order = SliceOrder(71, Status.FILLED, 20, 20)
    desk.change(1, state=SliceState.PLACED, noted=True, order=order)
    early = NOON + MINUTE
    assert next_step(desk.plan, early, 1, trading=True) == End(PlanState.COMPLETED)
    desk.change_order(status=Status.PARTIALLY_FILLED, filled=15)
    assert next_step(desk.plan, early, 1, trading=True) is None
    desk.change_order(status=Status.CANCELLED)
    step = next_step(desk.plan, early, 1, trading=False)
    assert isinstance(step, End)
    whole = kind is PlanKind.ICEBERG
    assert step.reason_code == ("LEG_ENDED" if whole else "SLICES_OVER")


def test_an_iceberg_of_which_an_earlier_leg_was_busted_ends() -> None:
    desk = Desk(plan_of(PlanKind.ICEBERG, 20, 2))
    for number, filled in ((1, 4), (2, 10)):
        status = Status.FILLED if filled == 10 else Status.CANCELLED
        order = SliceOrder(70 + number, status, 10, filled)
        desk.change(number, state=SliceState.PLACED, noted=True, order=order)
    step = next_step(desk.plan, NOON + MINUTE, 1, trading=True)
    assert step == End(PlanState.EXPIRED, "SLICES_OVER", "6 are left as its slices are over")
