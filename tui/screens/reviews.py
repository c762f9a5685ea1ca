"""What the user is shown before anything is sent: an order, or the end of one, in a summary."""

from decimal import Decimal

from tui.client.models import Order, Preview
from tui.screens.dialogs import ConfirmDialog
from tui.state import formats
from tui.state.ticket import OrderRequest


def order_review(
    request: OrderRequest, preview: Preview | None, ltp: Decimal | None, mode: str
) -> ConfirmDialog:
    """The summary of an order; without a preview what the broker would say is not known."""
    value = preview.value if preview else None
    charges = preview.total_charges if preview else None
    after = preview.available_after if preview else None
    waits = [("Trigger", formats.rupees(request.trigger_price))] if request.trigger_price else []
    kind = request.type.replace("_", " ")
    rows = [
        ("Order", f"{kind} · {request.validity} · {request.product}"),
        *waits,
        ("Price", "market" if request.price is None else formats.rupees(request.price)),
        ("Last price", formats.rupees(ltp)),
        ("Value", formats.rupees(value)),
        ("Charges", formats.rupees(charges)),
        ("Available after", formats.rupees(after)),
    ]
    warning = ""
    if preview is None:
        warning = "The broker has not priced this order yet."
    elif not preview.accepted:
        warning = "The broker would refuse this order."
    title = f"{request.side} {formats.quantity(request.quantity)} {request.symbol}"
    return ConfirmDialog(title, rows, f"send the {request.side.lower()}", mode, warning)


def cancel_review(order: Order, mode: str) -> ConfirmDialog:
    """The summary of what a cancel would end."""
    left = order.quantity - order.filled_quantity
    rows = [
        ("Order", f"#{order.order_id}"),
        ("Price", "market" if order.price is None else formats.rupees(order.price)),
        ("Filled", formats.quantity(order.filled_quantity)),
        ("Left to cancel", formats.quantity(left)),
    ]
    title = f"Cancel {order.side} {formats.quantity(left)} {order.symbol}"
    return ConfirmDialog(title, rows, "send the cancel", mode)
