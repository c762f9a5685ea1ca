"""Every order the venue ever saw, as the fold of the reports it made about them.

The live engine and the restart go through the same `apply`, so a rebuilt register cannot differ
from the one that was killed. A ClOrdID(11) is used once and for ever; the register of all trade
dates stays in memory for that (about 1 KB an order).
"""

from dataclasses import dataclass

from infra.exchange.book import RestingOrder, Side
from infra.exchange.reports import (
    CancelReject,
    ExecType,
    ExecutionReport,
    OrdStatus,
    OrdType,
    Report,
    TimeInForce,
)


@dataclass(slots=True)
class Order:
    """One client order as it stands. `cl_ord_id` is that of the last accepted D, F or G.

    `priority` orders the queue of a price level when the book is rebuilt. `value` is the sum of
    price x quantity of its trades.
    """

    order_id: int
    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    quantity: int
    price: int | None
    trade_date: str
    status: OrdStatus
    priority: int
    cum: int = 0
    value: int = 0
    last_exec_id: str = ""
    text: str = ""
    resting: RestingOrder | None = None

    @property
    def leaves(self) -> int:
        """LeavesQty(151)."""
        return 0 if self.status.final else self.quantity - self.cum


class Register:
    """Orders by OrderID and by each ClOrdID they had; trades in the order they happened."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.open: dict[int, Order] = {}
        self.trades: list[ExecutionReport] = []
        self.last_execution = 0
        self._by_cl_ord_id: dict[str, int] = {}
        self._events = 0

    @property
    def next_order_id(self) -> int:
        """The number of the next order; order ids are 1, 2, 3, ... over all trade dates."""
        return len(self.orders) + 1

    def knows(self, cl_ord_id: str) -> bool:
        """Whether any request used this ClOrdID, accepted or not."""
        return cl_ord_id in self._by_cl_ord_id

    def find(self, cl_ord_id: str) -> Order | None:
        """Return the order a ClOrdID belongs to, None when there is none."""
        return self.orders.get(self._by_cl_ord_id.get(cl_ord_id, 0))

    def apply(self, report: Report) -> None:
        """Make a report part of the state."""
        self._events += 1
        if isinstance(report, CancelReject):
            self._by_cl_ord_id.setdefault(report.cl_ord_id, report.order_id)
            return
        self.last_execution = max(self.last_execution, int(report.exec_id.rpartition("-")[2]))
        if not report.order_id:
            return  # a duplicate: the order that has the ClOrdID stays as it is
        order = self.orders.get(report.order_id)
        if order is None:
            order = self._create(report)
        elif report.exec_type is ExecType.REPLACED and not _keeps_priority(order, report):
            order.priority = self._events
        order.status = report.ord_status
        order.quantity, order.price = report.quantity, report.price
        order.cum, order.value = report.cum, report.value
        order.last_exec_id, order.text = report.exec_id, report.text
        if report.exec_type is not ExecType.TRADE:
            order.cl_ord_id = report.cl_ord_id
            self._by_cl_ord_id[report.cl_ord_id] = order.order_id
        else:
            self.trades.append(report)
        if order.status.final:
            self.open.pop(order.order_id, None)

    def _create(self, report: ExecutionReport) -> Order:
        order = Order(
            order_id=report.order_id,
            session=report.session,
            cl_ord_id=report.cl_ord_id,
            account=report.account,
            symbol=report.symbol,
            side=report.side,
            ord_type=report.ord_type,
            time_in_force=report.time_in_force,
            quantity=report.quantity,
            price=report.price,
            trade_date=report.trade_date,
            status=report.ord_status,
            priority=self._events,
        )
        self.orders[order.order_id] = self.open[order.order_id] = order
        return order


def _keeps_priority(order: Order, report: ExecutionReport) -> bool:
    return report.price == order.price and report.quantity <= order.quantity
