"""What is owned, at live prices."""

from collections.abc import Sequence, Set

from tui.client.models import Holding
from tui.state import formats
from tui.state.account import LiveHolding
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
    """Holdings with profit and loss that follows the price; the line under the table says what of
    the selected one has settled."""

    BORDER_TITLE = "Holdings"

    def __init__(self) -> None:
        super().__init__(COLUMNS, "Nothing held yet")
        self._held: dict[str, Holding] = {}

    def show_holdings(
        self, holdings: Sequence[LiveHolding], is_live: bool, stale: Set[str]
    ) -> None:
        """Show holdings; what follows a stale price, or any without a live connection, is
        greyed."""
        self._held = {each.holding.symbol: each.holding for each in holdings}
        self.show([_row(each, is_live and each.holding.symbol not in stale) for each in holdings])
        self.border_title = f"Holdings · {len(holdings)}" if holdings else "Holdings"
        self.explain()

    def explain(self) -> None:
        """Put under the table what the selected holding is made of."""
        holding = self._held.get(self.cursor_key or "")
        self.border_subtitle = "" if holding is None else _explanation(holding)


def _explanation(holding: Holding) -> str:
    parts = [
        (holding.settled, "settled"),
        (holding.t1, "T1"),
        (holding.bought_today, "today"),
        (holding.free_quantity, "free"),
    ]
    return " · ".join(f"{formats.quantity(count)} {name}" for count, name in parts if count)


def _row(live: LiveHolding, is_live: bool) -> Row:
    holding = live.holding
    plain = "plain" if is_live else "faint"
    gain = tone(live.gain) if is_live else "faint"
    return Row(
        holding.symbol,
        (
            Cell(holding.symbol),
            Cell(formats.quantity(holding.quantity)),
            Cell(formats.quantity(holding.free_quantity), "faint"),
            Cell(formats.amount(holding.average_price)),
            Cell(formats.amount(live.ltp), plain),
            Cell(formats.amount(live.value), plain),
            Cell(formats.signed(live.gain), gain),
            Cell(formats.percent(live.gain_percent), gain),
        ),
    )
