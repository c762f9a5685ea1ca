"""A chart's characters: what stands where, and that nothing is drawn outside."""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tui.client.prices import Candle
from tui.state import plot
from tui.state.chart import Range
from tui.state.formats import IST

OPEN = datetime(2026, 7, 10, 9, 15, tzinfo=IST)


def candle(low: int, opened: int, close: int, high: int, at: int = 0, volume: int = 8) -> Candle:
    prices = dict(zip(("low", "open", "close", "high"), (low, opened, close, high), strict=True))
    exact = {name: Decimal(price) for name, price in prices.items()}
    return Candle(time=OPEN + timedelta(minutes=5 * at), volume=volume, **exact)


def text(grid: list[plot.Line]) -> list[str]:
    return ["".join(spot.glyph for spot in line) for line in grid]


def test_a_candle_is_a_body_with_a_wick_above_and_below() -> None:
    one = candle(0, 2, 5, 7)

    grid = plot.draw_candles([one], 1, plot.scale_of([one], 4), {})

    assert text(grid) == ["│", "┃", "┃", "│"]
    assert grid[0][0].tone == "up"


def test_half_a_cell_tells_a_wick_from_a_body() -> None:
    one = candle(1, 2, 6, 7)
    scale = plot.Scale(Decimal(7), Decimal(0), 4)

    assert text(plot.draw_candles([one], 1, scale, {})) == ["╽", "┃", "┃", "╵"]


def test_a_price_that_never_moved_is_a_line_in_the_middle() -> None:
    one = candle(5, 5, 5, 5)

    assert text(plot.draw_candles([one], 1, plot.scale_of([one], 3), {}))[1] in "╹╻┃"


def test_an_average_never_hides_a_candle() -> None:
    one = candle(0, 0, 7, 7)
    means = {"accent": [Decimal(3)]}

    assert text(plot.draw_candles([one], 2, plot.scale_of([one], 4), means)) == ["┃ "] * 4


def test_volume_bars_reach_the_top_at_the_most() -> None:
    candles = [candle(1, 1, 1, 1, at, volume) for at, volume in enumerate((16, 8, 1))]

    assert text(plot.draw_volumes(candles, 3, 2)) == ["█  ", "██▁"]


def test_no_volume_at_all_draws_no_bar() -> None:
    assert text(plot.draw_volumes([candle(1, 1, 1, 1, volume=0)], 1, 2)) == [" ", " "]


def test_the_crosshair_goes_around_candles() -> None:
    one = candle(0, 0, 7, 7)
    grid = plot.draw_candles([one], 3, plot.scale_of([one], 2), {})

    plot.cross(grid, 1, 0)

    assert text(grid) == ["┃┈┈", "┃┊ "]


def test_times_never_run_into_one_another() -> None:
    candles = [candle(1, 1, 1, 1, at) for at in range(30)]

    line = plot.time_labels(candles, 30, Range.DAY)

    assert line.split() == ["09:15", "10:10", "11:05"]


prices = st.integers(1, 10_000_000)


@given(st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=60),
       st.integers(1, 40))  # fmt: skip
def test_every_candle_is_drawn_and_nothing_is_outside(
    four: list[tuple[int, int, int, int]], rows: int
) -> None:
    ranges = [sorted(each) for each in four]
    candles = [candle(r[0], r[1], r[2], r[3], at) for at, r in enumerate(ranges)]
    columns = len(candles) * 2

    grid = plot.draw_candles(candles, columns, plot.scale_of(candles, rows), {})

    assert len(grid) == rows
    assert all(len(line) == columns for line in grid)
    step = plot.step_of(len(candles), columns)
    for at in range(len(candles)):
        assert any(line[at * step].glyph != " " for line in grid)
