"""The two lines above the panes: whose money, how live and at what time, and how much there is."""

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.client.broker import Link
from tui.state import formats
from tui.state.account import Account, live_holdings, live_positions, totals
from tui.state.market import MarketClock
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
    """The frame: paper or live in its own colour, the user, the connection light, the market's
    phase and time."""

    def __init__(self, mode: str, username: str) -> None:
        super().__init__(classes=f"-{mode.lower()}")
        self._mode = mode
        self._username = username
        self._light = ""

    def compose(self) -> ComposeResult:
        yield Static(f" {self._mode} ", id="mode")
        yield Static(f" {_REMARK.get(self._mode, '')}", id="remark")
        yield Static(id="unread")
        yield Static("OUTCRY", id="brand")
        yield Static(self._username, id="user", markup=False)
        yield Static(id="light")
        yield Static(id="clock")

    def show_link(self, link: Link, *, is_stale: bool, is_paused: bool = False) -> None:
        """Set the connection light; a connection that brings prices of the past is no live one.
        Prices that the user holds still are said to be: `z` goes on."""
        mark, words, colour = LIGHTS[Link.STALE if is_stale and link is Link.LIVE else link]
        if is_paused and link is Link.LIVE:
            mark, words, colour = "‖", "paused · z", "warning"
        light = f"[${colour}]{mark}[/] {words}"
        if light != self._light:
            self._light = light
            self.query_one("#light", Static).update(light)

    def show_unread(self, count: int) -> None:
        """Set how many alerts have not been looked at; none takes no room."""
        self.set_class(count > 0, "-unread")
        words = "alert" if count == 1 else "alerts"
        short = self.size.width < 100
        self.query_one("#unread", Static).update(
            f" !{count} " if short else f" {count} {words} · a "
        )

    def show_time(self, market: MarketClock | None, now: datetime) -> None:
        """Set the clock to business time, in IST, as it is when the terminal's own shows `now`."""
        if market is None:
            return
        at, phase = market.at(now), market.status.phase
        colour = "success" if phase == "OPEN" else "warning"
        words = phase.lower().replace("_", "-")
        text = f"[${colour}]{words}[/] · {formats.day(at)} {formats.clock(at)} IST"
        self.query_one("#clock", Static).update(text)


class FundsBar(Static):
    """Money that can be spent, cash, what orders hold, what of the day's sales can't be spent yet,
    what the holdings are worth, and what they and the day's positions have gained today."""

    def show_funds(self, account: Account, board: Board, is_live: bool, trouble: str) -> None:
        """Show the account's money and the live sums, or what keeps it from loading."""
        funds = account.funds
        self.set_class(funds is None, "-loading")
        if funds is None:
            waiting = Content.styled("Loading the account…", "$faint")
            failed = Content.styled(f"{trouble} · trying again", "$warning")
            self.update(failed if trouble else waiting)
            return
        sums = totals(live_holdings(account, board), live_positions(account, board))
        fields = [
            ("Available", f"[b]{formats.rupees(funds.available)}[/]"),
            ("Cash", formats.rupees(funds.cash)),
            ("Held", formats.rupees(funds.held)),
        ]
        if self.size.width >= 100:
            if funds.blocked:
                fields.append(("Blocked", formats.rupees(funds.blocked)))
            fields.append(("Holdings", formats.rupees(sums.value)))
        is_live = is_live and board.is_live(account.priced_symbols)
        gain = _MARKUP[tone(sums.day_gain) if is_live else "faint"]
        name = "Day P&L" if self.size.width >= 100 else "Day"
        fields.append((name, f"[{gain}]{formats.signed_rupees(sums.day_gain)}[/]"))
        if funds.borrowed:
            fields.append(("Borrowed", f"[$error]{formats.rupees(funds.borrowed)}[/]"))
        space = "    " if self.size.width >= 100 else "  "
        self.update(space.join(f"[$faint]{name}[/] {figure}" for name, figure in fields))
