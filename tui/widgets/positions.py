"""What the day's trades come to, delivery and intraday apart, at live prices."""

from collections.abc import Sequence, Set

from tui.client.models import Position
from tui.state import formats
from tui.state.account import LivePosition
from tui.widgets.live_table import Cell, Column, LiveTable, Row, tone

COLUMNS = (
    Column("Symbol", 10, is_numeric=False),
    Column("For", 4, is_numeric=False),
    Column("Net", 7),
    Column("Average", 10, rank=1),
    Column("LTP", 10, rank=1),
    Column("Realised", 11, rank=2),
    Column("P&L", 11),
)


class Positions(LiveTable):
    """Positions with profit and loss that follows the price; the line under the table says what the
    selected one was traded to."""

    BORDER_TITLE = "Positions"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "No trades today")
        self._known: dict[str, Position] = {}

    def show_positions(
        self, positions: Sequence[LivePosition], is_live: bool, stale: Set[str]
    ) -> None:
        """Show positions; what follows a stale price, or any without a live connection, is
        greyed."""
        self._known = {each.position.key: each.position for each in positions}
        self.show([_row(each, is_live and each.position.symbol not in stale) for each in positions])
        self.border_title = f"Positions · {len(positions)}" if positions else "Positions"
        self.explain()

    @property
    def selected(self) -> Position | None:
        """The position under the cursor."""
        return self._known.get(self.cursor_key or "")

    def explain(self) -> None:
        """Put under the table what was bought and sold for the selected position."""
        position = self.selected
        self.border_subtitle = "" if position is None else _explanation(position)


def _explanation(position: Position) -> str:
    parts = ((position.buy_quantity, "bought"), (position.sell_quantity, "sold"))
    return " · ".join(f"{formats.quantity(count)} {name}" for count, name in parts if count)


def _row(live: LivePosition, is_live: bool) -> Row:
    position = live.position
    plain = "plain" if is_live else "faint"
    gain = tone(live.gain) if is_live else "faint"
    return Row(
        position.key,
        (
            Cell(position.symbol),
            Cell(position.product, "accent" if position.product == "MIS" else "faint"),
            Cell(formats.quantity(position.quantity)),
            Cell(formats.amount(position.average_price)),
            Cell(formats.amount(live.ltp), plain),
            Cell(formats.signed(position.realised_pnl), tone(position.realised_pnl)),
            Cell(formats.signed(live.gain), gain),
        ),
    )
