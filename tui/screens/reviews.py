"""What the user is shown before anything is sent: an order, or the end of one, in a summary."""

from decimal import Decimal

from tui.client.models import Order, Plan, Preview
from tui.screens.dialogs import ConfirmDialog
from tui.state import formats
from tui.state.requests import OrderRequest, PlanRequest, Request
from tui.state.ticket import in_words

Rows = list[tuple[str, str]]


def order_review(
    request: Request, preview: Preview | None, ltp: Decimal | None, mode: str
) -> ConfirmDialog:
    """The summary of an order or a plan; without a preview what the broker would say is not
    known. What it would refuse can't be sent."""
    value = preview.value if preview else None
    charges = preview.total_charges if preview else None
    after = preview.available_after if preview else None
    is_plan = isinstance(request, PlanRequest)
    head = _of_plan(request) if isinstance(request, PlanRequest) else _of_order(request)
    rows = [
        *head,
        ("Last price", formats.rupees(ltp)),
        ("A slice's value" if is_plan else "Value", formats.rupees(value)),
        ("Its charges" if is_plan else "Charges", formats.rupees(charges)),
        ("Available after", formats.rupees(after)),
    ]
    warning = ""
    verb = "open the plan" if is_plan else f"send the {request.side.lower()}"
    if preview is None:
        warning = "The broker has not priced this order yet."
    elif not preview.accepted:
        warning, verb = f"The broker would refuse this order. {in_words(preview.rules)}", ""
    title = f"{request.side} {formats.quantity(request.quantity)} {request.symbol}"
    return ConfirmDialog(title, rows, verb, mode, warning)


def _of_order(request: OrderRequest) -> Rows:
    kind = request.type.replace("_", " ")
    if request.stop_price is not None:
        kind = f"BRACKET, {kind}"
    elif request.target_price is not None:
        kind = "OCO"
    rows = [("Order", f"{kind} · {request.validity} · {request.product}")]
    if request.trigger_price is not None:
        is_pair = request.target_price is not None
        rows.append(("Stop at" if is_pair else "Trigger", formats.rupees(request.trigger_price)))
    rows.append(("Price", _price(request.price)))
    if request.stop_price is not None:
        rows.append(("Then a stop at", formats.rupees(request.stop_price)))
    if request.target_price is not None:
        rows.append(("Or a target at", formats.rupees(request.target_price)))
    return rows


def _of_plan(request: PlanRequest) -> Rows:
    about = "" if request.kind == "VWAP" else f", of {_each(request)}"
    rows = [
        ("Plan", f"{request.kind} · {request.product}"),
        ("Slices", f"{request.slices}{about}"),
        ("Price", _price(request.price)),
    ]
    if request.minutes is not None:
        every = f"{request.minutes} min, every {request.interval_minutes}"
        rows.insert(2, ("Over", every))
    if request.participation_percent is not None:
        rows.insert(3, ("At most", f"{request.participation_percent}% of the volume"))
    return rows


def _each(request: PlanRequest) -> str:
    most = "at most " if request.quantity % request.slices else ""
    unit = "share" if request.each == 1 else "shares"
    return f"{most}{formats.quantity(request.each)} {unit} each"


def _price(price: Decimal | None) -> str:
    return "market" if price is None else formats.rupees(price)


def cancel_review(order: Order, mode: str) -> ConfirmDialog:
    """The summary of what a cancel would end."""
    left = order.quantity - order.filled_quantity
    rows = [
        ("Order", f"#{order.order_id}"),
        ("Price", _price(order.price)),
        ("Filled", formats.quantity(order.filled_quantity)),
        ("Left to cancel", formats.quantity(left)),
    ]
    warning = "The other exit of its pair is cancelled with it." if order.group_id else ""
    title = f"Cancel {order.side} {formats.quantity(left)} {order.symbol}"
    return ConfirmDialog(title, rows, "send the cancel", mode, warning)


def plan_cancel_review(plan: Plan, mode: str) -> ConfirmDialog:
    """The summary of what the end of a plan would leave undone."""
    left = plan.quantity - plan.filled_quantity
    rows = [
        ("Plan", f"#{plan.plan_id}"),
        ("Filled", formats.quantity(plan.filled_quantity)),
        ("Left to trade", formats.quantity(left)),
    ]
    warning = "Nothing more is placed, and the slice that works is cancelled."
    title = f"End the {plan.kind} {plan.side} {plan.symbol}"
    return ConfirmDialog(title, rows, "end the plan", mode, warning)
