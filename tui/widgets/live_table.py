"""A table for figures that change many times a second.

Invariant: showing rows repaints only the lines whose cells differ from what is on screen, and a
figure never moves sideways when it changes: columns keep their width and numerals align right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

GAP = 2
SPREAD_MAX = 3
"""How much a gap between columns may grow on a wide screen before the table stays left."""


class Cell(NamedTuple):
    """A cell's text and its tone, one of LiveTable.TONES. `short` stands where `text` is too long
    for its column."""

    text: str
    tone: str = "plain"
    short: str = ""


class Row(NamedTuple):
    """A row is known by its key, whatever its place."""

    key: str
    cells: tuple[Cell, ...]


def tone(value: Decimal | None) -> str:
    """Green for a gain, red for a loss, grey for neither."""
    if not value:
        return "faint"
    return "up" if value > 0 else "down"


@dataclass(frozen=True, slots=True)
class Column:
    """Columns of the highest rank give way together when width is short; rank 0 never does. What
    is to spare goes to columns whose text needs it, up to `widest`, before it widens the gaps."""

    title: str
    width: int
    is_numeric: bool = True
    rank: int = 0
    widest: int = 0


class LiveTable(Widget, can_focus=True):
    """Rows under a fixed header, with a cursor that stays on its row's key."""

    TONES: ClassVar = ("plain", "faint", "up", "down", "lit-up", "lit-down", "accent", "warn")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "live-table--header",
        "live-table--cursor",
        *(f"live-table--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]

    cursor_key: reactive[str | None] = reactive(None)

    @dataclass
    class Chosen(Message):
        """Enter or a click on the cursor's row."""

        table: "LiveTable"
        key: str

        @property
        def control(self) -> "LiveTable":
            return self.table

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        table: "LiveTable"
        key: str | None

        @property
        def control(self) -> "LiveTable":
            return self.table

    @dataclass
    class Scrolled(Message):
        """Other rows than before are in view: `table.visible_keys`."""

        table: "LiveTable"

        @property
        def control(self) -> "LiveTable":
            return self.table

    def __init__(self, columns: Sequence[Column], empty: str, *, follows_top: bool = False) -> None:
        """With `follows_top` the cursor stays on the first row, whichever it is, until the user
        moves it; back on the first row it follows again."""
        super().__init__()
        self._columns = tuple(columns)
        self._empty = empty
        self._follows_top = follows_top
        self._rows: tuple[Row, ...] = ()
        self._needed = self._needs()
        self._top = 0
        self._gone_index = 0
        self._told_visible: tuple[str, ...] = ()
        self.is_cursor_placed = False
        """Whether the user has moved the cursor."""

    def show(self, rows: Sequence[Row]) -> None:
        """Replace the rows, repainting only lines that differ."""
        before, self._rows = self._rows, tuple(rows)
        keys = [row.key for row in self._rows]
        if keys and self._follows_top and not self.is_cursor_placed:
            self.cursor_key = keys[0]
        elif self.cursor_key not in keys:
            index = min(self._gone_index, len(keys) - 1)
            self.cursor_key = keys[index] if keys else None
        else:
            self._gone_index = keys.index(self.cursor_key)
        needed, self._needed = self._needed, self._needs()
        if len(before) != len(self._rows) or needed != self._needed:
            self._keep_cursor_visible()
            self.refresh()
            return
        self._tell_visible()
        for index, (old, new) in enumerate(zip(before, self._rows, strict=True)):
            if old != new:
                self._refresh_row(index)

    @property
    def row_keys(self) -> list[str]:
        """The keys as they stand, top to bottom."""
        return [row.key for row in self._rows]

    def go_to(self, key: str) -> None:
        """Put the cursor on a row for the user, who wants it to stay there."""
        if key in self.row_keys:
            self._place(self.row_keys.index(key))

    @property
    def is_at_top(self) -> bool:
        """Whether the cursor is on the first row, or there is none."""
        return not self._rows or self._cursor_index() == 0

    @property
    def visible_keys(self) -> tuple[str, ...]:
        """The keys of the rows in view; none before the table has a place on screen, and what was
        in view last while it is hidden."""
        return self._told_visible

    def _tell_visible(self) -> None:
        shown = self._rows[self._top : self._top + self.size.height - 1]
        keys = tuple(row.key for row in shown)
        if keys != self._told_visible and self.size.height:
            self._told_visible = keys
            self.post_message(self.Scrolled(self))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 1 + max(1, len(self._rows))

    def watch_cursor_key(self, before: str | None, after: str | None) -> None:
        keys = self.row_keys
        for key in (before, after):
            if key in keys:
                self._refresh_row(keys.index(key))
        if after in keys:
            self._gone_index = keys.index(after)
        self._keep_cursor_visible()
        self.post_message(self.Moved(self, after))

    def action_move(self, by: int) -> None:
        if self._rows:
            self._place(max(0, min(len(self._rows) - 1, self._cursor_index() + by)))

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self._page() - 1))

    def action_choose(self) -> None:
        if self.cursor_key is not None:
            self.post_message(self.Chosen(self, self.cursor_key))

    def on_click(self, event: events.Click) -> None:
        index = self._top + event.get_content_offset_capture(self).y - 1
        if self._top <= index < len(self._rows):
            if self._rows[index].key == self.cursor_key and event.chain > 1:
                self.action_choose()
            self._place(index)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-1)

    def on_resize(self) -> None:
        self._keep_cursor_visible()

    def on_focus(self) -> None:
        self._refresh_row(self._cursor_index())

    def on_blur(self) -> None:
        self._refresh_row(self._cursor_index())

    def _place(self, index: int) -> None:
        """Put the cursor where the user wants it."""
        self.is_cursor_placed = not (self._follows_top and index == 0)
        self.cursor_key = self._rows[index].key

    def _cursor_index(self) -> int:
        keys = self.row_keys
        return keys.index(self.cursor_key) if self.cursor_key in keys else 0

    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def _keep_cursor_visible(self) -> None:
        index, page = self._cursor_index(), self._page()
        top = min(max(self._top, index - page + 1), index)
        top = max(0, min(top, len(self._rows) - page))
        if top != self._top:
            self._top = top
            self.refresh()
        self._tell_visible()

    def _refresh_row(self, index: int) -> None:
        y = 1 + index - self._top
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        shown, gap = self._layout(width)
        if y == 0:
            titles = tuple(Cell(column.title) for column in self._columns)
            style = base + self._style("header")
            return self._line(titles, shown, gap, style, width)
        index = self._top + y - 1
        if not self._rows and y == 1:
            hint = Strip([Segment(self._empty, base + self._style("faint"))])
            return hint.adjust_cell_length(width, base)
        if index >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[index]
        if row.key == self.cursor_key:
            base += self._style("cursor")
        return self._line(row.cells, shown, gap, base, width)

    def _line(
        self, cells: tuple[Cell, ...], shown: dict[int, int], gap: int, base: Style, width: int
    ) -> Strip:
        segments = []
        for place, (index, wide) in enumerate(shown.items()):
            column, cell = self._columns[index], cells[index]
            text = cell.short if cell.short and len(cell.text) > wide else cell.text
            if len(text) > wide:
                text = text[: wide - 1] + "…"
            text = text.rjust(wide) if column.is_numeric else text.ljust(wide)
            style = base if cell.tone == "plain" else base + self._style(cell.tone)
            if place:
                segments.append(Segment(" " * gap, base))
            segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, base).crop(0, width)

    def _needs(self) -> dict[int, int]:
        """The width that the text of each column that may widen asks for."""
        return {
            index: min(
                column.widest, max((len(row.cells[index].text) for row in self._rows), default=0)
            )
            for index, column in enumerate(self._columns)
            if column.widest
        }

    def _layout(self, width: int) -> tuple[dict[int, int], int]:
        """The columns that fit with the width of each, and the gap between them."""
        shown = {index: column.width for index, column in enumerate(self._columns)}

        def needed() -> int:
            return sum(shown.values()) + GAP * (len(shown) - 1)

        while needed() > width:
            worst = max(self._columns[index].rank for index in shown)
            if worst == 0:
                break
            shown = {index: shown[index] for index in shown if self._columns[index].rank < worst}
        for index, wish in self._needed.items():
            if index in shown:
                shown[index] += max(0, min(wish - shown[index], width - needed()))
        spare = max(0, width - needed()) // max(1, len(shown) - 1)
        return shown, GAP + min(SPREAD_MAX, spare)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"live-table--{name}", partial=True)
