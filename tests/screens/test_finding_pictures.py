"""Pictures of the search, the movers and the chart. Look at a changed one before accepting it."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.screens.conftest import Desk, still, text_of
from tests.screens.test_pictures import SIZES, SnapCompare
from tests.support.terminal_prices import WIPRO, day_of_candles
from tui.client.prices import Found, SearchHit

each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def _shows(*words: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: all(word in text_of(pilot) for word in words)


@each_size
def test_what_is_found(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    long = SearchHit(symbol="MAHABANK-BE", name="Bank of " + "Maharashtra " * 5, sector="Banks")
    desk.broker.found = Found(items=[WIPRO, long])
    run = still("slash", *"wip", until=_shows("511.30", "MAHABANK"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@each_size
def test_the_movers(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    run = still("slash", "down", until=_shows("[Gainers]", "+1.47%"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@each_size
def test_a_days_chart(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    desk.broker.known_candles = day_of_candles()
    run = still("g", "left", "left", "up", until=_shows("11:45  O", "┈"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@each_size
def test_a_long_chart(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    desk.broker.known_candles = day_of_candles(260, 24 * 60)
    run = still("g", *["right_square_bracket"] * 4, until=_shows("2026  O", "•"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)
