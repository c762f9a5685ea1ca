from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support.terminal import RecordingBroker, SilentFeed
from tests.support.terminal_prices import NOON
from tui.app import Terminal
from tui.settings import TerminalSettings
from tui.widgets.watchlist import Watchlist

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Desk:
    """A terminal over recording clients, with its clock stopped at noon."""

    def __init__(self, home: Path, mode: str = "PAPER", signs_itself_in: bool = True) -> None:
        self.broker = RecordingBroker(mode)
        self.feed = SilentFeed()
        self.settings = TerminalSettings(
            api_url="http://127.0.0.1:7400",
            home=home,
            mode=mode,
            username="demo" if signs_itself_in else None,
            password="paper" if signs_itself_in else None,
            totp_secret=SECRET if signs_itself_in else None,
        )
        self.terminal = Terminal(self.settings, self.broker, self.feed, now=lambda: NOON)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "terminal")


async def settle(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait for what the workers bring, at most two minutes on a machine that is not busy."""
    for _ in range(2_400):
        await pilot.pause(0.05)
        if condition():
            return
    raise AssertionError("the screen did not settle")


def still(
    *keys: str, until: Callable[[Pilot[None]], bool]
) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press keys, wait for what they bring, and stop the cursor's blinking for the picture."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: is_live(pilot))
        for key in keys:
            await pilot.press(key)
        await settle(pilot, lambda: until(pilot))
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()

    return run


def is_live(pilot: Pilot[None]) -> bool:
    """Whether the trading screen shows its prices, with the cursor on what can be traded."""
    found = pilot.app.screen_stack[-1].query(Watchlist)
    is_placed = bool(found) and found.only_one().cursor_key != "NIFTY 50"
    return is_placed and "2,950.50" in text_of(pilot)


def text_of(pilot: Pilot[None]) -> str:
    """What the screen says, line by line, without its colours."""
    compositor = pilot.app.screen._compositor
    strips = compositor.render_strips()
    return "\n".join(strip.text for strip in strips)
