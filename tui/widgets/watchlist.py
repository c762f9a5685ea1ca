"""The live watchlist: a price that moves is lit for a moment, then settles."""

from collections.abc import Sequence

from tui.state import formats
from tui.state.quotes import Board, Price
from tui.widgets.live_table import Cell, Column, LiveTable, Row, tone

COLUMNS = (
    Column("Symbol", 10, is_numeric=False),
    Column("LTP", 10),
    Column("Change", 9, rank=1),
    Column("Change%", 7),
    Column("Open", 10, rank=4),
    Column("High", 10, rank=3),
    Column("Low", 10, rank=3),
    Column("Volume", 9, rank=2),
)
_LIT = {1: "lit-up", -1: "lit-down", 0: "plain"}


class Watchlist(LiveTable):
    """Prices of the user's symbols, in the user's order."""

    BORDER_TITLE = "Watchlist"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "Press / to add a symbol")

    def show_prices(self, symbols: Sequence[str], board: Board, is_live: bool, now: float) -> None:
        """Show `board`; a stale price is greyed, and every one without a live connection."""
        self.show(
            [
                _row(symbol, board.prices.get(symbol), is_live and board.is_live([symbol]), now)
                for symbol in symbols
            ]
        )

    def start_on(self, symbol: str) -> None:
        """Put the cursor on `symbol`, unless the user has already put it somewhere."""
        if not self.is_cursor_placed:
            self.cursor_key = symbol


def _row(symbol: str, price: Price | None, is_live: bool, now: float) -> Row:
    if price is None:
        waiting = Cell(formats.NOTHING, "faint")
        return Row(symbol, (Cell(symbol), *(waiting for _ in COLUMNS[1:])))
    quote = price.quote
    figures = (
        formats.amount(quote.ltp),
        formats.signed(quote.change),
        formats.percent(quote.change_percent),
    )
    details = (
        formats.amount(quote.open),
        formats.amount(quote.high),
        formats.amount(quote.low),
        formats.volume(quote.volume),
    )
    if not is_live:
        return Row(symbol, tuple(Cell(text, "faint") for text in (symbol, *figures, *details)))
    sign = tone(quote.change)
    tones = (_LIT[price.direction] if price.is_lit(now) else "plain", sign, sign)
    cells = [Cell(text, tone) for text, tone in zip(figures, tones, strict=True)]
    return Row(symbol, (Cell(symbol), *cells, *(Cell(text, "faint") for text in details)))
