"""The orders that wait with the broker, and how far the price is from each."""

from collections.abc import Sequence, Set
from datetime import date

from tui.client.models import Order
from tui.state import formats
from tui.state.waiting import WaitingOrder
from tui.widgets.blotter import kind_cell, what_can_be_done
from tui.widgets.live_table import Cell, Column, LiveTable, Row

NEAR_PERCENT = 1
"""Closer than this to its trigger, an order's distance is in sight."""

COLUMNS = (
    Column("Symbol", 10, is_numeric=False),
    Column("Side", 4, is_numeric=False),
    Column("Qty", 5),
    Column("Type", 8, is_numeric=False, rank=2, widest=10),
    Column("Waits for", 9),
    Column("LTP", 9),
    Column("Away", 8, rank=3),
    Column("Away%", 7),
    Column("Price", 10, rank=3),
    Column("Until", 9, is_numeric=False, rank=1),
)


class Waiting(LiveTable):
    """Waiting orders; the line under the table says how the selected one is linked."""

    BORDER_TITLE = "Waiting"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "Nothing waits for a price. STOP, OCO and GTT orders do")
        self._orders: dict[str, Order] = {}

    def show_waiting(
        self, waiting: Sequence[WaitingOrder], is_live: bool, stale: Set[str], today: date | None
    ) -> None:
        """Show them; what follows a stale price, or any without a live connection, is greyed."""
        self._orders = {each.order.order_id: each.order for each in waiting}
        self.show(
            [_row(each, is_live and each.order.symbol not in stale, today) for each in waiting]
        )
        self.border_title = f"Waiting · {len(waiting)}" if waiting else "Waiting"
        self.explain()

    def explain(self) -> None:
        """Put under the table what the selected order is part of."""
        order = self._orders.get(self.cursor_key or "")
        self.border_subtitle = "" if order is None else _explanation(order)


def _explanation(order: Order) -> str:
    parts = [f"#{order.order_id}"]
    if order.parent_order_id:
        parts.append(f"exit of #{order.parent_order_id}")
    elif order.group_id:
        parts.append("one of two: cancels both")
    if order.trail is not None:
        parts.append(f"trails by {formats.amount(order.trail)}")
    return " · ".join([*parts, what_can_be_done(order)])


def _row(waiting: WaitingOrder, is_live: bool, today: date | None) -> Row:
    order = waiting.order
    plain = "plain" if is_live else "faint"
    away = waiting.distance_percent
    is_near = away is not None and abs(away) < NEAR_PERCENT
    if order.releases_at is not None:
        waits_for = Cell(formats.clock(order.releases_at)[:5])
    else:
        waits_for = Cell(formats.amount(order.trigger_price))
    return Row(
        order.order_id,
        (
            Cell(order.symbol),
            Cell(order.side, "up" if order.side == "BUY" else "down"),
            Cell(formats.quantity(order.quantity)),
            kind_cell(order),
            waits_for,
            Cell(formats.amount(waiting.ltp), plain),
            Cell(formats.signed(waiting.distance), plain),
            Cell(formats.percent(away), "warn" if is_near and is_live else plain),
            Cell("market" if order.price is None else formats.amount(order.price), "faint"),
            _until_cell(order, today),
        ),
    )


def _until_cell(order: Order, today: date | None) -> Cell:
    """When it ends: the time of today, else the day."""
    if order.expires_at is None:
        return Cell(formats.NOTHING, "faint")
    if formats.is_of(order.expires_at, today):
        return Cell(formats.clock(order.expires_at)[:5], "faint")
    if today is not None and order.expires_at.astimezone(formats.IST).year != today.year:
        return Cell(f"{formats.day(order.expires_at)} {order.expires_at:%y}", "faint")
    return Cell(formats.day(order.expires_at), "faint")
