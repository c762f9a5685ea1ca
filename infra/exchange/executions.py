"""Trades and the ends of orders: everything that becomes a report, a print or an announcement.

Pure: no clock, no I/O. Every change of a client order is one report, folded into the register at
once; the caller journals the reports before any leaves the building. Rules follow FIX 4.4 volume 4
and its appendix D (order state changes).
"""

from datetime import UTC, datetime
from typing import NamedTuple

from infra.exchange import auction
from infra.exchange.boards import Board
from infra.exchange.book import RestingOrder, Side
from infra.exchange.clock import IST, utc_timestamp
from infra.exchange.drafting import Change, Execution, Stamp, change_report, trade_report
from infra.exchange.notices import Notice
from infra.exchange.phases import Matching
from infra.exchange.register import Order, Register
from infra.exchange.reports import (
    ExecType,
    Liquidity,
    OrdStatus,
    Report,
    Restatement,
    TimeInForce,
)

SELF_TRADE = "self-trade prevention"


class Print(NamedTuple):
    """A trade as the public sees it."""

    symbol: str
    price: int
    quantity: int


class Executions:
    """Makes reports of what happens to orders on all boards. One thread calls it.

    `boot` numbers the runs of the venue over one journal: status answers are not journaled, and it
    keeps their ExecIDs unique over restarts. `flexing` collects the symbols whose band is to flex,
    with the direction.
    """

    def __init__(self, register: Register, *, boot: int = 0) -> None:
        self.register = register
        self.trade_date = ""
        self.time = ""
        self.now = datetime.min.replace(tzinfo=UTC)
        self.flexing: dict[str, int] = {}
        self._boot = boot
        self._queries = 0
        self._reports: list[Report] = []
        self._prints: list[Print] = []
        self._notices: list[Notice] = []

    def set_time(self, now: datetime) -> None:
        """Move to an instant of the business clock."""
        self.now = now
        self.time = utc_timestamp(now)
        self.trade_date = f"{now.astimezone(IST):%Y%m%d}"

    def drain(self) -> tuple[list[Report], list[Print]]:
        """Return the reports and trades since the last call, each in order."""
        drained = self._reports, self._prints
        self._reports, self._prints = [], []
        return drained

    def drain_notices(self) -> list[Notice]:
        """Return the announcements since the last call."""
        notices, self._notices = self._notices, []
        return notices

    # -- Reports

    def emit(self, report: Report) -> None:
        """Make a report part of the state, and let it leave."""
        self.register.apply(report)
        self._reports.append(report)

    def answer(self, report: Report) -> None:
        """Let a report leave that changes nothing: a status."""
        self._reports.append(report)

    def announce(self, notice: Notice) -> None:
        """Let an announcement leave."""
        self._notices.append(notice)

    def stamp(self) -> Stamp:
        """Return the stamp of the next report."""
        number = self.register.last_execution + 1
        return Stamp(f"{self.trade_date}-{number}", self.trade_date, self.time)

    def query_stamp(self) -> Stamp:
        """Return the stamp of an answer that changes nothing."""
        self._queries += 1
        exec_id = f"{self.trade_date}-Q{self._boot}-{self._queries}"
        return Stamp(exec_id, self.trade_date, self.time)

    # -- Continuous trading

    def work(self, board: Board, order: Order) -> None:
        """Match an order that just entered, or came back at another price; then rest or end it."""
        limit = order.price
        if limit is None and board.rules.matching is Matching.AT_CLOSE:
            limit = board.close
        self.match(board, order, order.side, limit, order.leaves)
        if not order.leaves:
            return
        if limit is None or order.time_in_force is TimeInForce.IOC:
            self.end(board, order, ExecType.CANCELED, "unfilled remainder")
            return
        if order.price is None:
            self._restate(board, order, limit)
        self.rest(board, order)

    def match(
        self, board: Board, taker: Order | None, side: Side, limit: int | None, quantity: int
    ) -> int:
        """Trade an arriving order, of a client or of the house, and return how much traded."""
        traded = 0
        owner = taker.account if taker else ""
        for fill in board.book.match(side, limit, quantity, owner):
            maker = self.register.orders[fill.maker.order_id] if fill.maker.order_id else None
            if fill.quantity:
                traded += fill.quantity
                self._trade(board, fill.price, fill.quantity, maker, taker, continuous=True)
            elif maker is not None:
                maker.resting = None
                self.end(board, maker, ExecType.CANCELED, SELF_TRADE, unasked=True)
        return traded

    def rest(self, board: Board, order: Order) -> None:
        """Put a limit order into the book."""
        if order.price is None:
            raise AssertionError("a market order cannot rest")
        shown = order.shown or order.leaves
        order.resting = RestingOrder(
            order.side,
            order.price,
            shown,
            order.order_id,
            order.account,
            order.display,
            order.leaves - shown,
        )
        board.book.rest(order.resting)

    def end(
        self,
        board: Board,
        order: Order,
        exec_type: ExecType,
        text: str,
        cl_ord_id: str = "",
        session: str = "",
        *,
        unasked: bool = False,
    ) -> None:
        """End an order; `cl_ord_id` and `session` are those of the request that asked for it.
        `unasked` when the venue cancels it by a rule of its own.
        """
        self.withdraw(board, order)
        expired = exec_type is ExecType.EXPIRED
        change = Change(
            exec_type=exec_type,
            status=OrdStatus.EXPIRED if expired else OrdStatus.CANCELED,
            quantity=order.quantity,
            price=order.price,
            cl_ord_id=cl_ord_id or order.cl_ord_id,
            orig_cl_ord_id=order.cl_ord_id if cl_ord_id else "",
            text=text,
            display=order.display,
            restatement=Restatement.MARKET_OPTION if unasked else Restatement.NONE,
        )
        stamp = self.stamp()._replace(trade_date=order.trade_date)
        self.emit(change_report(session or order.session, order, stamp, change))

    def withdraw(self, board: Board, order: Order) -> None:
        """Take an order out of the book, or from the market orders of an auction."""
        board.at_market.pop(order.order_id, None)
        if order.resting is not None:
            board.book.remove(order.resting)
            order.resting = None

    # -- Call auctions

    def uncross(self, board: Board) -> int:
        """Match a board's collected orders at one price and return it; 0 when nobody meets.

        Market orders that remain become limit orders at that price, or at the auction's reference.
        """
        buys, sells = (self._bids(board, side) for side in (Side.BUY, Side.SELL))
        result = auction.equilibrium(buys, sells, board.auction_reference)
        if result is not None:
            for buyer, seller, quantity in list(auction.pairs(buys, sells, result)):
                self._reduce(board, buyer, quantity)
                self._reduce(board, seller, quantity)
                self._trade(
                    board, result.price, quantity, buyer.order, seller.order, continuous=False
                )
        price = result.price if result else 0
        for order in list(board.at_market.values()):
            del board.at_market[order.order_id]
            if order.leaves:
                self._restate(board, order, price or board.auction_reference)
                self.rest(board, order)
        return price

    def _bids(self, board: Board, side: Side) -> list[auction.Bid]:
        orders = self.register.orders
        at_market = [
            auction.Bid(None, order.leaves, order)
            for order in board.at_market.values()
            if order.side is side
        ]
        return at_market + [
            auction.Bid(waiting.price, waiting.total, orders.get(waiting.order_id), waiting)
            for waiting in board.book.orders(side)
        ]

    def _reduce(self, board: Board, bid: auction.Bid, quantity: int) -> None:
        if bid.resting is not None:
            board.book.reduce(bid.resting, bid.resting.total - quantity)

    # -- Parts

    def _trade(
        self,
        board: Board,
        price: int,
        quantity: int,
        first: Order | None,
        second: Order | None,
        *,
        continuous: bool,
    ) -> None:
        """Print a trade and report it to its clients; the order that waited comes first."""
        self._prints.append(Print(board.symbol, price, quantity))
        way = board.record(price, quantity)
        if way:
            self.flexing[board.symbol] = way
        number = self.register.last_trade + 1
        sides = ((first, Liquidity.ADDED), (second, Liquidity.REMOVED))
        for order, liquidity in sides:
            if order is None:
                continue
            part = Execution(number, price, quantity, liquidity if continuous else Liquidity.NONE)
            self.emit(trade_report(order, self.stamp(), part))
            if order.status.final:
                order.resting = None

    def _restate(self, board: Board, order: Order, price: int) -> None:
        """Turn a market order into a limit order, as the rules of auctions have it."""
        change = Change(
            exec_type=ExecType.RESTATED,
            status=order.status,
            quantity=order.quantity,
            price=price,
            cl_ord_id=order.cl_ord_id,
            text="a market order became a limit order",
            restatement=Restatement.REPRICED,
        )
        self.emit(change_report(order.session, order, self.stamp(), change))
