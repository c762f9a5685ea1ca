"""The order blotter: every order of the account, the working ones on top, moving by themselves.

Exits are drawn as a ladder: under the entry that they leave, or as a pair of what is held.
"""

from datetime import date

from tui.client.models import Order
from tui.state import blotter, formats
from tui.state.account import Account
from tui.state.blotter import Rung
from tui.widgets.live_table import Cell, Column, LiveTable, Row

COLUMNS = (
    Column("Time", 8, is_numeric=False, widest=12),
    Column("Symbol", 10, is_numeric=False, widest=12),
    Column("Side", 4, is_numeric=False),
    Column("Type", 6, is_numeric=False, rank=3, widest=10),
    Column("Filled/Qty", 11),
    Column("Price", 10),
    Column("Average", 10, rank=2),
    Column("Status", 10, is_numeric=False),
    Column("Reason", 26, is_numeric=False, rank=4, widest=60),
)
STATUS = {
    "PENDING": ("Pending", "warn"),
    "TRIGGER_PENDING": ("Trigger", "warn"),
    "OPEN": ("Open", "accent"),
    "PARTIALLY_FILLED": ("Partial", "accent"),
    "FILLED": ("Filled", "up"),
    "CANCELLED": ("Cancelled", "faint"),
    "EXPIRED": ("Expired", "faint"),
    "REJECTED": ("Rejected", "down"),
    "DENIED": ("Denied", "down"),
}
"""What each status reads as, and its tone."""

_CHANGES = {"MODIFY": "Modifying", "CANCEL": "Cancelling"}


class Blotter(LiveTable):
    """Orders; the line under the table says why the selected one stands where it does."""

    BORDER_TITLE = "Orders"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "No orders yet. Press b to buy, s to sell", follows_top=True)
        self._today: date | None = None
        self._to_come: dict[str, Rung] = {}

    def show_today(self, known: Account, today: date) -> None:
        """Show orders of other days than `today`, the trade date, with their date."""
        if today != self._today:
            self._today = today
            self.show_orders(known)

    def show_orders(self, known: Account) -> None:
        """Show the account's orders and explain the selected one."""
        rungs = blotter.blotter(known)
        self._to_come = {rung.key: rung for rung in rungs if rung.order is None}
        self.show([_row(rung, self._today) for rung in rungs])
        working = known.working_orders
        self.border_title = f"Orders · {working} working" if working else "Orders"
        self.explain(known)

    def focus_working(self, known: Account) -> None:
        """Take the focus, with the cursor on a working order when there is one."""
        selected = known.orders.get(self.cursor_key or "")
        if known.working_orders and (selected is None or not selected.is_working):
            working = (key for key in self.row_keys if key in known.orders)
            self.cursor_key = next(key for key in working if known.orders[key].is_working)
        self.focus()

    def explain(self, known: Account) -> None:
        """Put the selected order's reason, or what may be done with it, under the table."""
        key = self.cursor_key or ""
        order = known.orders.get(key)
        self.border_subtitle = "" if order is None else _explanation(order, self._today)
        if key in self._to_come and (entry := self._to_come[key].entry) is not None:
            self.border_subtitle = f"Comes to life as #{entry.order_id} fills, for as much"


def status_cell(order: Order) -> Cell:
    """The status as it reads, or the change that is under way."""
    if order.pending_change and order.is_working:
        return Cell(_CHANGES.get(order.pending_change, order.pending_change.title()), "warn")
    return Cell(*STATUS.get(order.status, (order.status.title(), "plain")))


def kind_cell(order: Order) -> Cell:
    """The order's type; of an exit, which of the two it is."""
    if order.leg:
        return Cell(order.leg, "faint")
    if order.trail is not None:
        return Cell("TRAILING", "faint", "TRAIL")
    kind = order.validity if order.validity == "GTT" else order.type
    return Cell(kind.replace("_", " "), "faint", kind[:6].replace("_", " "))


def _row(rung: Rung, today: date | None) -> Row:
    order = rung.order
    if order is None:
        return _row_to_come(rung)
    is_over = not order.is_working
    plain = "faint" if is_over and order.status != "FILLED" else "plain"
    filled = f"{formats.quantity(order.filled_quantity)}/{formats.quantity(order.quantity)}"
    return Row(
        rung.key,
        (
            _time_cell(order, today),
            Cell(_name(rung, order), plain),
            Cell(order.side, "up" if order.side == "BUY" else "down"),
            kind_cell(order),
            Cell(filled, plain),
            Cell(_price(order), plain),
            Cell(formats.amount(order.average_price), plain),
            status_cell(order),
            _reason_cell(order),
        ),
    )


def _name(rung: Rung, order: Order) -> str:
    """The symbol; under an entry, which names it already, which exit it is."""
    name = rung.leg.capitalize() if rung.entry is not None else order.symbol
    return f"{rung.branch} {name}" if rung.branch else order.symbol


def _row_to_come(rung: Rung) -> Row:
    """An exit that has no order yet."""
    name, price = f"{rung.branch} {rung.leg.capitalize()}", formats.amount(rung.price)
    texts = ("", name, "", rung.leg, "", price)
    return Row(
        rung.key,
        (*(Cell(text, "faint") for text in texts), Cell(""), Cell("On fill", "faint"), Cell("")),
    )


def _price(order: Order) -> str:
    """What the order trades at; of an exit that waits, what it waits for."""
    if order.leg and order.is_waiting:
        return formats.amount(order.trigger_price)
    return "market" if order.price is None else formats.amount(order.price)


def _time_cell(order: Order, today: date | None) -> Cell:
    """When the order was placed; where there is no room for both, the date of another day."""
    at = order.created_at
    if at is None or formats.is_of(at, today):
        return Cell(formats.clock(at), "faint")
    return Cell(formats.minute(at), "faint", formats.day(at))


def _reason_cell(order: Order) -> Cell:
    """Why the order ended: the broker's words, or the name of the reason where they are too long;
    the line under the table has them in full."""
    if order.reason is None:
        return Cell("")
    name = order.reason.code.replace("_", " ").capitalize()
    return Cell(order.reason.message or name, "faint", name)


def what_can_be_done(order: Order) -> str:
    """The keys that a working order takes. A GTT is not changed, but cancelled and placed anew."""
    return "c cancel" if order.validity == "GTT" and order.is_waiting else "m modify · c cancel"


def _explanation(order: Order, today: date | None) -> str:
    if order.reason is not None and (order.reason.message or order.reason.code):
        return order.reason.message or order.reason.code
    if order.is_waiting:
        trigger = formats.amount(order.trigger_price)
        return f"#{order.order_id} · waits for {trigger} · {what_can_be_done(order)}"
    if order.is_working:
        return f"#{order.order_id} · {what_can_be_done(order)}"
    at = order.created_at
    when = (
        f" · {formats.day(at)} {formats.clock(at)}" if at and not formats.is_of(at, today) else ""
    )
    return f"#{order.order_id}{when}"
