"""From a search or a chart over the trading screen back to what its symbol was picked for.

Invariant: prices are sent for a screen's symbols as long as it is open, and no longer.
"""

from collections.abc import Callable, Iterable
from datetime import date

from textual.screen import Screen

from tui.client.broker import Broker
from tui.screens.chart import ChartScreen
from tui.screens.search import SearchScreen
from tui.state.account import Account
from tui.state.quotes import Board
from tui.state.search import Pick, Purpose


class Finding:
    """The search and the chart of one trading screen."""

    def __init__(
        self,
        screen: Screen[None],
        broker: Broker,
        board: Callable[[], Board],
        account: Callable[[], Account],
        watch: Callable[[], None],
        add: Callable[[str], str],
        begin: Callable[[str | None, str | None], None],
    ) -> None:
        """`board` and `account` are as they stand when asked. `watch` is called when `symbols`
        changed; `begin` opens the ticket with a symbol and a side."""
        self._screen = screen
        self._broker = broker
        self._board = board
        self._account = account
        self._watch = watch
        self._add = add
        self._begin = begin
        self.symbols: frozenset[str] = frozenset()

    def search(self, today: date) -> None:
        screen = SearchScreen(self._broker, self._board, self._look_at, self._add)
        self._screen.app.push_screen(screen, lambda pick: self._picked(pick, today))

    def chart(self, symbol: str, today: date) -> None:
        fills = tuple(each for each in self._account().fills.values() if each.symbol == symbol)
        screen = ChartScreen(
            symbol, self._broker, self._board, self._look_at, self._add, today, fills
        )
        self._screen.app.push_screen(screen, lambda pick: self._picked(pick, today))

    def _picked(self, pick: Pick | None, today: date) -> None:
        self._look_at([])
        if pick is None:
            return
        if pick.purpose is Purpose.OPEN:
            self.chart(pick.symbol, today)
        else:
            self._begin(pick.symbol, pick.purpose.value)

    def _look_at(self, symbols: Iterable[str]) -> None:
        self.symbols = frozenset(symbols)
        self._watch()
