"""What is owned, at live prices."""

from collections.abc import Sequence

from tui.state import formats
from tui.state.account import Position
from tui.widgets.live_table import Cell, Column, LiveTable, Row, tone

COLUMNS = (
    Column("Symbol", 11, is_numeric=False),
    Column("Qty", 7),
    Column("Free", 7, rank=3),
    Column("Average", 11),
    Column("LTP", 10),
    Column("Value", 14, rank=1),
    Column("P&L", 12),
    Column("P&L%", 8),
)


class Holdings(LiveTable):
    """Holdings with profit and loss that follows the price."""

    BORDER_TITLE = "Holdings"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "Nothing held yet")

    def show_positions(self, positions: Sequence[Position], is_live: bool) -> None:
        """Show positions; without a live connection what follows the price is greyed."""
        self.show([_row(position, is_live) for position in positions])
        self.border_title = f"Holdings · {len(positions)}" if positions else "Holdings"


def _row(position: Position, is_live: bool) -> Row:
    holding = position.holding
    live = "plain" if is_live else "faint"
    gain = tone(position.gain) if is_live else "faint"
    return Row(
        holding.symbol,
        (
            Cell(holding.symbol),
            Cell(formats.quantity(holding.quantity)),
            Cell(formats.quantity(holding.free_quantity), "faint"),
            Cell(formats.amount(holding.average_price)),
            Cell(formats.amount(position.ltp), live),
            Cell(formats.amount(position.value), live),
            Cell(formats.signed(position.gain), gain),
            Cell(formats.percent(position.gain_percent), gain),
        ),
    )
