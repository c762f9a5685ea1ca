"""The tables of orders, and what a key does with the row under the cursor.

Invariant: nothing is sent before its summary has been accepted; what is sent is the desk's to do.
"""

from collections.abc import Coroutine, Iterable
from datetime import date, datetime
from typing import Any

from textual.screen import Screen

from tui.client.models import Order, Plan
from tui.desk import Desk
from tui.messages import HistoryTold, WhyTold
from tui.screens.detail import OrderDialog, PlanDialog
from tui.screens.dialogs import ModifyDialog
from tui.screens.reviews import cancel_review, plan_cancel_review
from tui.screens.why import WhyDialog
from tui.state.account import Account
from tui.state.plans import plans_shown
from tui.state.quotes import Board
from tui.state.ticket import Change
from tui.state.waiting import waiting_orders
from tui.widgets.blotter import Blotter
from tui.widgets.books import Books
from tui.widgets.live_table import LiveTable
from tui.widgets.plans import Plans
from tui.widgets.waiting import Waiting

DESK = "-desk"
"""The class of a screen that shows the order desk instead of the market."""


class OrderDesk:
    """Blotter, waiting orders and plans of one screen."""

    def __init__(self, screen: Screen[None], desk: Desk, mode: str) -> None:
        self._screen = screen
        self._desk = desk
        self._mode = mode

    # Showing

    def show_account(self, account: Account) -> None:
        """Show the orders and the plans as they now stand."""
        self._screen.query_one(Blotter).show_orders(account)

    def show_prices(
        self, account: Account, board: Board, is_live: bool, today: date | None,
        now: datetime | None,
    ) -> None:  # fmt: skip
        """Show what waits at the prices of `board`, and plans at business time."""
        waiting = waiting_orders(account, board)
        self._screen.query_one(Waiting).show_waiting(waiting, is_live, board.stale, today)
        self._screen.query_one(Plans).show_plans(plans_shown(account), now)

    def explain(self, account: Account) -> None:
        """Say under each table what its selected row is."""
        self._screen.query_one(Blotter).explain(account)
        self._screen.query_one(Waiting).explain()
        self._screen.query_one(Plans).explain()

    def show_plan(self, plan: Plan) -> None:
        """Keep an open dialog of the plan up to date."""
        dialog = self._screen.app.screen
        if isinstance(dialog, PlanDialog) and dialog.plan_id == plan.plan_id:
            dialog.show_plan(plan)

    def show_history(self, told: HistoryTold) -> None:
        """Put an order's life into its dialog, if that is still open."""
        dialog = self._screen.app.screen
        if isinstance(dialog, OrderDialog) and dialog.order_id == told.order_id:
            dialog.show_history(told.detail, told.trouble)

    def show_why(self, told: WhyTold) -> None:
        """Put an order's chain into its dialog, if that is still open."""
        dialog = self._screen.app.screen
        if isinstance(dialog, WhyDialog) and dialog.order_id == told.order_id:
            dialog.show_chain(told.chain, told.trouble)

    # Going there

    def open_market(self) -> None:
        """Put prices, ticket and books back in their place."""
        self._screen.remove_class(DESK)

    def open_desk(self, table: type[LiveTable], account: Account) -> None:
        """Show the order desk with the focus on one of its tables."""
        self._screen.query_one(Books).close()
        self._screen.add_class(DESK)
        if table is Blotter:
            self._screen.query_one(Blotter).focus_working(account)
        else:
            self._screen.query_one(table).focus()

    def go_to(self, order_id: str) -> None:
        """Put the cursor of the blotter on an order."""
        self._screen.query_one(Books).close()
        blotter = self._screen.query_one(Blotter)
        if order_id in blotter.row_keys:
            blotter.cursor_key = order_id
        blotter.focus()

    # The row under the cursor

    def selected(self, account: Account) -> Order | Plan | None:
        """The order or plan under the cursor of the table in focus, else of the blotter."""
        focused = self._screen.focused
        if isinstance(focused, Plans):
            return focused.selected
        table = focused if isinstance(focused, Waiting) else self._screen.query_one(Blotter)
        return account.orders.get(table.cursor_key or "")

    def modify(self, account: Account) -> None:
        order = self.selected(account)
        if isinstance(order, Plan):
            self._screen.notify("A plan can't be changed: cancel it and write another")
            return
        if order is None:
            self._select_first()
            return
        if not order.is_working:
            self._screen.notify(f"{_as_it_is(order)}: there is nothing left to change")
            return
        target = order

        def send(change: Change | None) -> None:
            if change is not None:
                self._run(self._desk.modify(target, change), "orders")

        self._screen.app.push_screen(ModifyDialog(order, self._mode), send)

    def cancel(self, account: Account) -> None:
        selected = self.selected(account)
        if isinstance(selected, Plan) and selected.is_open:
            review, call = plan_cancel_review(selected, self._mode), self._desk.cancel_plan
            self._screen.app.push_screen(
                review, lambda yes: self._run(call(selected), "orders") if yes else None
            )
        elif isinstance(selected, Order) and selected.is_working:
            order = selected
            self._screen.app.push_screen(
                cancel_review(order, self._mode),
                lambda yes: self._run(self._desk.cancel(order), "orders") if yes else None,
            )
        elif selected is not None:
            self._screen.notify(f"{_as_it_is(selected)}: there is nothing left to cancel")
        else:
            self._select_first()

    def inspect(self, account: Account) -> None:
        """Show the life of an order, or the slices of a plan."""
        selected = self.selected(account)
        if isinstance(selected, Plan):
            self._screen.app.push_screen(PlanDialog(selected))
            self._desk.note_plans([selected.plan_id])
            self._run(self._desk.read_plans(), "plans")
        elif selected is not None:
            self._screen.app.push_screen(OrderDialog(selected))
            self._run(self._desk.tell_history(selected.order_id), "history")

    def explain_order(self, account: Account) -> None:
        """Show why the selected order stands where it does."""
        selected = self.selected(account)
        if isinstance(selected, Order):
            self._screen.app.push_screen(WhyDialog(selected))
            self._run(self._desk.tell_why(selected.order_id), "why")
        else:
            self._select_first()

    def read_plans(self, account: Account, events: Iterable[object]) -> None:
        """Have plans read anew that these events are about."""
        plans: set[str] = set()
        for event in events:
            if isinstance(event, Plan):
                plans.add(event.plan_id)
            elif isinstance(event, Order) and (parent := event.parent_order_id) in account.plans:
                plans.add(parent or "")
        if plans:
            self._desk.note_plans(plans)
            self._run(self._desk.read_plans(), "plans")

    def _select_first(self) -> None:
        self._screen.notify("Select a working order first: press o, then the arrows")

    def _run(self, work: Coroutine[Any, Any, None], group: str) -> None:
        self._screen.run_worker(work, group=group)


def _as_it_is(ended: Order | Plan) -> str:
    """What became of it, as the beginning of a sentence."""
    what, state = ("plan", ended.state) if isinstance(ended, Plan) else ("order", ended.status)
    return f"The {what} is {state.lower().replace('_', ' ')}"
