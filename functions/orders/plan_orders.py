"""A client's plans: opened, shown, asked to end.

Invariant: a plan that is opened promises to try. What all of it must keep (tick, lot, band, sizes,
its window) is judged before; what its slices need is judged and reserved slice by slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import pairwise

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping import planning
from functions.shared.bookkeeping.checking import PublicFacts, load_facts
from functions.shared.bookkeeping.plan_steps import advance
from functions.shared.bookkeeping.planning import NewPlan, PlanOf
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import InvariantViolated, Refused, Retryable
from functions.shared.domain.orders import OrderType, Product, Side
from functions.shared.domain.plan_rules import Window, plan_rules
from functions.shared.domain.plans import PLANS_MAX, PlanKind, PlanState
from functions.shared.domain.pretrade import OrderIntent, Rule
from functions.shared.domain.sessions import Phase
from functions.shared.domain.slicing import apportion, equal_parts, slice_times
from functions.shared.domain.volume_curve import VolumeCurve
from functions.shared.domain.waiting import session_end
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.runtime.logs import logger
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.plans import PlannedSlice, render_plan_in_full


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A well-formed plan as a client wrote it. `participation` in per cent; `starts_at` None is
    now, `interval` between the starts of two slices; `price` in ten-thousandths of a rupee."""

    client_id: str
    kind: PlanKind
    symbol: str
    side: Side
    product: Product
    quantity: int
    price: int | None
    legs: int | None
    participation: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    interval: timedelta | None
    asked: bytes


def open_plan(stores: Stores, user_id: int, request: PlanRequest, *, live: bool) -> Response[str]:
    """202 with a new plan, 200 with the plan that the same id and body opened before, as it stands.

    Raises Refused 422 with every failed rule: nothing is kept of such a plan, and its id is free.
    Raises Conflict ID_REUSED for the same id with another body."""
    known = planning.recall(stores.shards, user_id, request.client_id, request.asked)
    if known is not None:
        return _answer(stores, PlanOf(user_id, known), HTTPStatus.OK)
    facts = load_facts(stores.instruments, stores.quotes, stores.clock, request.symbol)
    facts.require_calendar(live=live)
    curves: Sequence[VolumeCurve] = ()
    if request.kind is PlanKind.VWAP:
        curves = planning.volume_curves(
            stores.shards, user_id, facts.instrument.symbol, facts.hours, facts.status.trade_date
        )
    wanted = _judged(request, facts, curves)
    today = facts.status.trade_date
    outcome, plan_id = planning.open_plan(stores.shards, user_id, wanted, today, facts.now)
    if outcome == "TOO_MANY":
        raise refusal(
            [Rule("TOO_MANY_PLANS", "cancel one first", str(PLANS_MAX + 1), str(PLANS_MAX))]
        )
    plan = PlanOf(user_id, plan_id)
    _start(stores, plan)
    return _answer(stores, plan, HTTPStatus.ACCEPTED if outcome == "OPENED" else HTTPStatus.OK)


def show_plan(stores: Stores, user_id: int, plan_id: int) -> Response[str]:
    """The plan with its slices. Raises NotFound unless it is this user's."""
    return _answer(stores, PlanOf(user_id, plan_id), HTTPStatus.OK)


def list_plans(
    stores: Stores, user_id: int, rows: int, before: int | None, state: PlanState | None
) -> Response[str]:
    """Newest first; `next` is the cursor of the following page, null on the last."""
    found = planning.views(stores.shards, user_id, rows, before, state)
    following = str(found[-1].facts.plan_id) if len(found) == rows else None
    items = [render_plan_in_full(view.facts, view.slices) for view in found]
    return respond({"items": items, "next": following})


def cancel_plan(stores: Stores, user_id: int, plan_id: int) -> Response[str]:
    """202 with the plan: it places nothing any more, and its order's cancel is on the way. Raises
    NotFound, and Conflict ORDER_ENDED when it has ended."""
    plan, now = PlanOf(user_id, plan_id), stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    planning.request_end(stores.shards, plan, today, now)
    _start(stores, plan)
    return _answer(stores, plan, HTTPStatus.ACCEPTED)


def refusal(rules: Sequence[Rule]) -> Refused:
    """The 422 of a plan that breaks rules."""
    return Refused(
        422, "ORDER_REFUSED", ", ".join(rule.code for rule in rules),
        rules=[rule.as_json() for rule in rules],
    )  # fmt: skip


def _judged(request: PlanRequest, facts: PublicFacts, curves: Sequence[VolumeCurve]) -> NewPlan:
    """The plan with its slices; a VWAP goes by one of the `curves`. Raises Refused with every rule
    that it breaks."""
    starts_at = request.starts_at or facts.now
    day_ends = session_end(facts.status.trade_date, facts.hours)
    ends_at = request.ends_at or day_ends
    window = Window(request.kind, starts_at, ends_at, request.interval, request.legs)
    lot, product = facts.instrument.lot, request.product
    rules = plan_rules(
        window, request.quantity, lot, product, facts.now, facts.status.trade_date, facts.hours
    )
    curve, slices = (None, []) if rules else _slices(request, window, lot, curves)
    largest = max((each.planned for each in slices), default=lot)
    if starts_at > facts.now:  # its session is what counts, and each slice is judged in it
        facts = replace(facts, status=replace(facts.status, phase=Phase.OPEN))
    kind = OrderType.MARKET if request.price is None else OrderType.LIMIT
    verdict = facts.judge(OrderIntent(request.side, kind, largest, request.price), product)
    rules = [*rules, *verdict.rules]
    if rules:
        raise refusal(rules)
    return NewPlan(
        client_id=request.client_id,
        kind=request.kind,
        symbol=facts.instrument.symbol,
        side=request.side,
        product=product,
        quantity=request.quantity,
        price=request.price,
        participation=request.participation,
        curve=None if curve is None else curve.name,
        trade_date=facts.status.trade_date,
        starts_at=starts_at,
        ends_at=ends_at,
        slices=tuple(slices),
        asked=request.asked,
    )


def _slices(
    request: PlanRequest, window: Window, lot: int, curves: Sequence[VolumeCurve]
) -> tuple[VolumeCurve | None, list[PlannedSlice]]:
    """With the curve that a VWAP's were weighed by. Raises as `_weights`."""
    if request.kind is PlanKind.ICEBERG:
        parts = equal_parts(request.quantity, window.count, lot)
        return None, [PlannedSlice(due_at=None, planned=part) for part in parts]
    if request.interval is None:
        raise InvariantViolated("a timed plan without an interval")
    times = slice_times(window.starts_at, window.ends_at, request.interval)
    parts = equal_parts(request.quantity, len(times), lot)
    volumes: Sequence[int | None] = [None] * len(times)
    curve = None
    if curves:
        curve, weights = _weights(curves, [*times, window.ends_at])
        parts, volumes = apportion(request.quantity, weights, lot), weights
    return curve, [
        PlannedSlice(due_at=at.isoformat(), planned=part, expected=volume)
        for at, part, volume in zip(times, parts, volumes, strict=True)
    ]


def _weights(
    curves: Sequence[VolumeCurve], times: Sequence[datetime]
) -> tuple[VolumeCurve, list[int]]:
    """What is expected from each time to the next, by the first curve that expects anything: few
    trade in some shares, and in some windows nobody did. Raises Refused 503 NO_RULES."""
    for curve in curves:
        weights = [curve.expected(*both) for both in pairwise(times)]
        if sum(weights):
            return curve, weights
    raise Refused(503, "NO_RULES", "no volume is expected in that window")


def _start(stores: Stores, plan: PlanOf) -> None:
    """Does what is due at once. What can't be done now is the schedule's, within a minute."""
    try:
        advance(stores, plan)
    except (Refused, Retryable) as error:
        logger().warning("plan left to the schedule", plan=str(plan.plan_id), why=str(error))
    wake_relay(stores.valkey, stores.shards.number_of_user(plan.user_id))


def _answer(stores: Stores, plan: PlanOf, status: HTTPStatus) -> Response[str]:
    found = planning.view(stores.shards, plan.user_id, plan.plan_id)
    return respond(render_plan_in_full(found.facts, found.slices), status)
