"""Taking a plan on: what its next step is, and doing it.

Flow: the plan and its orders are read, `domain.plans.next_step` says what is due, and one call of
the ledger does it; then it is read again. Invariant: whoever comes (the report that ended a slice,
the clock of its slices, the schedule of each minute, the client's own request) does the same steps,
and a step that is done twice, or cut short between placing a slice and noting it, places nothing
twice.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Protocol

from functions.shared.bookkeeping import planning
from functions.shared.bookkeeping.changing import request_cancel
from functions.shared.bookkeeping.checking import (
    OrderRequest,
    PublicFacts,
    load_facts,
    placement,
)
from functions.shared.bookkeeping.placing import Placement, place
from functions.shared.bookkeeping.planning import PlanOf, PlanView
from functions.shared.clock import Clock
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.plans import (
    Cancel,
    End,
    Note,
    Place,
    Plan,
    PlanKind,
    PlanState,
    cancel_key,
    next_step,
    slice_key,
)
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.sessions import Phase
from functions.shared.domain.waiting import Terms
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quotes import QuoteCache
from functions.shared.wire.plans import plan_of

#: A visit notes a slice, ends or places one, and notes that. What is left is the next visit's.
_STEPS_MAX: Final = 4


class PlanStores(Protocol):
    """What a step needs of a function's stores."""

    @property
    def shards(self) -> Shards: ...
    @property
    def instruments(self) -> InstrumentMaster: ...
    @property
    def quotes(self) -> QuoteCache: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True, slots=True)
class _Visit:
    """One plan as it was read, at a business time of a trade date."""

    of: PlanOf
    view: PlanView
    plan: Plan
    now: datetime
    today: date


def advance(stores: PlanStores, of: PlanOf) -> int:
    """Does what is due of a plan; returns how many steps. Raises Refused when the symbol can't be
    judged or sent now, Retryable when the ledger doesn't answer, NotFound without such a plan."""
    for done in range(_STEPS_MAX):
        view = planning.view(stores.shards, of.user_id, of.plan_id)
        now = stores.clock.now()
        today = market_status(now, stores.clock.hours).trade_date
        visit = _Visit(of, view, plan_of(view.facts, view.slices), now, today)
        if not _step(stores, visit):
            return done
    return _STEPS_MAX


def _step(stores: PlanStores, visit: _Visit) -> bool:
    """Whether something was done, so that there may be more to do. What needs no market comes
    first: a plan ends, and its order is cancelled, whether there are prices or not."""
    shards, of = stores.shards, visit.of
    match next_step(visit.plan, visit.now, 1, trading=False):
        case Note(number):
            volume = _market_volume(stores, visit.plan)
            planning.note(shards, of, number, volume, visit.today, visit.now)
            return True  # by another visit or by this one: what follows is still to be done
        case Cancel(order_id):
            return _cancel(shards, visit, order_id)
        case End() as ending:
            planning.end(shards, of, ending, visit.today, visit.now)
            return False
    if visit.plan.state is not PlanState.ACTIVE or visit.plan.working is not None:
        return False
    facts = load_facts(stores.instruments, stores.quotes, stores.clock, visit.plan.symbol)
    trading = facts.status.phase is Phase.OPEN
    step = next_step(
        visit.plan, facts.now, facts.instrument.lot, trading=trading,
        volume=None if facts.quote is None else facts.quote.volume,
    )  # fmt: skip
    if not isinstance(step, Place):
        return False
    placed = place(shards, _placement(visit, step, facts))
    # Of these nothing is kept, and the next visit asks again.
    return placed.outcome not in {"RATE_LIMITED", "PUT_OFF"}


def _market_volume(stores: PlanStores, plan: Plan) -> int | None:
    """What the symbol has traded today, where the plan goes by it."""
    if plan.kind is not PlanKind.VWAP:
        return None
    quote = stores.quotes.order_facts(plan.symbol).quote
    return None if quote is None else quote.volume


def _cancel(shards: Shards, visit: _Visit, order_id: int) -> bool:
    of, key = visit.of, cancel_key(visit.of.plan_id, visit.now)
    try:
        request_cancel(shards, of.user_id, order_id, key, None, visit.today, visit.now)
    except Conflict:  # it ended since it was read: there is something else to do
        return True
    return False


def _placement(visit: _Visit, step: Place, facts: PublicFacts) -> Placement:
    """The slice's order. Its id and what that stands for follow from the plan and the number, not
    from what the market says as it is placed."""
    plan, product = visit.plan, Product(visit.view.facts.product)
    key = slice_key(plan.plan_id, step.number)
    intent = slice_intent(plan, step.quantity, facts, product)
    request = OrderRequest(plan.symbol, intent, product, Validity.DAY)
    return replace(
        placement(visit.of.user_id, key, request, facts),
        fingerprint=hashlib.sha256(key.encode()).digest(),
        terms=Terms(None, None, parent_order_id=plan.plan_id),
    )


def slice_intent(plan: Plan, quantity: int, facts: PublicFacts, product: Product) -> OrderIntent:
    """A leg of an iceberg is a limit at its price. A timed slice is protected: at the protected
    price of the moment, and never beyond the plan's own. Raises Refused 503 NO_PRICE for what needs
    a live price and has none."""
    if plan.price is None:
        return OrderIntent(plan.side, OrderType.MARKET, quantity, None)
    limit = plan.price
    if plan.kind is not PlanKind.ICEBERG:
        market = OrderIntent(plan.side, OrderType.MARKET, quantity, None)
        protected = facts.judge(market, product).limit_price
        limit = min(limit, protected) if plan.side is Side.BUY else max(limit, protected)
    return OrderIntent(plan.side, OrderType.LIMIT, quantity, limit)
