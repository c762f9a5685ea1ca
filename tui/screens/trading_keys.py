"""Where the keys of the registry lead on the trading screen: its tables, and the dialogs over it.

What a key needs to know is the screen's; nothing here changes it.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from tui.actions import TRADING, bindings
from tui.alert_bell import AlertBell
from tui.client.broker import Broker, Link
from tui.client.prices import Found
from tui.desk import Desk
from tui.messages import WatchlistMoved, WatchlistsTold, WhyTold
from tui.screens.alerts import AlertsDialog
from tui.screens.dialogs import HelpDialog
from tui.screens.finding import Finding
from tui.screens.order_desk import OrderDesk
from tui.screens.watching import Watching
from tui.state import formats
from tui.state.account import Account
from tui.state.listing import Listing, not_tradable
from tui.state.quotes import Board
from tui.widgets.blotter import Blotter
from tui.widgets.books import Books
from tui.widgets.plans import Plans
from tui.widgets.ticket import Ticket
from tui.widgets.waiting import Waiting
from tui.widgets.watchlist import Watchlist


class TradingKeys(Screen[None]):
    """The part of the trading screen that goes from one place to another."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(TRADING)

    _account: Account
    _orders: OrderDesk
    _bell: AlertBell
    _desk: Desk
    _broker: Broker
    _finding: Finding
    _watching: Watching
    _now: Callable[[], datetime]
    _link: Link
    _is_paused: bool
    _board: Board
    _listing: Listing

    def _flush(self) -> None:
        raise NotImplementedError

    def _show_prices(self) -> None:
        raise NotImplementedError

    @property
    def _today(self) -> date | None:
        """The trade date, None while it is not known."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a field is being typed in, letters are text: only what leaves it is offered."""
        focused = self.focused
        is_writing = focused is not None and any(
            isinstance(each, Ticket) for each in focused.ancestors
        )
        if action == "leave":
            return is_writing
        typing = is_writing and isinstance(focused, Input)
        return not (typing and action in {each.name.partition("(")[0] for each in TRADING})

    def action_market(self) -> None:
        self._orders.open_market()
        self.set_focus(self.query_one(Watchlist))

    action_watchlist = action_leave = action_market

    def action_desk(self) -> None:
        self._orders.open_desk(Blotter, self._account)

    def action_waiting(self) -> None:
        self._orders.open_desk(Waiting, self._account)

    def action_plans(self) -> None:
        self._orders.open_desk(Plans, self._account)

    def action_orders(self) -> None:
        self.query_one(Books).close()
        self.query_one(Blotter).focus_working(self._account)

    def action_holdings(self) -> None:
        self._orders.open_market()
        self.query_one(Books).open_holdings()

    def action_positions(self) -> None:
        self._orders.open_market()
        self.query_one(Books).open_positions()

    def action_buy(self) -> None:
        self._begin_ticket(self._selected_symbol(), "BUY")

    def action_sell(self) -> None:
        self._begin_ticket(self._selected_symbol(), "SELL")

    def action_why(self) -> None:
        self._orders.explain_order(self._account)

    @on(WhyTold)
    def _why_told(self, message: WhyTold) -> None:
        self._orders.show_why(message)

    def action_modify(self) -> None:
        self._orders.modify(self._account)

    def action_cancel(self) -> None:
        self._orders.cancel(self._account)

    def action_alerts(self) -> None:
        def go(order_id: str | None) -> None:
            if order_id is not None:
                self._orders.go_to(order_id)

        self.app.push_screen(AlertsDialog(self._bell.look(), self._today), go)

    def action_log_out(self) -> None:
        """What follows the session stops first: it would take the end of it for a fault."""
        self.workers.cancel_node(self)
        self.app.run_worker(self._desk.log_out(), group="log-out", exclusive=True)

    def action_help(self) -> None:
        self.app.push_screen(HelpDialog())

    @on(WatchlistsTold)
    def _watchlists_told(self, message: WatchlistsTold) -> None:
        self._watching.told(message)

    @on(WatchlistMoved)
    def _watchlist_moved(self, message: WatchlistMoved) -> None:
        self._watching.moved(message)

    def action_reconnect(self) -> None:
        if self._link is Link.REPLACED:
            self.run_worker(self._desk.follow(), group="follow", exclusive=True)

    def action_pause(self) -> None:
        """Hold the prices still, or go on with the last of each."""
        self._is_paused = not self._is_paused
        self._show_prices()
        if not self._is_paused:
            self._flush()

    def action_search(self) -> None:
        self._finding.search(self._day)

    def action_chart(self) -> None:
        if (symbol := self._selected_symbol()) is not None:
            self.open_chart(symbol)

    def open_chart(self, symbol: str) -> None:
        self._finding.chart(symbol, self._day)

    async def find(self, text: str) -> Found:
        """What the broker's search finds. Raises as the broker does."""
        return await self._broker.search(text)

    def action_remove(self) -> None:
        selected = self.query_one(Watchlist).cursor_key
        if self.focused is self.query_one(Watchlist) and selected is not None:
            self._watching.remove(selected)

    def action_list(self, step: int) -> None:
        self._watching.switch(step)

    def action_open_list(self) -> None:
        self._watching.open()

    def action_drop_list(self) -> None:
        self._watching.drop()

    @property
    def _day(self) -> date:
        """The market's, and this machine's until that is known."""
        return self._today or self._now().astimezone(formats.IST).date()

    def _begin_ticket(self, symbol: str | None, side: str | None) -> None:
        self._orders.open_market()
        ticket = self.query_one(Ticket)
        if symbol is not None and not self._listing.is_index(symbol):
            ticket.begin(symbol, side, self._board.ltp(symbol))
            return
        ticket.begin("", side, None)
        if symbol is not None:
            ticket.remark({"order": not_tradable(symbol)})

    def _selected_symbol(self) -> str | None:
        """The symbol under the cursor of the table in focus, else of the watchlist."""
        if isinstance(self.focused, Blotter | Waiting | Plans):
            selected = self._orders.selected(self._account)
            return None if selected is None else selected.symbol
        return self.query_one(Books).selected_symbol or self.query_one(Watchlist).cursor_key
