"""The terminal's application: sign-in, then the trading screen, and back when a session ends."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.pilot import Pilot
from textual.screen import Screen

from tui.actions import EVERYWHERE, TRADING, bindings
from tui.client.broker import Broker, Feed
from tui.client.devices import DeviceTokens
from tui.client.http import HttpBroker
from tui.client.journal import Journal
from tui.client.preferences import Preferences, PreferencesFile
from tui.client.stream import StreamFeed
from tui.client.watchlist import WatchlistFile
from tui.messages import SessionEnded
from tui.screens.login import LoginScreen
from tui.screens.trading import TradingScreen
from tui.settings import DEFAULT_WATCHLIST, TerminalSettings
from tui.symbol_palette import SymbolPalette
from tui.theme import THEMES

SETTLED_S = 2.0
"""By then the trading screen stands, with all that its drawing is made of."""


class Terminal(App[None]):
    """Owns the broker's connections and which screen is up."""

    TITLE = "Outcry"
    BINDINGS: ClassVar[list[BindingType]] = bindings(EVERYWHERE)
    COMMANDS: ClassVar = App.COMMANDS | {SymbolPalette}
    CSS_PATH: ClassVar = [
        "styles/layout.tcss",
        "styles/widgets.tcss",
        "styles/dialogs.tcss",
        "styles/charts.tcss",
    ]

    def __init__(
        self,
        settings: TerminalSettings,
        broker: Broker,
        feed: Feed,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._settings = settings
        self._broker = broker
        self._feed = feed
        self._now = now
        self._preferences = PreferencesFile(settings.home)
        kept, self._trouble = self._preferences.read_or_default()
        for each in THEMES:
            self.register_theme(each)
        names = [each.name for each in THEMES]
        self.theme = kept.theme if kept.theme in names else names[0]

    def on_mount(self) -> None:
        self.push_screen(LoginScreen(self._settings, self._broker))
        if self._trouble:
            self.notify(self._trouble, severity="warning", markup=False)

    def action_next_theme(self) -> None:
        """Dark, light, high contrast; kept for the next run."""
        names = [each.name for each in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        if trouble := self._preferences.write(Preferences(theme=self.theme)):
            self.notify(trouble, severity="warning", markup=False)

    @on(LoginScreen.SignedIn)
    def _signed_in(self, message: LoginScreen.SignedIn) -> None:
        home = self._settings.home
        self.switch_screen(
            TradingScreen(
                self._broker,
                self._feed,
                message.profile,
                Journal(home),
                WatchlistFile(home, DEFAULT_WATCHLIST),
                self._now,
            )
        )
        if not self.is_headless:
            self.set_timer(SETTLED_S, spare_collector)

    @on(SessionEnded)
    def _session_ended(self, message: SessionEnded) -> None:
        """Back to sign-in, whatever dialog is open: what is on screen is no longer the user's."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        reason = message.reason or "The session has ended. Sign in again."
        self.switch_screen(LoginScreen(self._settings, self._broker, reason))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the screen's registry offers, under the same names."""
        if isinstance(screen, TradingScreen):
            for action in TRADING:
                run = partial(screen.run_action, action.name)
                yield SystemCommand(action.label, action.description, run)
        for action in EVERYWHERE:
            do = partial(self.run_action, action.name)
            yield SystemCommand(action.label, action.description, do)

    async def on_unmount(self) -> None:
        await self._broker.close()


def build(settings: TerminalSettings) -> Terminal:
    """A terminal over the real HTTP and WebSocket clients."""
    broker = HttpBroker(
        settings.api_url,
        settings.stream_url,
        devices=DeviceTokens(settings.home, settings.api_url),
    )
    return Terminal(settings, broker, StreamFeed(broker.stream_url, broker.session))


def spare_collector() -> None:
    """Take what starting up made out of every later collection of garbage: looking through all of
    it takes a tenth of a second, and keys wait meanwhile. What comes later is still collected."""
    gc.collect()
    gc.freeze()


def run(settings: TerminalSettings) -> int:
    """Run the terminal until the user quits; return the process's exit code."""
    terminal = build(settings)
    terminal.run()
    return terminal.return_code or 0


def photograph(
    settings: TerminalSettings,
    path: Path,
    after_s: float,
    size: tuple[int, int],
    keys: Sequence[str] = (),
) -> int:
    """Run without a screen for `after_s` seconds, then write what would be on it as SVG.

    `keys` are pressed half-way, when the user is signed in and prices have arrived.
    """
    terminal = build(settings)

    def write() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(terminal.export_screenshot(), encoding="utf-8")

    async def save(pilot: Pilot[object]) -> None:
        await asyncio.sleep(after_s / 2)
        await pilot.press(*keys)
        await asyncio.sleep(after_s / 2)
        write()
        terminal.exit()

    terminal.run(headless=True, size=size, auto_pilot=save)
    return terminal.return_code or 0
