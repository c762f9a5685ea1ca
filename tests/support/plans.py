"""Plans of a `Trader`, as the functions would open them, and their slices placed by number."""

import itertools
from dataclasses import replace
from datetime import timedelta

from functions.shared.bookkeeping import placing, planning
from functions.shared.bookkeeping.planning import NewPlan, PlanOf
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.plans import End, PlanKind, slice_key
from functions.shared.domain.slicing import equal_parts
from functions.shared.domain.waiting import Terms
from functions.shared.wire.plans import PlannedSlice
from tests.support.ledger import ACME, Trader, price

SLICES = 3
VOLUME = 5_000
"""Of the market, as a slice of a VWAP is noted."""
_MINUTES = timedelta(minutes=10)
_keys = itertools.count(1)


def open_iceberg(trader: Trader, quantity: int = 10, legs: int = SLICES) -> PlanOf:
    """At 100 rupees, its first leg placed."""
    parts = equal_parts(quantity, legs, 1)
    slices = tuple(PlannedSlice(due_at=None, planned=part) for part in parts)
    plan = _open(trader, PlanKind.ICEBERG, Side.BUY, Product.CNC, price(100), slices)
    if legs == SLICES:
        place_slice(trader, plan, 1, parts[0])
    return plan


def open_timed(
    trader: Trader, kind: PlanKind, side: Side, product: Product = Product.CNC
) -> PlanOf:
    """Eight shares in three slices, ten minutes each."""
    slices = tuple(
        PlannedSlice(
            due_at=(trader.now + _MINUTES * number).isoformat(),
            planned=part,
            expected=VOLUME if kind is PlanKind.VWAP else None,
        )
        for number, part in enumerate(equal_parts(8, SLICES, 1))
    )
    return _open(trader, kind, side, product, None, slices)


def _open(
    trader: Trader, kind: PlanKind, side: Side, product: Product, limit: int | None,
    slices: tuple[PlannedSlice, ...],
) -> PlanOf:  # fmt: skip
    key = f"plan-{next(_keys)}"
    wanted = NewPlan(
        client_id=key,
        kind=kind,
        symbol=ACME.symbol,
        side=side,
        product=product,
        quantity=sum(each.planned for each in slices),
        price=limit,
        participation=10 if kind is PlanKind.VWAP else None,
        curve="assumed" if kind is PlanKind.VWAP else None,
        trade_date=trader.today,
        starts_at=trader.now,
        ends_at=trader.now + _MINUTES * len(slices),
        slices=slices,
        asked=key.encode(),
    )
    outcome, number = planning.open_plan(
        trader.shards, trader.user_id, wanted, trader.today, trader.now
    )
    assert outcome == "OPENED"
    return PlanOf(trader.user_id, number)


def place_slice(trader: Trader, plan: PlanOf, number: int, quantity: int) -> int:
    """The number of the slice's order, placed and noted."""
    facts = planning.view(trader.shards, plan.user_id, plan.plan_id).facts
    wanted = trader.placement(
        facts.side, quantity, 100, slice_key(plan.plan_id, number), product=Product(facts.product)
    )
    terms = Terms(None, None, parent_order_id=plan.plan_id)
    placed = placing.place(trader.shards, replace(wanted, terms=terms))
    assert placed.outcome == "ACCEPTED", placed.rules
    assert placed.order is not None
    volume = VOLUME if facts.kind is PlanKind.VWAP else None
    assert planning.note(trader.shards, plan, number, volume, trader.today, trader.now)
    return placed.order.order_id


def request_end(trader: Trader, plan: PlanOf) -> None:
    planning.request_end(trader.shards, plan, trader.today, trader.now)


def end_plan(trader: Trader, plan: PlanOf, ending: End) -> None:
    assert planning.end(trader.shards, plan, ending, trader.today, trader.now)
