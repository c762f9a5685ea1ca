"""Search as you type over the whole screen; while nothing is typed, the day's movers.

Invariant: letters in the field are text, in the table they are keys; what is found for an older
text is never shown under a newer one.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from outcry_client.errors import SignedOutError
from tui.actions import SEARCH, bindings
from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.models import Quote
from tui.client.prices import SearchHit
from tui.messages import SessionEnded
from tui.state import formats
from tui.state.quotes import Board
from tui.state.search import Line, Movers, Pick, Purpose, of_hits, of_movers
from tui.widgets.live_table import Cell, Column, LiveTable, Row, tone

PAUSE_S = 0.3
"""The broker is asked once typing has paused this long."""
LOOKS_PER_S = 4
TABLE_KEYS = frozenset(key for action in SEARCH for key in action.keys.split(","))
COLUMNS = (
    Column("Symbol", 12, is_numeric=False, widest=20),
    Column("Name", 20, is_numeric=False, rank=1, widest=48),
    Column("Sector", 16, is_numeric=False, rank=2, widest=26),
    Column("LTP", 11),
    Column("Change%", 8),
)
DEGRADED = "The search engine is away: symbols that begin so, names are not searched"


class SearchScreen(ModalScreen[Pick | None]):
    """Returns the symbol and what it was picked for; what is added is told to `add` at once, and
    the screen stays."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(SEARCH)

    def __init__(
        self,
        broker: Broker,
        board: Callable[[], Board],
        watch: Callable[[Iterable[str]], None],
        add: Callable[[str], str],
    ) -> None:
        """`board` gives the prices of now, `watch` has prices sent for these symbols while the
        screen is open, `add` puts one on the watchlist and says what came of it."""
        super().__init__()
        self._broker = broker
        self._board = board
        self._watch = watch
        self._add = add
        self._hits: list[SearchHit] = []
        self._movers: list[Quote] = []
        self._by = Movers.GAINERS
        self._is_searching = False
        self._takes_first = False

    def compose(self) -> ComposeResult:
        with Vertical(id="search"):
            yield Input(placeholder="Symbol, company or ISIN", id="search-text", compact=True)
            yield LiveTable(COLUMNS, "")
            yield Static(id="search-remark", classes="-none", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.set_interval(1 / LOOKS_PER_S, self._show)
        self._read_movers()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the field letters are text; only what ends it or goes to the table is offered."""
        if action in ("dismiss_screen", "add"):
            return True
        if action == "to_table":
            return self._is_typing
        return not self._is_typing and (action != "movers" or not self._text)

    def on_key(self, event: Key) -> None:
        """A letter that no key of the table takes begins the next text."""
        field = self.query_one("#search-text", Input)
        is_text = event.is_printable and event.key not in TABLE_KEYS
        if is_text and not self._is_typing:
            field.focus()
            field.insert_text_at_cursor(event.character or "")
            event.stop()
        elif event.key == "up" and self._table.has_focus and self._table.is_at_top:
            field.focus()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._is_searching, self._takes_first = bool(self._text), False
        self._search(self._text)

    @work(exclusive=True, group="search")
    async def _search(self, text: str) -> None:
        """Ask once typing pauses; a newer text replaces this one."""
        if not text:
            self._take([], "")
            return
        await asyncio.sleep(PAUSE_S)
        try:
            found = await self._broker.search(text)
        except SignedOutError as ended:
            self.post_message(SessionEnded(str(ended)))
        except (RefusedError, UnreachableError) as error:
            self._take([], str(error))
        else:
            nothing = f"Nothing is called {text}"
            self._take(found.items, DEGRADED if found.degraded else "" if found.items else nothing)

    @work(exclusive=True, group="movers")
    async def _read_movers(self) -> None:
        try:
            self._movers = await self._broker.movers(self._by.name)
        except SignedOutError as ended:
            self.post_message(SessionEnded(str(ended)))
            return
        except (RefusedError, UnreachableError) as error:
            self._movers = []
            self._remark(str(error))
        self._look_at()

    def _take(self, hits: list[SearchHit], remark: str) -> None:
        self._hits, self._is_searching = hits, False
        self._remark(remark)
        if hits and self._takes_first:
            self.dismiss(Pick(hits[0].symbol, Purpose.OPEN))
            return
        self._look_at()
        if hits:
            self._table.cursor_key = hits[0].symbol

    def _look_at(self) -> None:
        """Have the prices of what is shown sent, and show it."""
        shown = [each.symbol for each in (self._hits if self._text else self._movers)]
        self._watch(shown)
        self._show()
        self.refresh_bindings()

    def _show(self) -> None:
        board, table = self._board(), self._table
        if self._text:
            lines, title = of_hits(self._hits, board), "Found"
        else:
            lines = of_movers(self._movers, board)
            names = (f"[{m.value}]" if m is self._by else f" {m.value} " for m in Movers)
            title = "Movers of the day" + "".join(names)
        table.border_title = title.replace("[", r"\[")
        table.show([_row(line) for line in lines])

    def _remark(self, text: str) -> None:
        remark = self.query_one("#search-remark", Static)
        remark.update(text)
        remark.set_class(not text, "-none")

    @on(Input.Submitted)
    def _take_selected(self) -> None:
        """Enter opens what is marked; before the answer is there, the answer's first."""
        if self._is_searching:
            self._takes_first = True
        elif self._text:
            self._pick(Purpose.OPEN)

    @on(LiveTable.Chosen)
    def _chosen(self) -> None:
        self._pick(Purpose.OPEN)

    def _pick(self, purpose: Purpose) -> None:
        if self._table.cursor_key is not None:
            self.dismiss(Pick(self._table.cursor_key, purpose))

    def action_to_table(self) -> None:
        self._table.focus()

    def action_buy(self) -> None:
        self._pick(Purpose.BUY)

    def action_sell(self) -> None:
        self._pick(Purpose.SELL)

    def action_add(self) -> None:
        if self._table.cursor_key is not None:
            self._remark(self._add(self._table.cursor_key))

    def action_movers(self, step: int) -> None:
        self._by = self._by.beside(step)
        self._read_movers()

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)

    @property
    def _table(self) -> LiveTable:
        return self.query_one(LiveTable)

    @property
    def _text(self) -> str:
        return self.query_one("#search-text", Input).value.strip()

    @property
    def _is_typing(self) -> bool:
        return self.focused is self.query_one("#search-text", Input)


def _row(line: Line) -> Row:
    price, percent = formats.amount(line.price), formats.percent(line.percent)
    return Row(
        line.symbol,
        (
            Cell(line.symbol),
            Cell(line.name, "faint"),
            Cell(line.sector, "faint"),
            Cell(price, "faint" if line.is_stale else "plain"),
            Cell(percent, "faint" if line.is_stale else tone(line.percent)),
        ),
    )
