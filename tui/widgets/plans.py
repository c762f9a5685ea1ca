"""Orders in slices: how far each is, what it paid, and what comes next."""

from collections.abc import Sequence
from datetime import datetime

from tui.client.models import Plan
from tui.state import formats
from tui.state.plans import coming, placed_slices, progress_bar
from tui.widgets.live_table import Cell, Column, LiveTable, Row

BAR_WIDTH = 12

COLUMNS = (
    Column("Plan", 7, is_numeric=False),
    Column("Symbol", 10, is_numeric=False),
    Column("Side", 4, is_numeric=False),
    Column("Done", BAR_WIDTH, is_numeric=False),
    Column("Filled/Qty", 11),
    Column("Slices", 7, rank=2),
    Column("Average", 10, rank=2),
    Column("Limit", 9, rank=3),
    Column("Next", 11, is_numeric=False),
    Column("State", 9, is_numeric=False, rank=1, widest=10),
)
STATES = {
    "ACTIVE": ("Active", "accent"),
    "CANCELLING": ("Cancelling", "warn"),
    "CANCELLED": ("Cancelled", "faint"),
    "COMPLETED": ("Completed", "up"),
    "EXPIRED": ("Expired", "warn"),
    "FAILED": ("Failed", "down"),
}
"""What each state reads as, and its tone."""


class Plans(LiveTable):
    """Plans; the line under the table says why the selected one ended, or what may be done."""

    BORDER_TITLE = "Plans"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "No plans. The ticket's ICEBERG, TWAP and VWAP make them")
        self._plans: dict[str, Plan] = {}

    def show_plans(self, plans: Sequence[Plan], now: datetime | None) -> None:
        """Show them as they are at `now`, in business time."""
        self._plans = {each.plan_id: each for each in plans}
        self.show([_row(each, now) for each in plans])
        at_work = sum(each.is_open for each in plans)
        self.border_title = f"Plans · {at_work} at work" if at_work else "Plans"
        self.explain()

    @property
    def selected(self) -> Plan | None:
        """The plan under the cursor."""
        return self._plans.get(self.cursor_key or "")

    def explain(self) -> None:
        """Put the selected plan's reason, or its window, under the table."""
        plan = self.selected
        self.border_subtitle = "" if plan is None else _explanation(plan)


def _explanation(plan: Plan) -> str:
    if plan.reason is not None and (plan.reason.message or plan.reason.code):
        return plan.reason.message or plan.reason.code
    window = "" if plan.kind == "ICEBERG" else f" · until {formats.clock(plan.ends_at)[:5]}"
    share = plan.participation_percent
    part = "" if share is None else f" · at most {share}% of the volume"
    return f"#{plan.plan_id}{window}{part}" + (" · c cancel" if plan.is_open else "")


def _row(plan: Plan, now: datetime | None) -> Row:
    plain = "plain" if plan.is_open or plan.state == "COMPLETED" else "faint"
    count = len(plan.slices or [])
    filled = f"{formats.quantity(plan.filled_quantity)}/{formats.quantity(plan.quantity)}"
    words, tone = STATES.get(plan.state, (plan.state.title(), "plain"))
    bar = progress_bar(plan.filled_quantity, plan.quantity, BAR_WIDTH)
    return Row(
        plan.plan_id,
        (
            Cell(plan.kind, plain),
            Cell(plan.symbol, plain),
            Cell(plan.side, "up" if plan.side == "BUY" else "down"),
            Cell(bar, "accent" if plan.is_open else "faint"),
            Cell(filled, plain),
            Cell(f"{placed_slices(plan)}/{count}" if count else formats.NOTHING, "faint"),
            Cell(formats.amount(plan.average_price), plain),
            Cell("market" if plan.price is None else formats.amount(plan.price), "faint"),
            Cell(coming(plan, now), plain),
            Cell(words, tone),
        ),
    )
