"""The order ticket: fields, what the order would cost while it is typed, and each refusal's cure.

Flow: a field changes -> DraftChanged -> the screen asks for a preview -> `show_preview`. Nothing
is sent from here: Enter posts OrderReviewed, and the screen asks for a confirmation.

Invariant: a price or a side the user chose is never lost; a price that was filled in goes with its
symbol, or with the trigger that it is to follow.
"""

from decimal import Decimal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from tui.client.models import Preview
from tui.messages import DraftChanged, OrderReviewed
from tui.state import formats
from tui.state.draft import (
    EXIT_TYPES,
    FIELDS,
    MARKET_TYPES,
    MAY_NAME_NO_PRICE,
    TYPES,
    Draft,
)
from tui.state.requests import PlanRequest, Request
from tui.state.ticket import Errors, check, in_words, place_failures
from tui.widgets.choice import Choice
from tui.widgets.fields import NumberField, SymbolField

BREAKDOWN_LINES = 6
"""From this height on the preview is a list; below it, two lines."""
NUMBERS = (
    ("Quantity", "quantity"),
    ("Trigger", "trigger_price"),
    ("Price", "price"),
    ("Target", "target_price"),
    ("Legs", "legs"),
    ("Over", "minutes"),
    ("Every", "interval_minutes"),
    ("Volume %", "participation_percent"),
)
"""The fields that take figures, from the top; a type shows those that it has."""
UNITS = {"legs": "2 to 50", "minutes": "minutes", "interval_minutes": "minutes",
         "participation_percent": "of market"}  # fmt: skip
"""What stands beside a field while nothing is wrong with it."""
STALE = "◐ "
"""Stands before a price that is not the market's now, as in the connection light."""
BELOW = "↓"
"""Stands beside a field whose fault is said under the fields."""


class Ticket(Vertical):
    """One order being written."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode
        self._previewed: tuple[Request, Preview] | None = None
        self._refused: Errors = {}
        self._touched: set[str] = set()
        self._ltp: Decimal | None = None
        self._remarks: Errors = {}
        self._priced = ""
        self._last_price = ""
        self._is_stale = False
        self._side_left = ""
        self._is_price_typed = False

    def compose(self) -> ComposeResult:
        self.border_title = f"Ticket · {self._mode} · CNC"
        yield _field("Symbol", SymbolField(id="symbol", compact=True, max_length=20))
        yield _field("Side", Choice("BUY", "SELL", name="side"))
        yield _field("Type", Choice(*TYPES, name="type"))
        for label, name in NUMBERS:
            yield _field(label, NumberField(id=name, compact=True, max_length=18))
        yield _field("Validity", Choice("DAY", "IOC", "GTC", "GTT", name="validity"))
        yield Static(id="remark-order", markup=False)
        yield Static(id="preview")
        yield Button("Review", id="review", compact=True)

    def on_mount(self) -> None:
        self._show()

    @property
    def draft(self) -> Draft:
        """The fields as they stand."""
        return Draft(
            symbol=self._text("symbol").upper(),
            side=self._chosen("side"),
            type=self._chosen("type"),
            quantity=self._text("quantity"),
            price=self._text("price"),
            validity=self._chosen("validity"),
            **{name: self._text(name) for _, name in NUMBERS if name not in ("quantity", "price")},
        )

    @property
    def request(self) -> Request | None:
        """The order or plan that the fields make, if they do."""
        request = check(self.draft)
        return None if isinstance(request, dict) else request

    def begin(self, symbol: str, side: str | None, price: Decimal | None) -> None:
        """Start an order in `symbol`, at its last price, with the cursor in the quantity.

        Without a symbol the cursor waits there for one.
        """
        with self.prevent(Input.Changed, Choice.Changed):
            self._input("symbol").value = symbol
            if side is not None:
                self._choice("side").value, self._side_left = side, ""
        self._is_price_typed = False
        self._touched.clear()
        self._remarks = {}
        self._price_symbol(symbol, price)
        self.screen.set_focus(self._input("quantity" if symbol else "symbol"))
        self._changed()

    def remark(self, errors: Errors) -> None:
        """Say what is known of the symbol, until the symbol changes."""
        self._remarks = errors
        self._show()

    def show_ltp(self, symbol: str, ltp: Decimal | None, *, is_stale: bool) -> None:
        """Keep the last price of `symbol` beside it, and in its price field to start with."""
        draft = self.draft
        if symbol != draft.symbol:
            return
        if (ltp, is_stale) != (self._ltp, self._is_stale):
            self._ltp, self._is_stale = ltp, is_stale
            self._hint("symbol", self._errors(draft).get("symbol", ""), draft)
        if ltp is not None and symbol != self._priced and not self._is_price_typed:
            self._price_symbol(symbol, ltp)
            self._changed()

    def _price_symbol(self, symbol: str, price: Decimal | None) -> None:
        self._priced = symbol if price is not None else ""
        self._last_price = "" if price is None else f"{price:.2f}"
        self._fill_price()

    def _fill_price(self) -> None:
        """Put the price in that nobody typed: the trigger where it follows that, else the last."""
        if self._is_price_typed:
            return
        draft = self.draft
        price = draft.trigger_price if draft.follows_trigger else self._last_price
        if price != draft.price:
            with self.prevent(Input.Changed):
                self._input("price").value = price

    def show_preview(self, request: Request, preview: Preview) -> None:
        """Show what `request` would cost, unless the draft has moved on."""
        if check(self.draft) == request:
            self._previewed = (request, preview)
            self._refused = place_failures(preview.rules, request.judged().target_price)
            self._show()

    def show_refusal(self, errors: Errors) -> None:
        """Show why the broker refused the order that was previewed or sent."""
        self._refused = errors
        self._show()

    def clear(self) -> None:
        """Empty the quantity after an order went out; symbol and price stay for the next."""
        self._touched.clear()
        with self.prevent(Input.Changed):
            self._input("quantity").value = ""
        self._changed()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        name = event.input.id or ""
        self._touched.add(name)
        if name == "price":
            self._is_price_typed = bool(event.value)
        elif name == "trigger_price":
            self._fill_price()
        elif name == "symbol":
            with self.prevent(Input.Changed):
                event.input.value = event.value.upper()
            self._remarks = {}
            if not self._is_price_typed:
                self._price_symbol("", None)
        self._changed()

    @on(NumberField.Lettered)
    def _begin_symbol(self, event: NumberField.Lettered) -> None:
        """A letter belongs to no figure: whoever types one is naming a symbol."""
        self.query_one(SymbolField).begin(event.letter.upper())

    @on(Choice.Changed)
    def _chose(self, event: Choice.Changed) -> None:
        """A type that has one side alone takes it, and gives the user's own back afterwards."""
        if event.choice.name == "side":
            self._side_left = ""
        elif event.choice.name == "type":
            wanted, sides = self._side_left or self._chosen("side"), self.draft.sides
            side = wanted if wanted in sides else sides[0]
            self._side_left = "" if side == wanted else wanted
            with self.prevent(Choice.Changed):
                self._choice("side").value = side
        self._fill_price()
        self._changed()

    @on(Input.Submitted)
    @on(Choice.Submitted)
    @on(Button.Pressed)
    def _review(self) -> None:
        request = check(self.draft)
        if not isinstance(request, dict):
            preview = None
            if self._previewed is not None and self._previewed[0] == request:
                preview = self._previewed[1]
            self.post_message(OrderReviewed(request, preview))
            return
        self._touched.update(FIELDS)
        self._show()
        wrong = [name for name in self.draft.fields if name in request]
        self.screen.set_focus(self._input(wrong[0]) if wrong else self._choice("side"))

    def _changed(self) -> None:
        valid = self.request
        if self._previewed is None or self._previewed[0] != valid:
            self._previewed = None
            self._refused = {}
        self._show()
        self.post_message(DraftChanged(valid, self.draft.symbol))

    def _show(self) -> None:
        draft = self.draft
        errors = self._errors(draft)
        self._input("price").disabled = draft.type in MARKET_TYPES
        for name in (*FIELDS, "validity"):
            field = self.query_one(f".field.{name}")
            field.display = name in draft.fields or name in draft.fields_of_choice
        self.set_class(draft.type == "VWAP", "-vwap")
        is_stop = draft.type in EXIT_TYPES
        _say(self.query_one(".trigger_price > Label", Label), "Stop" if is_stop else "Trigger")
        for name in FIELDS:
            self._hint(name, errors.get(name, ""), draft)
        _say(self.query_one("#remark-order", Static), self._remark(errors), may_grow=True)
        _say(self.query_one("#preview", Static), self._preview_text())
        button = self.query_one("#review", Button)
        button.label = f"{self._mode} {draft.side}   ↵ review"
        self.set_class(draft.side == "SELL", "-sell")

    def _errors(self, draft: Draft) -> Errors:
        """What is wrong: as the broker says, and in the fields the user has been to."""
        errors = {**self._refused, **self._remarks}
        checked = check(draft)
        if isinstance(checked, dict):
            seen = {*self._touched, "order"}
            errors.update({name: text for name, text in checked.items() if name in seen})
        return errors

    def _remark(self, errors: Errors) -> str:
        """The refusal in the broker's own words, what belongs to no field, or what is wrong with
        one that has no room for it."""
        if self._previewed is not None and self._previewed[1].rules:
            return in_words(self._previewed[1].rules)
        cut = (errors[name] for name in FIELDS if self._is_cut(name, errors.get(name, "")))
        return errors.get("order") or next(cut, "")

    def _is_cut(self, name: str, error: str) -> bool:
        """Whether `error` has no room beside its field."""
        width = self.query_one(f"#hint-{name}").content_size.width
        return 0 < width < len(error)

    def _usual_hint(self, name: str, draft: Draft) -> str:
        """What stands beside a field that has nothing wrong."""
        if name == "symbol" and self._ltp is not None:
            return f"{STALE if self._is_stale else ''}{formats.amount(self._ltp)}"
        if name == "price" and draft.type in MARKET_TYPES and self._previewed is not None:
            worst = self._previewed[1].price
            bound = "at most" if draft.side == "BUY" else "at least"
            return "" if worst is None else f"{bound} {formats.amount(worst)}"
        if name == "price" and draft.type in MAY_NAME_NO_PRICE and not draft.price:
            return "market"
        return UNITS.get(name, "")

    def _preview_text(self) -> Content:
        if self._previewed is None:
            return Content.styled("Value, charges and what remains appear here", "$faint")
        request, preview = self._previewed
        of = "Slice " if isinstance(request, PlanRequest) else ""
        rows = [
            (f"{of}value".capitalize(), preview.value),
            (f"{of}charges".capitalize(), preview.total_charges),
            (f"{of}margin".capitalize(), preview.margin),
            ("Available after", preview.available_after),
        ]
        static = self.query_one("#preview", Static)
        if static.size.height < BREAKDOWN_LINES:
            rows = [rows[0], rows[1], rows[3]] if static.size.height > 2 else [rows[0], rows[3]]
        width = max(20, static.size.width)
        lines = [_aligned(name, formats.rupees(figure), width) for name, figure in rows]
        if preview.largest_quantity is not None and static.size.height >= BREAKDOWN_LINES:
            largest = formats.quantity(preview.largest_quantity)
            lines.append(_aligned(f"{of}at most" if of else "Largest quantity", largest, width))
        return Content("\n").join(lines)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _hint(self, name: str, error: str, draft: Draft) -> None:
        hint = self.query_one(f"#hint-{name}", Static)
        refusal = BELOW if self._is_cut(name, error) else error
        _say(hint, refusal or self._usual_hint(name, draft))
        if hint.parent is not None:
            hint.parent.set_class(bool(error), "-refused")

    def _input(self, name: str) -> Input:
        return self.query_one(f"#{name}", Input)

    def _choice(self, name: str) -> Choice:
        return self.query_one(f"#{name}", Choice)

    def _text(self, name: str) -> str:
        return self._input(name).value.strip()

    def _chosen(self, name: str) -> str:
        return self._choice(name).value


def _field(label: str, control: Input | Choice) -> Horizontal:
    """One line: a name, its control, and room for a hint where a value is typed."""
    hints = []
    if isinstance(control, Input):
        hints.append(Static(id=f"hint-{control.id}", classes="hint", markup=False))
    return Horizontal(Label(label), control, *hints, classes=f"field {control.id}")


def _say(where: Static, what: str | Content, *, may_grow: bool = False) -> None:
    """Show `what`, unless it is there already: a fast hand's keys wait for no needless layout."""
    if where.content != what:
        where.update(what, layout=may_grow)


def _aligned(name: str, figure: str, width: int) -> Content:
    gap = " " * max(1, width - len(name) - len(figure))
    return Content.assemble((name, "$faint"), gap, figure)
