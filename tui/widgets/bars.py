"""The two lines above the panes: whose money and how live, and how much of it there is."""

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.client.broker import Link
from tui.state import formats
from tui.state.account import Account, live_holdings, totals
from tui.state.quotes import Board
from tui.widgets.live_table import tone

LIGHTS = {
    Link.CONNECTING: ("◌", "connecting", "warning"),
    Link.LIVE: ("●", "live", "success"),
    Link.STALE: ("◐", "stale", "warning"),
    Link.RECONNECTING: ("◌", "reconnecting", "error"),
    Link.REPLACED: ("○", "opened elsewhere · r", "error"),
}
_REMARK = {"PAPER": "no real money", "LIVE": "real money"}
_MARKUP = {"faint": "$faint", "up": "$success", "down": "$error"}


class TitleBar(Horizontal):
    """The frame: paper or live in its own colour, the user, the connection light, the time."""

    def __init__(self, mode: str, username: str) -> None:
        super().__init__(classes=f"-{mode.lower()}")
        self._mode = mode
        self._username = username

    def compose(self) -> ComposeResult:
        yield Static(f" {self._mode} ", id="mode")
        yield Static(f" {_REMARK.get(self._mode, '')}", id="remark")
        yield Static("OUTCRY", id="brand")
        yield Static(self._username, id="user", markup=False)
        yield Static(id="light")
        yield Static(id="clock")

    def show_link(self, link: Link) -> None:
        """Set the connection light."""
        mark, words, colour = LIGHTS[link]
        self.query_one("#light", Static).update(f"[${colour}]{mark}[/] {words}")

    def show_time(self, now: datetime) -> None:
        """Set the clock, in IST."""
        self.query_one("#clock", Static).update(f"{formats.clock(now)} IST")


class FundsBar(Static):
    """Money that can be spent, cash, what orders hold, what of the day's sales can't be spent yet,
    and what the holdings are worth."""

    def show_funds(self, account: Account, board: Board, is_live: bool, trouble: str) -> None:
        """Show the account's money and the holdings' live sums, or what keeps it from loading."""
        funds = account.funds
        self.set_class(funds is None, "-loading")
        if funds is None:
            waiting = Content.styled("Loading the account…", "$faint")
            failed = Content.styled(f"{trouble} · trying again", "$warning")
            self.update(failed if trouble else waiting)
            return
        sums = totals(live_holdings(account, board))
        fields = [
            ("Available", f"[b]{formats.rupees(funds.available)}[/]"),
            ("Cash", formats.rupees(funds.cash)),
            ("Held", formats.rupees(funds.held)),
        ]
        if self.size.width >= 100:
            if funds.blocked:
                fields.append(("Blocked", formats.rupees(funds.blocked)))
            fields.append(("Holdings", formats.rupees(sums.value)))
        gain = _MARKUP[tone(sums.gain) if is_live else "faint"]
        fields.append(("P&L", f"[{gain}]{formats.signed_rupees(sums.gain)}[/]"))
        if funds.borrowed:
            fields.append(("Borrowed", f"[$error]{formats.rupees(funds.borrowed)}[/]"))
        space = "    " if self.size.width >= 100 else "  "
        self.update(space.join(f"[$faint]{name}[/] {figure}" for name, figure in fields))
