"""The dialogs over the trading screen: confirm, modify, search, help. Each returns one value."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tui.actions import CONFIRM, DIALOG, EVERYWHERE, IN_TABLES, TRADING, bindings, key_name
from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.models import Order, SearchHit
from tui.state import formats
from tui.state.draft import MARKET_TYPES
from tui.state.ticket import Change, check_change

SEARCH_PAUSE_S = 0.15


class ConfirmDialog(ModalScreen[bool]):
    """A summary in the colour of the money, and one key to send it; without a verb there is nothing
    to send."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(CONFIRM)

    def __init__(
        self, title: str, rows: Sequence[tuple[str, str]], verb: str, mode: str, warning: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._rows = rows
        self._verb = verb
        self._mode = mode
        self._warning = warning

    def compose(self) -> ComposeResult:
        with Vertical(classes=f"dialog -{self._mode.lower()}") as dialog:
            dialog.border_title = self._mode
            yield Static(self._title, classes="dialog-title", markup=False)
            for name, figure in self._rows:
                with Horizontal(classes="summary"):
                    yield Label(name)
                    yield Static(figure, markup=False, classes="figure")
            if self._warning:
                yield Static(self._warning, classes="dialog-warning", markup=False)
            send = f"[$footer-key-foreground]Enter[/] {self._verb}    " if self._verb else ""
            yield Static(f"{send}[$footer-key-foreground]Esc[/] back", classes="dialog-keys")

    def action_accept(self) -> None:
        if self._verb:
            self.dismiss(True)

    def action_dismiss_screen(self) -> None:
        self.dismiss(False)


class ModifyDialog(ModalScreen[Change | None]):
    """New total quantity and price of a working order, and the trigger of one that waits."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DIALOG)

    def __init__(self, order: Order, mode: str) -> None:
        super().__init__()
        self._order = order
        self._mode = mode

    def compose(self) -> ComposeResult:
        order = self._order
        with Vertical(classes=f"dialog -{self._mode.lower()}") as dialog:
            dialog.border_title = self._mode
            yield Static(
                f"Modify {order.side} {order.symbol}", classes="dialog-title", markup=False
            )
            with Horizontal(classes="field"):
                yield Label("Quantity")
                yield Input(str(order.quantity), id="new-quantity", compact=True)
                yield Static(f"{formats.quantity(order.filled_quantity)} filled", classes="hint")
            with Horizontal(classes="field"):
                yield Label("Price")
                yield Input(
                    "" if order.price is None else str(order.price),
                    id="new-price",
                    compact=True,
                    disabled=order.type in MARKET_TYPES,
                )
                yield Static(classes="hint")
            if order.is_waiting:
                with Horizontal(classes="field"):
                    yield Label("Trigger")
                    yield Input(str(order.trigger_price), id="new-trigger", compact=True)
                    yield Static(classes="hint")
            yield Static(id="modify-remark", markup=False)
            yield Static(
                "[$footer-key-foreground]Enter[/] send the change    "
                "[$footer-key-foreground]Esc[/] back",
                classes="dialog-keys",
            )

    def on_mount(self) -> None:
        field = "#new-quantity" if self._order.type in MARKET_TYPES else "#new-price"
        self.query_one(field, Input).focus()

    @on(Input.Submitted)
    def _send(self) -> None:
        quantity = self.query_one("#new-quantity", Input).value
        price = self.query_one("#new-price", Input).value
        trigger = self.query_one("#new-trigger", Input).value if self._order.is_waiting else ""
        change = check_change(self._order, quantity, price, trigger)
        if isinstance(change, Change):
            self.dismiss(change)
        else:
            self.query_one("#modify-remark", Static).update("  ".join(change.values()))

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)


class SearchDialog(ModalScreen[SearchHit | None]):
    """Type a few letters, take an instrument."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(DIALOG),
        Binding("down", "highlight('down')", "Next", show=False),
        Binding("up", "highlight('up')", "Previous", show=False),
    ]

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self._broker = broker
        self._hits: list[SearchHit] = []
        self._is_searching = False
        self._takes_first = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -search") as dialog:
            dialog.border_title = "Add to the watchlist"
            yield Input(placeholder="Symbol or company", id="search-text", compact=True)
            yield OptionList(id="hits", compact=True)
            yield Static(id="search-remark", markup=False)

    def on_key(self, event: Key) -> None:
        """Take what is typed before the field has the focus: a fast hand loses no letter."""
        text = self.query_one("#search-text", Input)
        if event.character is not None and event.is_printable and self.focused is not text:
            text.insert_text_at_cursor(event.character)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._is_searching, self._takes_first = True, False
        self._search(event.value.strip())

    @work(exclusive=True)
    async def _search(self, text: str) -> None:
        """Ask once typing pauses; a newer text replaces this one."""
        if not text:
            self._show([], "")
            return
        await asyncio.sleep(SEARCH_PAUSE_S)
        try:
            hits = await self._broker.search(text)
        except (RefusedError, UnreachableError) as error:
            self._show([], str(error))
        else:
            self._show(hits, "" if hits else f"Nothing called {text}")

    def _show(self, hits: list[SearchHit], remark: str) -> None:
        self._hits = hits
        self._is_searching = False
        if hits and self._takes_first:
            self.dismiss(hits[0])
            return
        options = self.query_one("#hits", OptionList)
        options.clear_options()
        options.add_options([Option(_hit_line(hit)) for hit in hits])
        if hits:
            options.highlighted = 0
        self.query_one("#search-remark", Static).update(remark)

    @on(Input.Submitted)
    def _take_highlighted(self) -> None:
        """Enter takes what is marked; before the answer is there, the answer's first."""
        if self._is_searching:
            self._takes_first = True
            return
        highlighted = self.query_one("#hits", OptionList).highlighted
        if highlighted is not None:
            self.dismiss(self._hits[highlighted])

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._hits[event.option_index])

    def action_highlight(self, step: str) -> None:
        """Arrows move among the hits while the text keeps the cursor."""
        hits = self.query_one("#hits", OptionList)
        hits.action_cursor_down() if step == "down" else hits.action_cursor_up()

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)


def _hit_line(hit: SearchHit) -> Content:
    return Content.assemble(
        (f"{hit.symbol:<12}", "bold"),
        (f"{hit.name[:30]:<31}", "$faint"),
        f"{formats.amount(hit.ltp):>11}",
    )


class HelpDialog(ModalScreen[None]):
    """Every key, read from the registry."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DIALOG)

    def compose(self) -> ComposeResult:
        rows = [(key_name(action), action.description) for action in (*TRADING, *EVERYWHERE)]
        with VerticalScroll(classes="dialog -help") as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "↑ ↓ the rest · Esc back"
            yield Static(Content("\n").join(_help_line(*row) for row in (*rows, *IN_TABLES)))

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)


def _help_line(keys: str, description: str) -> Content:
    return Content.assemble((f"{keys:<12}", "$footer-key-foreground"), description)
