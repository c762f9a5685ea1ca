"""A chart as characters: where each candle, average, trade and volume stands in a grid of cells.

Invariant: a cell's halves are what a price is rounded to, so two prices that differ by less than
half a cell look alike and none is drawn outside its grid. Nothing here knows a widget or a colour.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from tui.client.prices import Candle
from tui.state import formats
from tui.state.chart import Range, moment

_WICK, _BODY = 1, 2
#: What a cell's upper and lower half show: nothing, a candle's wick, its body.
_GLYPHS = {
    (0, 0): " ", (_WICK, _WICK): "│", (_BODY, _BODY): "┃", (0, _WICK): "╷", (_WICK, 0): "╵",
    (0, _BODY): "╻", (_BODY, 0): "╹", (_WICK, _BODY): "╽", (_BODY, _WICK): "╿",
}  # fmt: skip
_EIGHTHS = " ▁▂▃▄▅▆▇█"
STEP_MOST = 3
"""Columns from one candle to the next, at most: a few candles stay together."""
LABEL_EVERY = 4
"""Rows from one price at the side to the next."""


class Spot(NamedTuple):
    """One cell: its character and its tone."""

    glyph: str = " "
    tone: str = "plain"


Line = list[Spot]


class Scale(NamedTuple):
    """From the highest to the lowest price over `rows` of two halves each."""

    high: Decimal
    low: Decimal
    rows: int

    def half(self, price: Decimal) -> int:
        """The half, counted from the top, that a price stands in; one outside is at the edge."""
        if self.high == self.low:
            return self.rows
        most = 2 * self.rows - 1
        place = int((self.high - price) * most / (self.high - self.low) + Decimal("0.5"))
        return max(0, min(most, place))

    def row(self, price: Decimal) -> int:
        return self.half(price) // 2

    def price(self, row: int) -> Decimal:
        """What stands in the middle of a row."""
        if self.rows == 1:
            return self.high
        return self.high - (self.high - self.low) * row / (self.rows - 1)


def scale_of(candles: Sequence[Candle], rows: int) -> Scale:
    """From the highest high to the lowest low."""
    return Scale(max(c.high for c in candles), min(c.low for c in candles), max(1, rows))


def step_of(count: int, columns: int) -> int:
    """Columns from one candle to the next."""
    return max(1, min(STEP_MOST, columns // max(1, count)))


def draw_candles(
    candles: Sequence[Candle], columns: int, scale: Scale, means: Mapping[str, Sequence[object]]
) -> list[Line]:
    """The price part. `means`: prices by tone, at each candle or None."""
    grid = [[Spot() for _ in range(columns)] for _ in range(scale.rows)]
    step = step_of(len(candles), columns)
    for tone, prices in means.items():
        for at, price in enumerate(prices):
            if isinstance(price, Decimal) and scale.low <= price <= scale.high:
                grid[scale.row(price)][at * step] = Spot("•", tone)
    for at, candle in enumerate(candles):
        tone = "up" if candle.close >= candle.open else "down"
        for row, glyph in _glyphs(candle, scale).items():
            grid[row][at * step] = Spot(glyph, tone)
    return grid


def _glyphs(candle: Candle, scale: Scale) -> dict[int, str]:
    top, bottom = scale.half(candle.high), scale.half(candle.low)
    body = sorted((scale.half(candle.open), scale.half(candle.close)))
    kinds = {
        half: _BODY if body[0] <= half <= body[1] else _WICK for half in range(top, bottom + 1)
    }
    return {
        row: _GLYPHS[(kinds.get(2 * row, 0), kinds.get(2 * row + 1, 0))]
        for row in range(top // 2, bottom // 2 + 1)
    }


def mark_trades(
    grid: list[Line], candles: Sequence[Candle], scale: Scale, trades: Mapping[int, set[str]]
) -> None:
    """A triangle under a candle that the user bought in, one above where he sold."""
    step = step_of(len(candles), len(grid[0]))
    for at, sides in trades.items():
        for side in sides:
            below = scale.row(candles[at].low) + 1
            row = min(scale.rows - 1, below) if side == "BUY" else scale.row(candles[at].high) - 1
            glyph = "▲" if side == "BUY" else "▼"
            grid[max(0, row)][at * step] = Spot(glyph, "accent")


def cross(grid: list[Line], column: int, row: int | None) -> None:
    """The crosshair: through what is empty, never over a candle."""
    for line in grid:
        if line[column].glyph == " ":
            line[column] = Spot("┊", "faint")
    if row is not None:
        grid[row] = [Spot("┈", "faint") if spot.glyph in " ┊" else spot for spot in grid[row]]


def draw_volumes(candles: Sequence[Candle], columns: int, rows: int) -> list[Line]:
    """Bars in eighths of a cell; the most of the range is as high as the part."""
    grid = [[Spot() for _ in range(columns)] for _ in range(rows)]
    most = max((each.volume for each in candles), default=0)
    if not most:
        return grid
    step = step_of(len(candles), columns)
    for at, candle in enumerate(candles):
        eighths = -(-candle.volume * rows * 8 // most)
        tone = "up-faint" if candle.close >= candle.open else "down-faint"
        for row in range(rows):
            part = max(0, min(8, eighths - 8 * (rows - 1 - row)))
            grid[row][at * step] = Spot(_EIGHTHS[part], tone)
    return grid


def price_labels(scale: Scale, width: int) -> list[str]:
    """A price at each LABEL_EVERY rows, from the top."""
    return [
        formats.amount(scale.price(row)).rjust(width) if row % LABEL_EVERY == 0 else " " * width
        for row in range(scale.rows)
    ]


def time_labels(candles: Sequence[Candle], columns: int, span: Range) -> str:
    """When candles begin, with room between one text and the next."""
    step, line, free = step_of(len(candles), columns), [" "] * columns, 0
    for at, candle in enumerate(candles):
        text, place = moment(candle.time, span), at * step
        if place >= free and place + len(text) <= columns:
            line[place : place + len(text)] = text
            free = place + len(text) + 6
    return "".join(line)
