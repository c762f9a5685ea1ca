"""The venue's rules: what happens to each request, as reports for brokers and prints for the feed.

Pure: no clock, no I/O. Every change of a client order is one report, folded into the register at
once; the caller journals the reports before any leaves the building. Rules follow FIX 4.4 volume 4
and its appendix D (order state changes).
"""

from collections.abc import Iterable
from typing import NamedTuple

from infra.exchange.book import Book, RestingOrder, Side
from infra.exchange.clock import Reading
from infra.exchange.drafting import (
    Change,
    Refusal,
    Stamp,
    cancel_reject,
    change_report,
    first_report,
    trade_report,
    unknown_order_report,
)
from infra.exchange.instruments import Instrument
from infra.exchange.prices import format_price
from infra.exchange.register import Order, Register
from infra.exchange.reports import (
    CxlRejReason,
    ExecType,
    OrdRejReason,
    OrdStatus,
    OrdType,
    Report,
    TimeInForce,
)
from infra.exchange.requests import (
    CancelRequest,
    NewOrder,
    ReplaceRequest,
    Request,
    StatusRequest,
)

MAX_ORDER_QUANTITY = 10_000_000
MAX_OPEN_ORDERS = 500_000
MAX_CL_ORD_ID = 64


class Print(NamedTuple):
    """A trade as the public sees it."""

    symbol: str
    price: int
    quantity: int


class Engine:
    """Books, bands and orders of all instruments. One thread calls it.

    `boot` numbers the runs of the venue over one journal: status answers are not journaled, and it
    keeps their ExecIDs unique over restarts. `previous_closes` are the bases of the bands.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        register: Register,
        *,
        boot: int = 0,
        previous_closes: dict[str, int] | None = None,
    ) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.books = {symbol: Book() for symbol in self.instruments}
        self.bands: dict[str, tuple[int, int]] = {}
        references = {i.symbol: i.reference_price for i in self.instruments.values()}
        self.set_bands(references | (previous_closes or {}))
        self.register = register
        self.trade_date = ""
        self.open = False
        self._time = ""
        self._boot = boot
        self._queries = 0
        self._reports: list[Report] = []
        self._prints: list[Print] = []
        for order in sorted(register.open.values(), key=lambda o: o.priority):
            if order.price is not None and order.time_in_force is TimeInForce.DAY:
                self._rest(order, order.price)

    def set_bands(self, previous_closes: dict[str, int]) -> None:
        """Set each symbol's price band from its previous close, in 1/10,000 rupee."""
        for symbol, instrument in self.instruments.items():
            self.bands[symbol] = instrument.band(previous_closes[symbol])

    def advance(self, reading: Reading) -> None:
        """Move to an instant of the business clock; DAY orders of an ended session expire."""
        now = reading.now
        self._time = f"{now:%Y%m%d-%H:%M:%S}.{now.microsecond // 1000:03d}"
        trade_date = f"{reading.trade_date:%Y%m%d}"
        first = not self.trade_date
        if (trade_date, reading.open) == (self.trade_date, self.open):
            return
        self.trade_date, self.open = trade_date, reading.open
        for order in list(self.register.open.values()):
            if not self.open or order.trade_date != trade_date:
                self._end(order, ExecType.EXPIRED, OrdStatus.EXPIRED, "end of the trading day")
            elif first and order.resting is None:
                # Killed between the halves of one journal write: an IOC's end was not written.
                self._end(order, ExecType.CANCELED, OrdStatus.CANCELED, "unfilled remainder")

    def drain(self) -> tuple[list[Report], list[Print]]:
        """Return what happened since the last call, in order."""
        outcome = self._reports, self._prints
        self._reports, self._prints = [], []
        return outcome

    def handle(self, request: Request) -> None:
        """Decide one request of a broker."""
        match request:
            case NewOrder():
                self._new(request)
            case CancelRequest():
                self._cancel(request)
            case ReplaceRequest():
                self._replace(request)
            case StatusRequest():
                self._answer_status(request)

    def trade_house(self, side: Side, symbol: str, limit: int, quantity: int) -> int:
        """Match an order of the house, which never rests here; return the quantity traded."""
        return self._match(None, symbol, side, limit, quantity)

    # -- New orders

    def _new(self, request: NewOrder) -> None:
        if self.register.knows(request.cl_ord_id):
            if request.poss_resend:
                self._answer_status(request)
            elif not request.poss_dup:
                duplicate = Refusal(OrdRejReason.DUPLICATE, "duplicate ClOrdID")
                self._emit(first_report(request, self._stamp(), 0, duplicate))
            return  # a possible duplicate that was processed is ignored (FIX 4.4 volume 2)
        order_id = self.register.next_order_id
        refusal = self._refusal(request)
        self._emit(first_report(request, self._stamp(), order_id, refusal))
        if refusal is None:
            self._work(self.register.orders[order_id])

    def _work(self, order: Order) -> None:
        """Match an order that just entered, or came back at another price; then rest or end it."""
        self._match(order, order.symbol, order.side, order.price, order.leaves)
        if not order.leaves:
            return
        if order.price is None or order.time_in_force is TimeInForce.IOC:
            self._end(order, ExecType.CANCELED, OrdStatus.CANCELED, "unfilled remainder")
        else:
            self._rest(order, order.price)

    def _refusal(self, request: NewOrder) -> Refusal | None:
        if len(request.cl_ord_id) > MAX_CL_ORD_ID:
            return Refusal(OrdRejReason.OTHER, f"ClOrdID is longer than {MAX_CL_ORD_ID}")
        if request.symbol not in self.instruments:
            return Refusal(OrdRejReason.UNKNOWN_SYMBOL, "unknown symbol")
        if not self.open:
            return Refusal(OrdRejReason.EXCHANGE_CLOSED, "the market is closed")
        if len(self.register.open) >= MAX_OPEN_ORDERS:
            return Refusal(OrdRejReason.EXCEEDS_LIMIT, "too many open orders at the venue")
        return self._terms_refusal(request)

    def _terms_refusal(self, request: NewOrder | ReplaceRequest) -> Refusal | None:
        """Check quantity and price against the instrument and the day's band."""
        if request.fault:
            return Refusal(OrdRejReason.OTHER, request.fault)
        if request.quantity > MAX_ORDER_QUANTITY:
            return Refusal(OrdRejReason.EXCEEDS_LIMIT, f"OrderQty is above {MAX_ORDER_QUANTITY}")
        instrument = self.instruments[request.symbol]
        if request.quantity <= 0 or request.quantity % instrument.lot:
            text = f"OrderQty is no positive multiple of {instrument.lot}"
            return Refusal(OrdRejReason.INCORRECT_QUANTITY, text)
        if request.price is None:
            return None
        low, high = self.bands[request.symbol]
        if not low <= request.price <= high:
            text = f"Price is outside the band {format_price(low)} to {format_price(high)}"
            return Refusal(OrdRejReason.OTHER, text)
        if request.price % instrument.tick:
            text = f"Price is no multiple of the tick {format_price(instrument.tick)}"
            return Refusal(OrdRejReason.OTHER, text)
        return None

    # -- Cancel and replace

    def _cancel(self, request: CancelRequest) -> None:
        order = self._target(request)
        if order is not None:
            self._end(
                order, ExecType.CANCELED, OrdStatus.CANCELED, "", request.cl_ord_id, request.session
            )

    def _replace(self, request: ReplaceRequest) -> None:
        order = self._target(request)
        if order is None:
            return
        refusal = self._terms_refusal(request)
        if request.ord_type is not OrdType.LIMIT:
            refusal = Refusal(CxlRejReason.OTHER, "a resting order is a limit order")
        if not self.open:
            refusal = Refusal(CxlRejReason.OTHER, "the market is closed")
        if refusal is not None:
            refusal = Refusal(CxlRejReason.OTHER, refusal.text)
            self._emit(cancel_reject(request, order, self._time, refusal))
            return
        in_place = request.price == order.price and request.quantity <= order.quantity
        # Appendix D, D.2 and D.3: a quantity at or below CumQty is amended to CumQty, which fills.
        quantity = max(request.quantity, order.cum)
        status = OrdStatus.PARTIALLY_FILLED if order.cum else OrdStatus.NEW
        if quantity == order.cum:
            status = OrdStatus.FILLED
        resting = order.resting
        if resting is not None and (status.final or not in_place):
            self.books[order.symbol].remove(resting)
            order.resting = None
        change = Change(
            exec_type=ExecType.REPLACED,
            status=status,
            quantity=quantity,
            price=request.price,
            cl_ord_id=request.cl_ord_id,
            orig_cl_ord_id=request.orig_cl_ord_id,
        )
        self._emit(change_report(request.session, order, self._stamp(), change))
        if status.final:
            return
        if in_place and resting is not None:
            self.books[order.symbol].resize(resting, order.leaves)
        else:
            self._work(order)

    def _target(self, request: CancelRequest | ReplaceRequest) -> Order | None:
        """Return the order a request may change; otherwise answer it and return None."""
        if self.register.knows(request.cl_ord_id):
            if request.poss_dup:
                return None
            if request.poss_resend:
                known = self.register.find(request.cl_ord_id)
                if known is not None:
                    self._emit_status(request.session, known)
                    return None
        order = self.register.find(request.orig_cl_ord_id)
        refusal = self._target_refusal(request, order)
        if refusal is None:
            return order
        self._emit(cancel_reject(request, order, self._time, refusal))
        return None

    def _target_refusal(
        self, request: CancelRequest | ReplaceRequest, order: Order | None
    ) -> Refusal | None:
        if order is None:
            return Refusal(CxlRejReason.UNKNOWN_ORDER, "unknown order")
        if self.register.knows(request.cl_ord_id):
            return Refusal(CxlRejReason.DUPLICATE, "duplicate ClOrdID")
        if len(request.cl_ord_id) > MAX_CL_ORD_ID:
            return Refusal(CxlRejReason.OTHER, f"ClOrdID is longer than {MAX_CL_ORD_ID}")
        if order.status.final:
            return Refusal(CxlRejReason.TOO_LATE, "too late to change: the order is final")
        if request.orig_cl_ord_id != order.cl_ord_id:
            return Refusal(CxlRejReason.OTHER, f"the order's ClOrdID is now {order.cl_ord_id}")
        if (request.symbol, request.side) != (order.symbol, order.side):
            return Refusal(CxlRejReason.OTHER, "Symbol or Side differs from the order's")
        return None

    # -- Status

    def _answer_status(self, request: StatusRequest | NewOrder) -> None:
        order = self.register.find(request.cl_ord_id)
        if order is None:
            self._reports.append(unknown_order_report(request, self._query_stamp()))
        else:
            self._emit_status(request.session, order)

    def _emit_status(self, session: str, order: Order) -> None:
        change = Change(
            exec_type=ExecType.STATUS,
            status=order.status,
            quantity=order.quantity,
            price=order.price,
            cl_ord_id=order.cl_ord_id,
            text=order.text,
        )
        # A status changes nothing: it is not folded into the register.
        self._reports.append(change_report(session, order, self._query_stamp(), change))

    # -- Parts

    def _match(
        self, taker: Order | None, symbol: str, side: Side, limit: int | None, quantity: int
    ) -> int:
        traded = 0
        for fill in self.books[symbol].match(side, limit, quantity):
            traded += fill.quantity
            self._prints.append(Print(symbol, fill.price, fill.quantity))
            if fill.maker.order_id:
                maker = self.register.orders[fill.maker.order_id]
                self._emit(trade_report(maker, self._stamp(), fill.price, fill.quantity))
                if maker.status.final:
                    maker.resting = None
            if taker is not None:
                self._emit(trade_report(taker, self._stamp(), fill.price, fill.quantity))
        return traded

    def _rest(self, order: Order, price: int) -> None:
        order.resting = RestingOrder(order.side, price, order.leaves, order.order_id)
        self.books[order.symbol].rest(order.resting)

    def _end(
        self,
        order: Order,
        exec_type: ExecType,
        status: OrdStatus,
        text: str,
        cl_ord_id: str = "",
        session: str = "",
    ) -> None:
        """End an order; `cl_ord_id` and `session` are those of the request that asked for it."""
        if order.resting is not None:
            self.books[order.symbol].remove(order.resting)
            order.resting = None
        change = Change(
            exec_type=exec_type,
            status=status,
            quantity=order.quantity,
            price=order.price,
            cl_ord_id=cl_ord_id or order.cl_ord_id,
            orig_cl_ord_id=order.cl_ord_id if cl_ord_id else "",
            text=text,
        )
        stamp = self._stamp()._replace(trade_date=order.trade_date)
        self._emit(change_report(session or order.session, order, stamp, change))

    def _emit(self, report: Report) -> None:
        self.register.apply(report)
        self._reports.append(report)

    def _stamp(self) -> Stamp:
        number = self.register.last_execution + 1
        return Stamp(f"{self.trade_date}-{number}", self.trade_date, self._time)

    def _query_stamp(self) -> Stamp:
        self._queries += 1
        exec_id = f"{self.trade_date}-Q{self._boot}-{self._queries}"
        return Stamp(exec_id, self.trade_date, self._time)
