"""The dialogs over the trading screen: confirm, modify, search, help. Each returns one value."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from tui.actions import CONFIRM, DIALOG, EVERYWHERE, IN_TABLES, TRADING, bindings, key_name
from tui.client.models import Order
from tui.state import formats
from tui.state.draft import MARKET_TYPES
from tui.state.ticket import Change, check_change

NAME_MOST = 40
"""Characters of a watchlist's name, as the broker takes them."""


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


class NameDialog(ModalScreen[str | None]):
    """One line of text; what the broker makes of it is not judged here."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DIALOG)

    def __init__(self, title: str, mode: str) -> None:
        super().__init__()
        self._title = title
        self._mode = mode

    def compose(self) -> ComposeResult:
        with Vertical(classes=f"dialog -{self._mode.lower()}") as dialog:
            dialog.border_title = self._mode
            yield Static(self._title, classes="dialog-title", markup=False)
            with Horizontal(classes="field"):
                yield Label("Name")
                yield Input(id="name", max_length=NAME_MOST, compact=True)
            yield Static(
                "[$footer-key-foreground]Enter[/] open it    [$footer-key-foreground]Esc[/] back",
                classes="dialog-keys",
            )

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        if name := event.value.strip():
            self.dismiss(name)

    def action_dismiss_screen(self) -> None:
        self.dismiss(None)


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
