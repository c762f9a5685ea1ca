"""Holdings and positions side by side; on a small screen one of them at a time."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.state.account import Account, live_holdings, live_positions
from tui.state.quotes import Board
from tui.widgets.holdings import Holdings
from tui.widgets.live_table import LiveTable
from tui.widgets.positions import Positions


class Books(Horizontal):
    """What is owned and what was traded today, at the prices of one board."""

    def compose(self) -> ComposeResult:
        yield Holdings()
        yield Positions()

    def show_books(self, account: Account, board: Board, is_live: bool) -> None:
        """Show the account; what follows a stale price is greyed, and all that follows one without
        a live connection."""
        self.query_one(Holdings).show_holdings(live_holdings(account, board), is_live, board.stale)
        traded = live_positions(account, board)
        self.query_one(Positions).show_positions(traded, is_live, board.stale)

    def open_holdings(self) -> None:
        """Take the focus to the holdings; on a small screen they stand in the orders' place."""
        self.close()
        self.screen.add_class("-holdings")
        self.query_one(Holdings).focus()

    def open_positions(self) -> None:
        """Take the focus to the positions; on a small screen they stand in the orders' place."""
        self.close()
        self.screen.add_class("-positions")
        self.query_one(Positions).focus()

    def close(self) -> None:
        """Give the orders their place back on a small screen."""
        self.screen.remove_class("-holdings", "-positions")

    @property
    def selected_symbol(self) -> str | None:
        """The symbol under the cursor of the table in focus; None when neither has it."""
        holdings, positions = self.query_one(Holdings), self.query_one(Positions)
        if holdings.has_focus:
            return holdings.cursor_key
        if positions.has_focus and positions.selected is not None:
            return positions.selected.symbol
        return None

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        self.query_one(Holdings).explain()
        self.query_one(Positions).explain()
