"""What happens to each request of a broker, by the phase its share is in.

Pure: no clock, no I/O; `Executions` makes the reports. Rules follow FIX 4.4 volume 4 and its
appendix D (order state changes).
"""

from dataclasses import replace

from infra.exchange import admission
from infra.exchange.boards import Board
from infra.exchange.book import Side
from infra.exchange.drafting import (
    Change,
    Refusal,
    cancel_reject,
    change_report,
    first_report,
    no_orders_report,
    unknown_order_report,
)
from infra.exchange.executions import SELF_TRADE, Executions
from infra.exchange.floor import Floor
from infra.exchange.register import Order, Register, keeps_place
from infra.exchange.reports import (
    ExecType,
    ExecutionReport,
    MassCancelReport,
    MassStatus,
    OrdRejReason,
    OrdStatus,
)
from infra.exchange.requests import (
    CancelRequest,
    MassCancelRequest,
    MassStatusRequest,
    NewOrder,
    PhaseRequest,
    ReplaceRequest,
    Request,
    StatusRequest,
)


class Engine:
    """Requests in, reports out. One thread calls it."""

    def __init__(self, floor: Floor, executions: Executions) -> None:
        self._floor = floor
        self._boards = floor.boards
        self._executions = executions
        self._register: Register = executions.register
        for order in sorted(self._register.open.values(), key=lambda o: o.priority):
            board = self._boards[order.symbol]
            if order.price is not None:
                executions.rest(board, order)
            else:
                board.at_market[order.order_id] = order

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
            case MassStatusRequest():
                self._answer_mass_status(request)
            case MassCancelRequest():
                self._mass_cancel(request)
            case PhaseRequest(session, req_id):
                self._floor.tell_phase(session, req_id)

    def trade_house(self, side: Side, symbol: str, limit: int, quantity: int) -> int:
        """Match an order of the house, which never rests here; return the quantity traded."""
        return self._executions.match(self._boards[symbol], None, side, limit, quantity)

    # -- New orders

    def _new(self, request: NewOrder) -> None:
        executions = self._executions
        if self._register.knows(request.cl_ord_id):
            if request.poss_resend:
                self._answer_status(request)
            elif not request.poss_dup:
                duplicate = Refusal(OrdRejReason.DUPLICATE, "duplicate ClOrdID")
                executions.emit(first_report(request, executions.stamp(), 0, duplicate))
            return  # a possible duplicate that was processed is ignored (FIX 4.4 volume 2)
        order_id = self._register.next_order_id
        board = self._boards.get(request.symbol)
        refusal = admission.new_refusal(request, board, self._register)
        executions.emit(first_report(request, executions.stamp(), order_id, refusal))
        if refusal is None and board is not None:
            self._admit(board, self._register.orders[order_id])

    def _admit(self, board: Board, order: Order) -> None:
        """Let an order trade at once, or collect it for the auction."""
        if not board.rules.collects:
            self._executions.work(board, order)
        elif _meets_itself(board, order):
            # In a call auction it is the arriving order that goes (NSE, self-trade prevention).
            self._executions.end(board, order, ExecType.CANCELED, SELF_TRADE, unasked=True)
        elif order.price is None:
            board.at_market[order.order_id] = order
        else:
            self._executions.rest(board, order)

    # -- Cancel and replace

    def _cancel(self, request: CancelRequest) -> None:
        order = self._target(request)
        if order is None:
            return
        board = self._boards[order.symbol]
        refusal = admission.cancel_refusal(order, board)
        if refusal is not None:
            self._refuse(request, order, refusal)
            return
        self._executions.end(
            board, order, ExecType.CANCELED, "", request.cl_ord_id, request.session
        )

    def _replace(self, request: ReplaceRequest) -> None:
        order = self._target(request)
        if order is None:
            return
        board = self._boards[order.symbol]
        refusal = admission.change_refusal(request, order, board)
        if refusal is not None:
            self._refuse(request, order, refusal)
            return
        stays = keeps_place(order, request) and order.resting is not None
        # Appendix D, D.2 and D.3: a quantity at or below CumQty is amended to CumQty, which fills.
        quantity = max(request.quantity, order.cum)
        status = OrdStatus.PARTIALLY_FILLED if order.cum else OrdStatus.NEW
        if quantity == order.cum:
            status = OrdStatus.FILLED
        if status.final or not stays:
            self._executions.withdraw(board, order)
        change = Change(
            exec_type=ExecType.REPLACED,
            status=status,
            quantity=quantity,
            price=request.price,
            cl_ord_id=request.cl_ord_id,
            orig_cl_ord_id=request.orig_cl_ord_id,
            display=request.display,
        )
        stamp = self._executions.stamp()
        self._executions.emit(change_report(request.session, order, stamp, change))
        if status.final:
            return
        if stays and order.resting is not None:
            board.book.reduce(order.resting, order.leaves)
        else:
            self._admit(board, order)

    def _target(self, request: CancelRequest | ReplaceRequest) -> Order | None:
        """Return the order a request may change; otherwise answer it and return None."""
        if self._register.knows(request.cl_ord_id):
            if request.poss_dup:
                return None
            if request.poss_resend:
                known = self._register.find(request.cl_ord_id)
                if known is not None:
                    self._answer(self._status(request.session, known))
                    return None
        order = self._register.find(request.orig_cl_ord_id)
        refusal = admission.target_refusal(request, order, self._register)
        if refusal is None:
            return order
        self._refuse(request, order, refusal)
        return None

    def _refuse(
        self, request: CancelRequest | ReplaceRequest, order: Order | None, refusal: Refusal
    ) -> None:
        self._executions.emit(cancel_reject(request, order, self._executions.time, refusal))

    # -- Status

    def _answer_status(self, request: StatusRequest | NewOrder) -> None:
        order = self._register.find(request.cl_ord_id)
        if order is None:
            self._answer(unknown_order_report(request, self._executions.query_stamp()))
        else:
            self._answer(self._status(request.session, order))

    def _status(self, session: str, order: Order) -> ExecutionReport:
        change = Change(
            exec_type=ExecType.STATUS,
            status=order.status,
            quantity=order.quantity,
            price=order.price,
            cl_ord_id=order.cl_ord_id,
            text=order.text,
            display=order.display,
        )
        return change_report(session, order, self._executions.query_stamp(), change)

    def _answer(self, report: ExecutionReport) -> None:
        # A status changes nothing: it is not folded into the register.
        self._executions.answer(report)

    # -- All orders of a session at once

    def _chosen(self, request: MassStatusRequest | MassCancelRequest) -> list[Order]:
        """Return the open orders of the session that a request is about."""
        return [
            order
            for order in self._register.open.values()
            if order.session == request.session
            and request.symbol in {"", order.symbol}
            and request.account in {"", order.account}
        ]

    def _answer_mass_status(self, request: MassStatusRequest) -> None:
        orders = self._chosen(request)
        for number, order in enumerate(orders, start=1):
            mass = MassStatus(request.req_id, len(orders), number == len(orders))
            self._answer(replace(self._status(request.session, order), mass=mass))
        if not orders:
            self._answer(no_orders_report(request, self._executions.query_stamp()))

    def _mass_cancel(self, request: MassCancelRequest) -> None:
        """Cancel what may be cancelled now, then say how many that were."""
        cancelled = 0
        for order in self._chosen(request):
            board = self._boards[order.symbol]
            if admission.cancel_refusal(order, board) is None:
                self._executions.end(board, order, ExecType.CANCELED, "mass cancel")
                cancelled += 1
        report = MassCancelReport(
            session=request.session,
            cl_ord_id=request.cl_ord_id,
            kind=request.kind,
            symbol=request.symbol,
            affected=cancelled,
            transact_time=self._executions.time,
        )
        self._executions.answer(report)


def _meets_itself(board: Board, order: Order) -> bool:
    """Whether an account's order would take a price that another order of the account takes."""
    if not order.account:
        return False
    if any(
        o.side is not order.side and o.account == order.account for o in board.at_market.values()
    ):
        return True
    buying = order.side is Side.BUY
    for waiting in board.book.orders(order.side.other):
        limit = order.price
        if limit is not None and (waiting.price > limit if buying else waiting.price < limit):
            return False
        if waiting.owner == order.account:
            return True
    return False
