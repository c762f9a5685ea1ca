"""Orders in slices: what a plan is, and what is to be done about it now.

An ICEBERG places its next leg once the one before is filled. A TWAP and a VWAP place a slice at the
start of each interval of a window: what the one before did not trade is cancelled and carried on.
Invariant: `next_step` decides from what stands in the books alone, so whoever asks, after whatever
was cut short, finds the same next step; a plan has one working order at most.

Source: brokers' help pages (2 to 50 legs of an iceberg); broker policy for the rest.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from functions.shared.domain.orders import WORKING, Side, Status
from functions.shared.domain.slicing import timed_quantity, volume_quantity

#: Of the client order ids of a plan's orders; clients can't use it (0022_sliced_orders.sql has it).
SLICE_PREFIX: Final = "PL-"
LEGS_MIN: Final = 2
LEGS_MAX: Final = 50
SLICES_MAX: Final = 200
#: Of the market's volume, in per cent.
PARTICIPATION_MAX: Final = 50
#: Plans that one account may have open.
PLANS_MAX: Final = 20
#: The ledger's own refusals of a plan's order: they are about the plan, not about the account.
_OF_THE_PLAN: Final = frozenset({"PLAN_BUSY", "PLAN_ENDED", "PLAN_FULL"})


class PlanKind(StrEnum):
    """ICEBERG: legs one after another. TWAP: equal slices by time. VWAP: by the market's volume."""

    ICEBERG = "ICEBERG"
    TWAP = "TWAP"
    VWAP = "VWAP"


class PlanState(StrEnum):
    """CANCELLING: its client asked it to end, and its order works still. EXPIRED: its window is
    over, or its slices are, with something left. FAILED: a slice was denied or rejected."""

    ACTIVE = "ACTIVE"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


OPEN_PLANS: Final = frozenset({PlanState.ACTIVE, PlanState.CANCELLING})


class SliceState(StrEnum):
    """SKIPPED: its time passed, or its plan ended, without an order."""

    WAITING = "WAITING"
    PLACED = "PLACED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class SliceOrder:
    """A slice's order as it stands. `being_cancelled`: a cancel is on its way."""

    order_id: int
    status: Status
    quantity: int
    filled: int
    being_cancelled: bool = False
    reason_code: str | None = None
    reason: str | None = None

    @property
    def works(self) -> bool:
        return self.status in WORKING


@dataclass(frozen=True, slots=True)
class Slice:
    """`due_at` is None where the slice before decides. `order`: what was placed for it, whether
    that is `noted` in its row or not; `market_volume`: the symbol's of the day, as it was noted;
    `expected`: what the market trades until the next slice, by the curve of a VWAP."""

    number: int
    due_at: datetime | None
    planned: int
    state: SliceState
    order: SliceOrder | None = None
    noted: bool = False
    market_volume: int | None = None
    expected: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan and its slices, in their order. `price`: the worst that a slice may trade at, in
    ten-thousandths of a rupee, None for the protected price of the moment; `participation`: per
    cent of the market's volume at most."""

    plan_id: int
    kind: PlanKind
    symbol: str
    side: Side
    quantity: int
    price: int | None
    participation: int | None
    starts_at: datetime
    ends_at: datetime
    state: PlanState
    slices: tuple[Slice, ...]

    @property
    def filled(self) -> int:
        return sum(each.order.filled for each in self.slices if each.order is not None)

    @property
    def left(self) -> int:
        return self.quantity - self.filled

    @property
    def working(self) -> SliceOrder | None:
        """The order that works now."""
        return next((s.order for s in self.slices if s.order is not None and s.order.works), None)

    @property
    def latest(self) -> Slice | None:
        """The slice that was placed last."""
        return next((each for each in reversed(self.slices) if each.order is not None), None)


@dataclass(frozen=True, slots=True)
class Note:
    """Write down which order a slice became: it was placed, and whoever did it got no further."""

    number: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask for the end of the order that works."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Place:
    """Place this slice, of that many shares; those before it that have no order are missed."""

    number: int
    quantity: int


@dataclass(frozen=True, slots=True)
class End:
    """End the plan. The ledger makes COMPLETED of it when all is filled by then."""

    state: PlanState
    reason_code: str | None = None
    reason: str | None = None


Step = Note | Cancel | Place | End


def slice_key(plan_id: int, number: int) -> str:
    """The client order id of a plan's slice."""
    return f"{SLICE_PREFIX}{plan_id}-{number}"


def cancel_key(plan_id: int, at: datetime) -> str:
    """The request id of the cancel of a plan's order; no id of a client's own has a colon. One a
    minute (`at` in UTC): the venue may refuse one that it would take later."""
    return f"plan:{plan_id}-{at:%Y%m%d%H%M}"


def next_step(
    plan: Plan, now: datetime, lot: int, *, trading: bool, volume: int | None = None
) -> Step | None:
    """The one thing to do now, None when there is only to wait. `trading`: continuous trading is
    open in the symbol: in a halt or an auction nothing is placed, and cancels pass. `volume`: what
    the symbol has traded today, None when nobody knows."""
    if plan.state not in OPEN_PLANS:
        return None
    for each in plan.slices:
        if each.order is not None and not each.noted:
            return Note(each.number)
    working, latest = plan.working, plan.latest
    over = plan.state is PlanState.CANCELLING or now >= plan.ends_at
    if working is None and (plan.left <= 0 or over):
        return _end(plan)
    if working is not None:
        return _cancel(working) if over or _next_is_due(plan, now) else None
    if latest is not None and latest.order is not None:
        ended = _ended_by(plan, latest.order)
        if ended is not None:
            return ended
        if all(each.state is not SliceState.WAITING for each in plan.slices):
            return _end_without_slices(plan)
    if not trading or now < plan.starts_at:
        return None
    return _next_leg(plan) if plan.kind is PlanKind.ICEBERG else _due_slice(plan, now, lot, volume)


def _end(plan: Plan) -> End:
    if plan.left <= 0:
        return End(PlanState.COMPLETED)
    if plan.state is PlanState.CANCELLING:
        return End(PlanState.CANCELLED)
    return End(PlanState.EXPIRED, "WINDOW_OVER", f"{plan.left} are left as its time is over")


def _end_without_slices(plan: Plan) -> End:
    """Its slices are over before its window: of what the exchange took back nothing is placed
    again, and what the last one left has none to be carried to."""
    return End(PlanState.EXPIRED, "SLICES_OVER", f"{plan.left} are left as its slices are over")


def _cancel(order: SliceOrder) -> Cancel | None:
    return None if order.being_cancelled else Cancel(order.order_id)


def _ended_by(plan: Plan, order: SliceOrder) -> End | None:
    """Whether the order that was placed last ends its plan: one that was refused would be refused
    again, or placed at a moment that nobody expects; of a leg that somebody ended, so is the
    rest."""
    if order.status in {Status.DENIED, Status.REJECTED} and order.reason_code not in _OF_THE_PLAN:
        return End(PlanState.FAILED, order.reason_code, order.reason)
    if plan.kind is PlanKind.ICEBERG and order.status is Status.EXPIRED:
        return End(PlanState.EXPIRED, "WINDOW_OVER", f"{plan.left} are left as the day is over")
    if plan.kind is PlanKind.ICEBERG and order.filled < order.quantity:
        return End(PlanState.CANCELLED, "LEG_ENDED", "a leg ended before it was filled")
    return None


def _next_leg(plan: Plan) -> Place | None:
    waiting = next((each for each in plan.slices if each.state is SliceState.WAITING), None)
    return None if waiting is None else Place(waiting.number, min(waiting.planned, plan.left))


def _due(plan: Plan, now: datetime) -> Slice | None:
    """The latest slice whose time has come and that has no order."""
    due = [
        each for each in plan.slices
        if each.state is SliceState.WAITING and each.due_at is not None and each.due_at <= now
    ]  # fmt: skip
    return due[-1] if due else None


def _next_is_due(plan: Plan, now: datetime) -> bool:
    return _due(plan, now) is not None


def _due_slice(plan: Plan, now: datetime, lot: int, volume: int | None) -> Place | None:
    due = _due(plan, now)
    if due is None:
        return None
    if plan.kind is PlanKind.VWAP:
        quantity = _by_volume(plan, due, lot, volume)
    else:
        quantity = _by_time(plan, due, lot)
    return Place(due.number, quantity) if quantity else None


def _by_time(plan: Plan, due: Slice, lot: int) -> int:
    ahead = [each.planned for each in plan.slices if each.number > due.number]
    latest = plan.latest
    unfilled = 0
    if latest is not None and latest.order is not None:
        unfilled = latest.order.quantity - latest.order.filled
    return timed_quantity(plan.left, due.planned, ahead, unfilled, lot)


def _by_volume(plan: Plan, due: Slice, lot: int, volume: int | None) -> int:
    """The market's volume is counted from the first slice on; unknown, it is the curve's."""
    first = next((each for each in plan.slices if each.order is not None), None)
    traded = 0
    if first is not None and first.market_volume is not None and volume is not None:
        traded = max(0, volume - first.market_volume)
    elif first is not None:
        traded = sum(s.expected for s in plan.slices if first.number <= s.number < due.number)
    ahead = sum(each.expected for each in plan.slices if each.number > due.number)
    return volume_quantity(
        plan.quantity, plan.filled, traded, due.expected, ahead, plan.participation or 100, lot
    )
