"""The watchlist of the trading screen: which list is shown, and what keys do to it.

Invariant: what is shown is the broker's list, or on the way to it; the file beside the journal
holds a copy, so that the next start shows prices before the broker has answered.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from textual.screen import Screen

from tui.client.watchlist import WatchlistFile
from tui.list_keeper import ListKeeper
from tui.messages import WatchlistMoved, WatchlistsTold
from tui.screens.dialogs import ConfirmDialog, NameDialog
from tui.state.watchlists import Edit, Watchlists, edited
from tui.widgets.watchlist import Watchlist


class Watching:
    """`changed` is called when other symbols are shown."""

    def __init__(
        self,
        screen: Screen[None],
        keeper: ListKeeper,
        file: WatchlistFile,
        mode: str,
        symbols: list[str],
        changed: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._keeper = keeper
        self._file = file
        self._mode = mode
        self._changed = changed
        self._lists = Watchlists()
        self.symbols = symbols

    def read(self) -> None:
        self._run(self._keeper.read())

    def told(self, message: WatchlistsTold) -> None:
        """Show what the broker has; nothing yet leaves what the file had."""
        self._show(self._lists.told(message.lists, message.shown_id))

    def moved(self, message: WatchlistMoved) -> None:
        """Another device, or this one, changed a list; without an id any may have changed."""
        if message.watchlist_id is None:
            self._run(self._keeper.read(among_all=True))
        elif not self._keeper.knows(message.watchlist_id, message.version):
            self.read()

    def add(self, symbol: str) -> str:
        """Put `symbol` on the list that is shown; what came of it."""
        if symbol in self.symbols:
            return f"{symbol} is on the watchlist already"
        if not self._edit(Edit(symbol, is_added=True)):
            return "The watchlists are not read yet"
        self._screen.query_one(Watchlist).go_to(symbol)
        return f"{symbol} is on the watchlist"

    def remove(self, symbol: str) -> None:
        self._edit(Edit(symbol, is_added=False))

    def switch(self, step: int) -> None:
        self._show(self._lists.beside(step))

    def open(self) -> None:
        def name(given: str | None) -> None:
            if given:
                self._run(self._keeper.open(given))

        self._screen.app.push_screen(NameDialog("New watchlist", self._mode), name)

    def drop(self) -> None:
        """Asks first. The last list stays: there is always one to add to."""
        shown = self._lists.shown
        if shown is None or len(self._lists.lists) == 1:
            self._screen.notify("The last watchlist stays", markup=False)
            return

        def send(is_accepted: bool | None) -> None:
            if is_accepted:
                self._run(self._keeper.drop(shown.watchlist_id))

        rows = [("Name", shown.name), ("Symbols", str(len(shown.symbols)))]
        dialog = ConfirmDialog("Drop this watchlist", rows, "drop it", self._mode)
        self._screen.app.push_screen(dialog, send)

    def _edit(self, edit: Edit) -> bool:
        """Shown at once; whether there is a list to edit."""
        shown = self._lists.shown
        if shown is None:
            return False
        self._take(edited(self.symbols, edit))
        self._run(self._keeper.edit(shown.watchlist_id, edit))
        return True

    def _show(self, lists: Watchlists) -> None:
        self._lists = lists
        self._screen.query_one(Watchlist).border_title = lists.title.replace("[", r"\[")
        if lists.shown is not None:
            self._take(list(lists.shown.symbols))

    def _take(self, symbols: list[str]) -> None:
        if symbols != self.symbols:
            self.symbols = symbols
            self._file.write(symbols)
            self._changed()

    def _run(self, step: Coroutine[Any, Any, None]) -> None:
        self._screen.run_worker(step, group="watchlists")
