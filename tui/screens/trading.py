"""The trading screen: prices, ticket, orders, holdings, positions and money on one page.

Invariant: workers only post messages; the handlers here alone change what the screen knows
(`_board`, `_account`, `_market`, `_link`) and show it. Prices are shown at most FLUSHES_PER_S
times a second.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.events import Resize
from textual.timer import Timer
from textual.widgets import Footer
from textual.worker import WorkType

from tui.alert_bell import AlertBell
from tui.client.broker import Broker, Feed, Link
from tui.client.journal import Journal
from tui.client.models import Alert, Profile
from tui.client.watchlist import WatchlistFile
from tui.desk import PREVIEW_EVERY_S, TYPING_PAUSE_S, Desk
from tui.fill_news import FillNews
from tui.halt_banner import HaltBanner, show_market
from tui.list_keeper import ListKeeper
from tui.messages import (
    AccountChanged,
    AccountLoaded,
    BrokerNotice,
    DraftChanged,
    HistoryTold,
    InstrumentFound,
    LinkChanged,
    MarketTold,
    OrderAnswered,
    OrderRefused,
    OrderReviewed,
    PlanTold,
    PositionsLoaded,
    PreviewArrived,
    QuotesChanged,
    SymbolUnknown,
)
from tui.screens.finding import Finding
from tui.screens.order_desk import OrderDesk
from tui.screens.reviews import order_review
from tui.screens.trading_keys import TradingKeys
from tui.screens.watching import Watching
from tui.state.account import Account, apply, apply_order, apply_plan
from tui.state.alerts import News, became, told
from tui.state.listing import Listing, found, not_tradable
from tui.state.market import MarketClock
from tui.state.quotes import Board, apply_quotes, disconnected, watching
from tui.widgets.bars import FundsBar, TitleBar
from tui.widgets.blotter import Blotter
from tui.widgets.books import Books
from tui.widgets.live_table import LiveTable
from tui.widgets.panes import Panes
from tui.widgets.plans import Plans
from tui.widgets.ticket import Ticket
from tui.widgets.waiting import Waiting
from tui.widgets.watchlist import Watchlist

FLUSHES_PER_S = 10
WATCH_PAUSE_S = 0.2
"""However fast a table is scrolled, its subscription follows at most so often."""


class TradingScreen(TradingKeys):
    """One signed-in user's desk."""

    def __init__(
        self,
        broker: Broker,
        feed: Feed,
        profile: Profile,
        journal: Journal,
        watchlist: WatchlistFile,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self._broker = broker
        self._feed = feed
        self._profile = profile
        self._journal = journal
        self._now = now
        self._board = Board()
        self._account = Account()
        self._market: MarketClock | None = None
        self._link = Link.CONNECTING
        self._ticket_symbol = ""
        self._listing = Listing()
        self._link_detail = ""
        self._flush_timer: Timer | None = None
        symbols, self._file_trouble = watchlist.read_or_default()
        keeper = ListKeeper(self.post_message, broker, symbols)
        self._watching = Watching(
            self, keeper, watchlist, profile.mode, symbols, self._symbols_changed
        )
        self._watch_timer: Timer | None = None
        self._is_paused = False
        self._desk = Desk(self.post_message, broker, feed, journal, now)
        self._fill_news = FillNews(self.notify, self.set_timer)
        self._orders = OrderDesk(self, self._desk, profile.mode)
        self._bell = AlertBell(self.notify, self._show_unread)
        state = (lambda: self._board), (lambda: self._account)
        self._finding = Finding(
            self, broker, *state, self._watch, self._watching.add, self._begin_ticket
        )

    def compose(self) -> ComposeResult:
        yield TitleBar(self._profile.mode, self._profile.username)
        yield HaltBanner()
        yield FundsBar()
        yield Panes(self._profile.mode)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        if self._file_trouble:
            self.notify(self._file_trouble, severity="warning", markup=False)
        self._watch()
        self._show_prices()
        self._show_account()
        self.set_interval(1.0, self._tick)
        self.set_interval(PREVIEW_EVERY_S, self._preview_open_ticket)
        self.set_focus(self.query_one(Watchlist))
        self.run_worker(self._desk.follow(), group="follow", exclusive=True)
        self.run_worker(self._desk.watch_market(self._profile.mode), group="market")

    def on_resize(self, event: Resize) -> None:
        self.query_one(Panes).arrange_for(event.size)
        self.call_after_refresh(self._show_funds)

    # What the broker says

    @on(QuotesChanged)
    def _quotes_changed(self) -> None:
        if self._flush_timer is None:
            self._flush()

    def _flush(self) -> None:
        """Show what has arrived, then rest a tenth of a second while more may change."""
        self._flush_timer = None
        if self._is_paused:
            return
        quotes = self._desk.follower.take_quotes()
        now = time.monotonic()
        if quotes:
            self._board = apply_quotes(self._board, quotes, now)
        self._board = replace(self._board, stale=self._desk.follower.stale_symbols)
        with self.app.batch_update():
            self._show_prices()
        if quotes or self._board.has_lit(now):
            self._flush_timer = self.set_timer(1 / FLUSHES_PER_S, self._flush)

    @on(AccountLoaded)
    def _account_loaded(self, message: AccountLoaded) -> None:
        self._take_account(message.account)

    @on(AccountChanged)
    def _account_changed(self, message: AccountChanged) -> None:
        fills, account = self._account.fills, self._account
        for event in message.events:
            account = apply(account, event)
        told_now = [told(event) for event in message.events if isinstance(event, Alert)]
        self._take_account(account, told_now)
        self._orders.read_plans(account, message.events)
        if news := [each for key, each in self._account.fills.items() if key not in fills]:
            self._fill_news.add(news)
            self._ask("positions", self._desk.load_positions)

    def _take_account(self, account: Account, news: Sequence[News] = ()) -> None:
        """Know the account as it now stands, and tell what became of it meanwhile."""
        before, self._account = self._account, account
        self._bell.ring([*news, *became(before, account)], self._business_now)
        self._watch()
        self._show_account()

    @on(PositionsLoaded)
    def _positions_loaded(self, message: PositionsLoaded) -> None:
        self._account = self._account.with_positions(message.positions)
        self._watch()
        self._show_prices()

    @on(MarketTold)
    def _market_told(self, message: MarketTold) -> None:
        before, self._market = self._market, message.market
        if before is not None and before.status.phase != message.market.status.phase:
            self._preview_again()
        self._tick()
        self.query_one(Blotter).show_today(self._account, message.market.status.trade_date)

    @on(LinkChanged)
    def _link_changed(self, message: LinkChanged) -> None:
        was_live = self._link is Link.LIVE
        if message.link is Link.RECONNECTING:
            self._board = disconnected(self._board)
        self._link, self._link_detail = message.link, message.detail
        if message.link is Link.LIVE:
            self._learn()
            self._watching.read()
        elif was_live and message.link is Link.RECONNECTING:
            self.notify(f"{message.detail}. Connecting again…", severity="warning", markup=False)
        self._show_prices()

    @on(BrokerNotice)
    def _broker_notice(self, message: BrokerNotice) -> None:
        self.notify(message.text or message.code, severity="warning", markup=False)

    # What the user does

    @on(DraftChanged)
    def _draft_changed(self, message: DraftChanged) -> None:
        if message.symbol != self._ticket_symbol:
            self._ticket_symbol = message.symbol
            self._watch()
            self._show_ltp()
            self._learn_typed()
        if message.request is not None:
            self._ask("preview", partial(self._desk.preview, message.request))
        else:
            self.workers.cancel_group(self, "preview")

    def _preview_open_ticket(self) -> None:
        """While the ticket is being written in, its verdict is of now."""
        if self.query_one(Ticket).has_focus_within:
            self._preview_again()

    def _preview_again(self) -> None:
        request = self.query_one(Ticket).request
        if request is not None:
            self._ask("preview", partial(self._desk.preview_again, request))

    @on(PreviewArrived)
    def _preview_arrived(self, message: PreviewArrived) -> None:
        self.query_one(Ticket).show_preview(message.request, message.preview)

    @on(InstrumentFound)
    def _instrument_found(self, message: InstrumentFound) -> None:
        symbol = message.instrument.symbol
        self._listing = found(self._listing, message.instrument)
        first = self._listing.first_tradable(self._watching.symbols)
        if first is not None:
            self.query_one(Watchlist).start_on(first)
        if symbol == self._ticket_symbol:
            self._watch()
            if self._listing.is_index(symbol):
                refusal = {"symbol": "not tradable", "order": not_tradable(symbol)}
                self.query_one(Ticket).remark(refusal)

    @on(SymbolUnknown)
    def _symbol_unknown(self, message: SymbolUnknown) -> None:
        if message.symbol == self._ticket_symbol:
            self.query_one(Ticket).remark({"symbol": "not listed"})

    @on(OrderReviewed)
    def _order_reviewed(self, message: OrderReviewed) -> None:
        request, ltp = message.request, self._board.ltp(message.request.symbol)
        review = order_review(request, message.preview, ltp, self._profile.mode)

        def send(is_accepted: bool | None) -> None:
            if is_accepted:
                self.run_worker(self._desk.place(request, self._business_now), group="orders")

        self.app.push_screen(review, send)

    @on(OrderAnswered)
    def _order_answered(self, message: OrderAnswered) -> None:
        self._take_account(apply_order(self._account, message.order))
        if message.is_placed:
            self._leave_ticket()
            self.query_one(Blotter).cursor_key = message.order.order_id

    @on(PlanTold)
    def _plan_told(self, message: PlanTold) -> None:
        self._take_account(apply_plan(self._account, message.plan))
        self._orders.show_plan(message.plan)
        if message.is_placed:
            self._leave_ticket()
            self._orders.open_desk(Plans, self._account)
            self.query_one(Plans).cursor_key = message.plan.plan_id

    @on(HistoryTold)
    def _history_told(self, message: HistoryTold) -> None:
        self._orders.show_history(message)

    @on(OrderRefused)
    def _order_refused(self, message: OrderRefused) -> None:
        self.query_one(Ticket).show_refusal(message.errors)

    @on(LiveTable.Chosen)
    def _row_chosen(self, message: LiveTable.Chosen) -> None:
        if isinstance(message.table, Watchlist):
            self._begin_ticket(message.key, None)
        elif isinstance(message.table, Blotter | Waiting | Plans):
            self._orders.inspect(self._account)

    @on(LiveTable.Scrolled, "Watchlist")
    def _watchlist_scrolled(self) -> None:
        if self._watch_timer is None:
            self._watch_timer = self.set_timer(WATCH_PAUSE_S, self._watch)

    @on(LiveTable.Moved, "Blotter, Waiting, Plans")
    def _order_selected(self) -> None:
        self._orders.explain(self._account)

    # Showing

    def _show_prices(self) -> None:
        is_live = self._link is Link.LIVE
        self.query_one(TitleBar).show_link(
            self._link, is_stale=bool(self._board.stale), is_paused=self._is_paused
        )
        self._show_watchlist()
        self._show_ltp()
        self.query_one(Books).show_books(self._account, self._board, is_live)
        at = self._today, self._business_now
        self._orders.show_prices(self._account, self._board, is_live, *at)
        self._show_funds()

    def _show_watchlist(self) -> None:
        is_live, now = self._link is Link.LIVE, time.monotonic()
        self.query_one(Watchlist).show_prices(self._watching.symbols, self._board, is_live, now)

    def _show_ltp(self) -> None:
        symbol = self._ticket_symbol
        is_stale = not self._board.is_live([symbol])
        self.query_one(Ticket).show_ltp(symbol, self._board.ltp(symbol), is_stale=is_stale)

    def _show_account(self) -> None:
        with self.app.batch_update():
            self._orders.show_account(self._account)
            self._show_prices()

    def _show_funds(self) -> None:
        bar, is_live = self.query_one(FundsBar), self._link is Link.LIVE
        bar.show_funds(self._account, self._board, is_live, self._link_detail)

    def _show_unread(self, count: int) -> None:
        self.query_one(TitleBar).show_unread(count)

    @property
    def _business_now(self) -> datetime | None:
        return None if self._market is None else self._market.at(self._now())

    @property
    def _today(self) -> date | None:
        return None if self._market is None else self._market.status.trade_date

    def _leave_ticket(self) -> None:
        self.query_one(Ticket).clear()
        self.set_focus(self.query_one(Watchlist))

    def _tick(self) -> None:
        show_market(self, self._market, self._now())
        if self._link is not Link.LIVE or self._board.stale or self._board.unheard:
            self._show_watchlist()  # their age goes on

    def _watch(self) -> None:
        """Subscribe what is in view of the watchlist, what the account's sums count, and the
        ticket's symbol, once known."""
        self._watch_timer = None
        typed = {self._ticket_symbol} & self._listing.known.keys()
        visible = self.query_one(Watchlist).visible_keys
        watched = {
            *visible,
            *self._account.priced_symbols,
            *typed,
            *self._finding.symbols,
        }
        self._board = watching(self._board, watched)
        self._feed.watch(watched)
        self._desk.follower.watching(watched)

    def _learn(self) -> None:
        """Ask about the watchlist's symbols not known yet: not all that has a price can trade."""
        if unknown := self._listing.unknown(self._watching.symbols):
            self._ask("watchlist", partial(self._desk.look_up, unknown))

    def _learn_typed(self) -> None:
        """Ask about the ticket's symbol when it is not known yet."""
        unknown = self._listing.unknown([self._ticket_symbol] if self._ticket_symbol else [])
        self._ask("symbol", partial(self._desk.look_up, unknown, TYPING_PAUSE_S))

    def _ask(self, group: str, question: WorkType[None]) -> None:
        """Ask the broker; a newer question of the group takes this one's place."""
        self.run_worker(question, group=group, exclusive=True)

    def _symbols_changed(self) -> None:
        self._watch()
        self._learn()
        self._show_prices()
