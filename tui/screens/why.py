"""Why one order stands where it does, over the trading screen: its chain from intent to ledger."""

from textual.widgets import Static

from tui.client.chain import OrderChain
from tui.client.models import Order
from tui.screens.detail import Detail, order_rows
from tui.state import formats
from tui.state.why import Link, links
from tui.widgets.live_table import Cell, Column, LiveTable, Row

CHAIN = (
    Column("Time", 8, is_numeric=False),
    Column("Part", 6, is_numeric=False),
    Column("What", 28, is_numeric=False, widest=62),
    Column("Figure", 22, widest=34),
)
TONES = {"Event": "plain", "Check": "warn", "Fill": "up", "Charge": "faint", "Ledger": "accent"}


class WhyDialog(Detail):
    """Waits for the order's chain, which `show_chain` brings."""

    def __init__(self, order: Order) -> None:
        side = f"{order.side} {formats.quantity(order.quantity)} {order.symbol}"
        super().__init__(f"Why · {side} · #{order.order_id}", order_rows(order), CHAIN, "Asking…")
        self.order_id = order.order_id

    def show_chain(self, chain: OrderChain | None, trouble: str) -> None:
        """Show the chain, or why it can't be had."""
        if chain is None:
            self.query_one("#detail-remark", Static).update(trouble)
            return
        self.query_one(LiveTable).show([_row(link) for link in links(chain)])


def _row(link: Link) -> Row:
    tone = TONES[link.part]
    return Row(
        link.key,
        (Cell(link.at, "faint"), Cell(link.part, tone), Cell(link.words), Cell(link.figure, tone)),
    )
