"""Whose plan is due: times and ended legs in, commands out.

Invariant: a command only asks for a visit of the plan, which does what is due by the books alone;
so one too many does no harm, and the schedule of each minute finds what was asked for in vain. What
is due is asked again each ASK_AGAIN_SECONDS for a minute, until the ledger tells of a new order of
the plan or of its end. After a leg's end the worker that booked it comes first: it is asked for
when nothing followed within FOLLOW_SECONDS.
"""

import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

from functions.shared.stores.watched_plans import WatchedPlan
from functions.shared.wire.trigger_commands import WorkPlan

ASK_AGAIN_SECONDS: Final = 5.0
#: For as long as the schedule takes to come by.
ASK_MOST: Final = 12
FOLLOW_SECONDS: Final = 1.0
#: Commands asked at a time; the others wait for their turn of the next look.
ASK_AT_ONCE_MOST: Final = 1_000


class PlanEnded(NamedTuple):
    """A plan that is not watched any more."""

    plan_id: int


class SliceSeen(NamedTuple):
    """An order of a plan as the ledger told of it."""

    plan_id: int
    order_id: int
    works: bool


class _Asked(NamedTuple):
    """When to ask next, by the monotonic clock, and how often it was asked."""

    at: float
    times: int = 0


class PlanBook:
    """The plans of one process. For one thread. `now` is a monotonic time, `at` the wall clock's,
    `business` the business clock's, both in microseconds since 1970."""

    def __init__(self) -> None:
        self._plans: dict[int, WatchedPlan] = {}
        self._times: list[tuple[int, int]] = []
        self._asked: dict[int, _Asked] = {}

    def __len__(self) -> int:
        return len(self._plans)

    def load(self, plans: Iterable[WatchedPlan]) -> None:
        """Begins anew with what the ledger has."""
        self._plans = {plan.plan_id: plan for plan in plans}
        self._times = [(time, plan.plan_id) for plan in self._plans.values() for time in plan.times]
        heapq.heapify(self._times)
        self._asked.clear()

    def watch(self, plan: WatchedPlan) -> None:
        """A plan that was opened. One that is known stays as it is."""
        if plan.plan_id in self._plans:
            return
        self._plans[plan.plan_id] = plan
        for time in plan.times:
            heapq.heappush(self._times, (time, plan.plan_id))

    def forget(self, ended: PlanEnded) -> None:
        """Harmless when it isn't watched."""
        self._plans.pop(ended.plan_id, None)
        self._asked.pop(ended.plan_id, None)

    def see(self, seen: SliceSeen, now: float) -> None:
        """An event of one of its orders: a new one answers what was asked; the end of the newest
        leg of an iceberg makes the next one due."""
        plan = self._plans.get(seen.plan_id)
        if plan is None or seen.order_id < plan.latest:
            return
        if seen.order_id > plan.latest:
            self._plans[plan.plan_id] = plan._replace(latest=seen.order_id)
            self._asked.pop(plan.plan_id, None)
        if plan.follows and not seen.works:
            self._asked.setdefault(plan.plan_id, _Asked(now + FOLLOW_SECONDS))

    def due(self, business: int, now: float, at: int) -> list[WorkPlan]:
        """The plans with a step whose time has come, and those that are to be asked for again."""
        while self._times and self._times[0][0] <= business:
            _, plan_id = heapq.heappop(self._times)
            if plan_id in self._plans:
                self._asked[plan_id] = _Asked(now)
        ready = [plan_id for plan_id, asked in self._asked.items() if asked.at <= now]
        return [self._ask(plan_id, now, at) for plan_id in ready[:ASK_AT_ONCE_MOST]]

    def _ask(self, plan_id: int, now: float, at: int) -> WorkPlan:
        times = self._asked.pop(plan_id).times + 1
        if times < ASK_MOST:
            self._asked[plan_id] = _Asked(now + ASK_AGAIN_SECONDS, times)
        return WorkPlan(user_id=self._plans[plan_id].user_id, plan_id=plan_id, seen_at=at)
