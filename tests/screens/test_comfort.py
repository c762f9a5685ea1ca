"""Themes and the pause: what a key changes, and what is there at the next start."""

from collections.abc import Callable

import pytest

from tests.screens.conftest import Desk, is_live, settle, still, text_of
from tests.support.terminal import ORDERS
from tests.support.terminal_prices import quote
from tui.app import Terminal
from tui.theme import HIGH_CONTRAST, LIGHT

SIZE = (120, 36)
SnapCompare = Callable[..., bool]


async def test_the_theme_is_kept_between_runs(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("ctrl+t")
        assert pilot.app.theme == LIGHT.name

    again = Terminal(desk.settings, desk.broker, desk.feed)
    assert again.theme == LIGHT.name


async def test_a_broken_file_of_preferences_is_told_and_left_alone(desk: Desk) -> None:
    file = desk.settings.home / "preferences.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    terminal = Terminal(desk.settings, desk.broker, desk.feed)
    async with terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: "preferences.json" in text_of(pilot))

    assert file.read_text() == "{"


async def test_paused_prices_stand_still_and_go_on_with_the_last(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        assert desk.feed.listener is not None
        await pilot.press("z")
        await settle(pilot, lambda: "paused · z" in text_of(pilot))
        desk.feed.listener.quotes([quote("RELIANCE", "2951.00")])
        desk.feed.listener.quotes([quote("RELIANCE", "2952.00")])
        await pilot.pause(0.3)
        assert "2,950.50" in text_of(pilot)

        await pilot.press("z")
        await settle(pilot, lambda: "2,952.00" in text_of(pilot))
        assert "paused" not in text_of(pilot)


@pytest.mark.parametrize(("theme", "presses"), [(LIGHT, 1), (HIGH_CONTRAST, 2)])
def test_the_desk_in_other_colours(
    snap_compare: SnapCompare, desk: Desk, theme: object, presses: int
) -> None:
    desk.broker.known_orders = ORDERS
    run = still(*["ctrl+t"] * presses, until=lambda pilot: "2 working" in text_of(pilot))

    assert snap_compare(desk.terminal, terminal_size=SIZE, run_before=run)
