"""The session's alerts over the trading screen, newest first, the selected one in full."""

from datetime import date
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import DIALOG, bindings
from tui.state import formats
from tui.state.alerts import Alerts, News
from tui.widgets.live_table import Cell, Column, LiveTable, Row

COLUMNS = (
    Column("Time", 8, is_numeric=False, widest=15),
    Column("What", 18, is_numeric=False, widest=20),
    Column("Symbol", 10, is_numeric=False),
    Column("Message", 20, is_numeric=False, widest=90),
)
NONE_YET = "No alerts in this session. The broker keeps no list of earlier ones"


class AlertsDialog(ModalScreen[str | None]):
    """Returns the number of the order to go to, when there is one and Enter was pressed."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DIALOG)

    def __init__(self, alerts: Alerts, today: date | None) -> None:
        super().__init__()
        self._items = {news.key: news for news in alerts.items}
        self._today = today

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -alerts") as dialog:
            dialog.border_title = "Alerts of this session"
            dialog.border_subtitle = "Enter go to the order · Esc back"
            yield LiveTable(COLUMNS, NONE_YET)
            yield Static(id="alert-message", markup=False)

    def on_mount(self) -> None:
        table = self.query_one(LiveTable)
        table.show([_row(news, self._today) for news in self._items.values()])
        table.focus()

    @on(LiveTable.Moved)
    def _explain(self, message: LiveTable.Moved) -> None:
        news = self._items.get(message.key or "")
        self.query_one("#alert-message", Static).update(news.message if news else "")

    @on(LiveTable.Chosen)
    def _go(self, message: LiveTable.Chosen) -> None:
        self.dismiss(self._items[message.key].order_id)

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)


def _row(news: News, today: date | None) -> Row:
    clock = formats.clock(news.at)
    is_old = news.at is not None and not formats.is_of(news.at, today)
    time = f"{formats.day(news.at)} {clock}" if is_old and news.at is not None else clock
    return Row(
        news.key,
        (
            Cell(time, "faint", clock),
            Cell(news.code.replace("_", " ").capitalize(), "warn" if news.is_bad else "plain"),
            Cell(news.symbol),
            Cell(news.message, "faint"),
        ),
    )
