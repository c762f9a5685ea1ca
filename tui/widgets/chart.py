"""Candles, volume, averages and a crosshair in the terminal's cells.

Invariant: what is drawn is made of one `Chart` and one place of the crosshair, anew when either
changes; the widget keeps no price of its own.
"""

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.client.prices import Candle
from tui.state import formats, plot
from tui.state.chart import AVERAGES, Chart, average, figures, together, trades_at

PRICE_WIDTH = 12
MEAN_TONES = ("accent", "warn")


class CandleChart(Widget, can_focus=True):
    """Draws a `Chart`; arrow keys and the mouse move the crosshair."""

    TONES: ClassVar = ("plain", "faint", "up", "down", "up-faint", "down-faint", "accent", "warn")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{tone}" for tone in TONES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "aside(-1)", "Candle before", show=False),
        Binding("right", "aside(1)", "Candle after", show=False),
        Binding("up", "along(-1)", "Price above", show=False),
        Binding("down", "along(1)", "Price below", show=False),
        Binding("home", "aside(-100000)", "First candle", show=False),
        Binding("end", "aside(100000)", "Last candle", show=False),
    ]

    @dataclass
    class Pointed(Message):
        """The crosshair is elsewhere, or what it points at changed."""

        text: str

    def __init__(self) -> None:
        super().__init__()
        self._chart = Chart("")
        self._shown: list[Candle] = []
        self._lines: list[Strip] = []
        self._at: int | None = None
        """The candle from the newest, 0 the newest; None while nobody points."""
        self._row: int | None = None

    def show(self, chart: Chart) -> None:
        """Draw `chart`; the crosshair goes when it is another symbol's or range's."""
        if (chart.symbol, chart.span) != (self._chart.symbol, self._chart.span):
            self._at = self._row = None
        if chart != self._chart:
            self._chart = chart
            self._draw()

    def action_aside(self, by: int) -> None:
        if self._shown:
            last = len(self._shown) - 1
            at = last - self._at + by if self._at is not None else last + min(by, 0)
            self._at = last - max(0, min(last, at))
            self._draw()

    def action_along(self, by: int) -> None:
        if self._shown:
            self._at = self._at or 0
            rows = self._heights()[0]
            scale = plot.scale_of(self._shown, rows)
            row = scale.row(self._shown[-1 - self._at].close) if self._row is None else self._row
            self._row = max(0, min(rows - 1, row + by))
            self._draw()

    def clear_crosshair(self) -> bool:
        """Take the crosshair away; whether there was one."""
        was = self._at is not None
        self._at = self._row = None
        self._draw()
        return was

    def on_click(self, event: events.Click) -> None:
        place, rows = event.get_content_offset_capture(self), self._heights()[0]
        if not self._shown or place.x >= self._columns() or place.y >= rows:
            return
        step = plot.step_of(len(self._shown), self._columns())
        self._at = len(self._shown) - 1 - min(len(self._shown) - 1, place.x // step)
        self._row = place.y
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _columns(self) -> int:
        return max(1, self.size.width - PRICE_WIDTH)

    def _heights(self) -> tuple[int, int]:
        """Rows of the prices and of the volume; one more is the times'."""
        rows = max(2, self.size.height - 1)
        volume = max(1, rows // 5)
        return rows - volume, volume

    def _draw(self) -> None:
        """Anew, and told of what the crosshair points at."""
        columns, (rows, below) = self._columns(), self._heights()
        self._shown = together(self._chart.candles, columns)
        self._lines = []
        if self._shown:
            self._at = None if self._at is None else min(self._at, len(self._shown) - 1)
            self._lines = self._strips(columns, rows, below)
            place = len(self._shown) - 1 - (self._at or 0)
            text = figures(self._shown, place, self._chart.span)
            self.post_message(self.Pointed(text))
        else:
            self.post_message(self.Pointed(""))
        self.refresh()

    def _strips(self, columns: int, rows: int, below: int) -> list[Strip]:
        shown, scale = self._shown, plot.scale_of(self._shown, rows)
        means = {
            tone: average(self._chart.candles, over, columns)
            for tone, over in zip(MEAN_TONES, AVERAGES, strict=True)
        }
        grid = plot.draw_candles(shown, columns, scale, means)
        plot.mark_trades(grid, shown, scale, trades_at(shown, self._chart.fills))
        labels = plot.price_labels(scale, PRICE_WIDTH)
        tones = ["faint"] * rows
        if self._at is not None:
            column = (len(shown) - 1 - self._at) * plot.step_of(len(shown), columns)
            plot.cross(grid, column, self._row)
        marked = scale.row(shown[-1].close)
        labels[marked], tones[marked] = _label(formats.amount(shown[-1].close)), "plain"
        if self._row is not None and self._row < rows:
            labels[self._row] = _label(formats.amount(scale.price(self._row)))
            tones[self._row] = "accent"
        volumes = plot.draw_volumes(shown, columns, below)
        most = _label(formats.volume(max(each.volume for each in shown)))
        strips = [
            self._strip([*line, *(plot.Spot(char, tone) for char in label)])
            for line, label, tone in zip(grid, labels, tones, strict=True)
        ]
        for place, line in enumerate(volumes):
            label = most if place == 0 else " " * PRICE_WIDTH
            strips.append(self._strip([*line, *(plot.Spot(char, "faint") for char in label)]))
        times = plot.time_labels(shown, columns, self._chart.span)
        return [*strips, self._strip([plot.Spot(char, "faint") for char in times])]

    def _strip(self, line: plot.Line) -> Strip:
        """Neighbours of one tone are one segment."""
        segments: list[Segment] = []
        text, tone = "", ""
        for spot in line:
            if spot.tone != tone and text:
                segments.append(Segment(text, self._style(tone)))
                text = ""
            text, tone = text + spot.glyph, spot.tone
        segments.append(Segment(text, self._style(tone)))
        return Strip(segments)

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if not self._lines:
            text = self._chart.remark if y == self.size.height // 2 else ""
            return Strip([Segment(text.center(width), self._style("faint"))]).crop(0, width)
        if y >= len(self._lines):
            return Strip.blank(width, base)
        return self._lines[y].adjust_cell_length(width, base).crop(0, width)

    def _style(self, tone: str) -> Style:
        return self.rich_style + self.get_component_rich_style(f"chart--{tone}", partial=True)


def _label(text: str) -> str:
    """A price at the right edge, cut rather than pushed."""
    return text[-PRICE_WIDTH:].rjust(PRICE_WIDTH)
