"""One order with its whole life, or one plan with its slices, over the trading screen."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from tui.actions import DIALOG, bindings
from tui.client.models import HistoryStep, Order, OrderDetail, Plan, Slice
from tui.state import formats
from tui.state.histories import cause_words, slice_words, step_words
from tui.widgets.blotter import status_cell
from tui.widgets.live_table import Cell, Column, LiveTable, Row
from tui.widgets.plans import STATES

STEPS = (
    Column("Time", 8, is_numeric=False, widest=15),
    Column("Event", 14, is_numeric=False, widest=24),
    Column("Status", 9, is_numeric=False, widest=16),
    Column("Because", 20, is_numeric=False, widest=70),
)
SLICES = (
    Column("#", 3),
    Column("Due", 11, is_numeric=False),
    Column("Planned", 8),
    Column("Placed", 8),
    Column("Filled", 8),
    Column("Stands", 16, is_numeric=False),
)


class Detail(ModalScreen[None]):
    """A summary above a table."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DIALOG)

    def __init__(
        self, title: str, rows: list[tuple[str, str]], columns: tuple[Column, ...], empty: str
    ) -> None:
        super().__init__()
        self._title = title
        self._rows = rows
        self._columns = columns
        self._empty = empty

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -detail") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = "Esc back"
            for name, figure in self._rows:
                with Horizontal(classes="summary"):
                    yield Label(name)
                    yield Static(figure, markup=False, classes="figure")
            yield LiveTable(self._columns, self._empty)
            yield Static(id="detail-remark", markup=False)

    def on_mount(self) -> None:
        self.query_one(LiveTable).focus()

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)


class OrderDialog(Detail):
    """Waits for the order's history, which `show_history` brings."""

    def __init__(self, order: Order) -> None:
        side = f"{order.side} {formats.quantity(order.quantity)} {order.symbol}"
        super().__init__(f"{side} · #{order.order_id}", order_rows(order), STEPS, "Asking…")
        self.order_id = order.order_id

    def show_history(self, detail: OrderDetail | None, trouble: str) -> None:
        """Show the order's life, or why it can't be had."""
        if detail is None:
            self.query_one("#detail-remark", Static).update(trouble)
            return
        self.query_one(LiveTable).show([_step_row(step) for step in detail.history])
        others = ", ".join(f"#{each.order_id} {_leg(each)}" for each in detail.linked)
        self.query_one("#detail-remark", Static).update(f"Linked: {others}" if others else "")


class PlanDialog(Detail):
    """A plan's slices, kept as the plan moves."""

    def __init__(self, plan: Plan) -> None:
        what = f"{plan.kind} {plan.side} {formats.quantity(plan.quantity)} {plan.symbol}"
        super().__init__(what, _plan_rows(plan), SLICES, "Asking…")
        self._plan = plan
        self.plan_id = plan.plan_id

    def on_mount(self) -> None:
        super().on_mount()
        self.show_plan(self._plan)

    def show_plan(self, plan: Plan) -> None:
        """Show the plan as it now stands."""
        figures = self.query(".figure").results(Static)
        for line, (_, figure) in zip(figures, _plan_rows(plan), strict=True):
            line.update(figure)
        self.query_one(LiveTable).show([_slice_row(each) for each in plan.slices or []])
        reason = plan.reason.message or plan.reason.code if plan.reason else ""
        self.query_one("#detail-remark", Static).update(reason)


def order_rows(order: Order) -> list[tuple[str, str]]:
    """What an order is and where it stands, name by name."""
    kind = order.type.replace("_", " ")
    price = "market" if order.price is None else formats.rupees(order.price)
    filled = f"{formats.quantity(order.filled_quantity)} of {formats.quantity(order.quantity)}"
    average = "" if order.average_price is None else f" at {formats.amount(order.average_price)}"
    rows = [
        ("Order", f"{kind} · {order.validity} · {order.product}"),
        ("Price", price),
        ("Filled", filled + average),
        ("Status", status_cell(order).text),
    ]
    if order.trigger_price is not None:
        rows.insert(1, ("Trigger", formats.rupees(order.trigger_price)))
    if order.exits is not None:
        stop, target = order.exits.stop.trigger_price, order.exits.target.price
        rows.insert(2, ("Exits", f"stop {formats.amount(stop)} · target {formats.amount(target)}"))
    if order.reason is not None:
        rows.append(("Reason", order.reason.message or order.reason.code))
    return rows


def _plan_rows(plan: Plan) -> list[tuple[str, str]]:
    filled = f"{formats.quantity(plan.filled_quantity)} of {formats.quantity(plan.quantity)}"
    window = f"{formats.clock(plan.starts_at)} to {formats.clock(plan.ends_at)}"
    return [
        ("State", STATES.get(plan.state, (plan.state.title(), ""))[0]),
        ("Filled", filled),
        ("Average", formats.amount(plan.average_price, 4)),
        ("Window", "until all is filled" if plan.kind == "ICEBERG" else window),
    ]


def _leg(order: Order) -> str:
    return f"{(order.leg or order.type).lower()} {status_cell(order).text.lower()}"


def _step_row(step: HistoryStep) -> Row:
    status = (step.status or "").replace("_", " ").capitalize()
    return Row(
        str(step.seq),
        (
            Cell(f"{formats.day(step.time)} {formats.clock(step.time)}", "faint",
                 formats.clock(step.time)),
            Cell(step_words(step)),
            Cell(status, "faint"),
            Cell(cause_words(step), "faint"),
        ),
    )  # fmt: skip


def _slice_row(each: Slice) -> Row:
    due = f"after leg {each.number - 1}" if each.number > 1 else "at once"
    return Row(
        str(each.number),
        (
            Cell(str(each.number), "faint"),
            Cell(due if each.due_at is None else formats.clock(each.due_at), "faint"),
            Cell(formats.quantity(each.planned_quantity)),
            Cell(formats.quantity(each.quantity)),
            Cell(formats.quantity(each.filled_quantity)),
            Cell(slice_words(each), "up" if each.status == "FILLED" else "plain"),
        ),
    )
