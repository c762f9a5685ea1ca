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
STALE = "◐"
"""Stands before the age of a price that is not the market's now, as in the connection light."""
_LIT = {1: "lit-up", -1: "lit-down", 0: "plain"}


class Watchlist(LiveTable):
    """Prices of the user's symbols, in the user's order."""

    BORDER_TITLE = "Watchlist"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "Press / to add a symbol")
        self._made: dict[str, tuple[Price | None, bool, bool, str, Row]] = {}
        """Each symbol's row and what it was made of: most prices stand still between two shows."""

    def show_prices(self, symbols: Sequence[str], board: Board, is_live: bool, now: float) -> None:
        """Show `board`; a stale price is greyed, and every one without a live connection."""
        made = {}
        for symbol in symbols:
            price = board.prices.get(symbol)
            is_now = is_live and board.is_live((symbol,))
            is_lit = is_now and price is not None and price.is_lit(now)
            age = "" if price is None or is_now else price.age(now)
            known = self._made.get(symbol)
            if known is None or known[0] is not price or known[1:4] != (is_now, is_lit, age):
                known = (price, is_now, is_lit, age, _row(symbol, price, is_now, is_lit, age))
            made[symbol] = known
        self._made = made
        self.show([known[4] for known in made.values()])

    def start_on(self, symbol: str) -> None:
        """Put the cursor on `symbol`, unless the user has already put it somewhere."""
        if not self.is_cursor_placed:
            self.cursor_key = symbol


def _row(symbol: str, price: Price | None, is_live: bool, is_lit: bool, age: str) -> Row:
    """A price of another time is faint, and says in the place of its day's change how old it is."""
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
        if age:
            figures = (*figures[:2], f"{STALE} {age}")
        return Row(symbol, tuple(Cell(text, "faint") for text in (symbol, *figures, *details)))
    sign = tone(quote.change)
    tones = (_LIT[price.direction] if is_lit else "plain", sign, sign)
    cells = [Cell(text, tone) for text, tone in zip(figures, tones, strict=True)]
    return Row(symbol, (Cell(symbol), *cells, *(Cell(text, "faint") for text in details)))
