"""A plan and its slices as the ledger stores and clients see them. JSON.

Invariant: as of an order, what the books say is rendered for clients by one function; what is
filled and left is added up from the slices' orders whenever it is asked, and stored nowhere.
"""

import msgspec

from functions.shared.clock import format_time, from_micros
from functions.shared.domain.money import (
    divide_half_up,
    format_amount,
    format_decimal,
    format_price,
)
from functions.shared.domain.orders import Side, Status
from functions.shared.domain.plans import Plan, PlanKind, PlanState, Slice, SliceOrder, SliceState


class PlanFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A plan's row. `price` in ten-thousandths of a rupee, times in microseconds since 1970;
    `participation` in per cent; `curve`: which curve of volume it goes by, if any."""

    plan_id: int
    client_id: str
    kind: PlanKind
    symbol: str
    side: Side
    product: str
    quantity: int
    price: int | None
    participation: int | None
    curve: str | None
    trade_date: str
    starts_at: int
    ends_at: int
    state: PlanState
    reason_code: str | None
    reason: str | None
    created_at: int
    updated_at: int
    version: int


class SliceOrderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The order of a slice; `traded_value` in paise."""

    order_id: int
    status: Status
    quantity: int
    filled_quantity: int
    traded_value: int
    pending_change: str | None
    cancel_waits: bool
    reason_code: str | None
    reason: str | None


class SliceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A slice's row with its order; `noted` says whether the row names it; `expected`: what the
    market trades until the next slice, by the curve."""

    number: int
    due_at: int | None
    planned: int
    expected: int | None
    state: SliceState
    quantity: int | None
    market_volume: int | None
    noted: bool
    order: SliceOrderFacts | None


class PlannedSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice as it is asked for; `due_at` in RFC 3339, None where the slice before decides."""

    due_at: str | None
    planned: int
    expected: int | None = None


_plan_decoder = msgspec.json.Decoder(PlanFacts)
_slices_decoder = msgspec.json.Decoder(tuple[SliceFacts, ...])


def decode_plan(text: str | bytes) -> PlanFacts:
    return _plan_decoder.decode(text)


def decode_slices(text: str | bytes) -> tuple[SliceFacts, ...]:
    return _slices_decoder.decode(text)


def plan_of(facts: PlanFacts, slices: tuple[SliceFacts, ...]) -> Plan:
    """What the rules decide on."""
    return Plan(
        plan_id=facts.plan_id,
        kind=facts.kind,
        symbol=facts.symbol,
        side=facts.side,
        quantity=facts.quantity,
        price=facts.price,
        participation=facts.participation,
        starts_at=from_micros(facts.starts_at),
        ends_at=from_micros(facts.ends_at),
        state=facts.state,
        slices=tuple(_slice_of(each) for each in slices),
    )


def _slice_of(facts: SliceFacts) -> Slice:
    order = facts.order
    return Slice(
        number=facts.number,
        due_at=None if facts.due_at is None else from_micros(facts.due_at),
        planned=facts.planned,
        expected=facts.expected or 0,
        state=facts.state,
        order=None
        if order is None
        else SliceOrder(
            order.order_id,
            order.status,
            order.quantity,
            order.filled_quantity,
            order.pending_change == "CANCEL" or order.cancel_waits,
            order.reason_code,
            order.reason,
        ),
        noted=facts.noted,
        market_volume=facts.market_volume,
    )


def render_plan(plan: PlanFacts) -> dict[str, object]:
    """The plan without its slices, over HTTP and on the stream."""
    reason = None
    if plan.reason_code is not None:
        reason = {"code": plan.reason_code, "message": plan.reason or ""}
    return {
        "plan_id": str(plan.plan_id),
        "client_id": plan.client_id,
        "kind": plan.kind,
        "symbol": plan.symbol,
        "exchange": "NSE",
        "side": plan.side,
        "product": plan.product,
        "quantity": plan.quantity,
        "price": None if plan.price is None else format_price(plan.price),
        "participation_percent": plan.participation,
        "volume_curve": plan.curve,
        "trade_date": plan.trade_date,
        "starts_at": format_time(plan.starts_at),
        "ends_at": format_time(plan.ends_at),
        "state": plan.state,
        "reason": reason,
        "created_at": format_time(plan.created_at),
        "updated_at": format_time(plan.updated_at),
        "version": plan.version,
    }


def render_plan_in_full(plan: PlanFacts, slices: tuple[SliceFacts, ...]) -> dict[str, object]:
    """The plan with its slices and what they came to."""
    orders = [each.order for each in slices if each.order is not None]
    filled = sum(order.filled_quantity for order in orders)
    value = sum(order.traded_value for order in orders)
    average = format_decimal(divide_half_up(value * 100, filled), 4) if filled else None
    return {
        **render_plan(plan),
        "filled_quantity": filled,
        "remaining_quantity": plan.quantity - filled,
        "average_price": average,
        "traded_value": format_amount(value),
        "slices": [_render_slice(each) for each in slices],
    }


def _render_slice(each: SliceFacts) -> dict[str, object]:
    order = each.order
    state = each.state if order is None else SliceState.PLACED
    return {
        "number": each.number,
        "due_at": None if each.due_at is None else format_time(each.due_at),
        "planned_quantity": each.planned,
        "expected_volume": each.expected,
        "state": state,
        "quantity": None if order is None else order.quantity,
        "filled_quantity": 0 if order is None else order.filled_quantity,
        "order_id": None if order is None else str(order.order_id),
        "status": None if order is None else order.status,
    }
