"""Every order the venue ever saw, as the fold of the reports it made about them.

The live engine and the restart go through the same `apply`, so a rebuilt register cannot differ
from the one that was killed. A ClOrdID(11) is used once and for ever; the register of all trade
dates stays in memory for that (about 1 KB an order).
"""

from dataclasses import dataclass
from typing import Protocol

from infra.exchange.book import RestingOrder, Side
from infra.exchange.reports import (
    CancelReject,
    ExecType,
    ExecutionReport,
    Liquidity,
    MassCancelReport,
    OrdStatus,
    OrdType,
    Report,
    TimeInForce,
)


class Terms(Protocol):
    """What a replace changes."""

    @property
    def price(self) -> int | None:
        """Price(44) in 1/10,000 rupee."""

    @property
    def quantity(self) -> int:
        """OrderQty(38)."""

    @property
    def display(self) -> int:
        """MaxFloor(111); 0 shows all."""


@dataclass(slots=True)
class Order:
    """One client order as it stands. `cl_ord_id` is that of the last accepted D, F or G.

    `priority` orders the queue of a price level when the book is rebuilt. `value` is the sum of
    price x quantity of its trades. A disclosed-quantity order shows `display` shares at a time, of
    which `shown` are left.
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
    display: int = 0
    shown: int = 0
    resting: RestingOrder | None = None

    @property
    def leaves(self) -> int:
        """LeavesQty(151)."""
        return 0 if self.status.final else self.quantity - self.cum


class Register:
    """Orders by OrderID and by each ClOrdID they had; trades in the order they happened, and by
    ExecID what became of those that were busted or corrected.

    `refresh_keeps_place` is the book's flag: the queue is rebuilt by the same rule it was made by.
    """

    def __init__(self, *, refresh_keeps_place: bool = False) -> None:
        self.orders: dict[int, Order] = {}
        self.open: dict[int, Order] = {}
        self.trades: list[ExecutionReport] = []
        self.amendments: dict[str, ExecutionReport] = {}
        self.last_execution = 0
        self.last_trade = 0
        self.refresh_keeps_place = refresh_keeps_place
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
        if isinstance(report, MassCancelReport):
            return
        if isinstance(report, CancelReject):
            self._by_cl_ord_id.setdefault(report.cl_ord_id, report.order_id)
            return
        self.last_execution = max(self.last_execution, int(report.exec_id.rpartition("-")[2]))
        if not report.order_id:
            return  # a duplicate: the order that has the ClOrdID stays as it is
        self.last_trade = max(self.last_trade, report.trade)
        order = self.orders.get(report.order_id)
        if order is None:
            order = self._create(report)
        elif _goes_to_the_back(order, report):
            order.priority = self._events
        self._fold_shown(order, report)
        order.status, order.ord_type = report.ord_status, report.ord_type
        order.quantity, order.price = report.quantity, report.price
        order.cum, order.value, order.display = report.cum, report.value, report.display
        order.last_exec_id, order.text = report.exec_id, report.text
        if report.exec_type is ExecType.TRADE:
            self.trades.append(report)
        else:
            order.cl_ord_id = report.cl_ord_id
            self._by_cl_ord_id[report.cl_ord_id] = order.order_id
        if report.exec_ref_id:
            self.amendments[report.exec_ref_id] = report
        if order.status.final:
            self.open.pop(order.order_id, None)

    def _fold_shown(self, order: Order, report: ExecutionReport) -> None:
        """Follow what a disclosed-quantity order shows, as the book does."""
        if not report.display:
            order.shown = 0
            return
        left = min(order.shown, report.leaves)
        kind = report.exec_type
        stays = kind is ExecType.REPLACED and keeps_place(order, report)
        if kind is ExecType.TRADE and report.liquidity == Liquidity.ADDED:
            order.shown -= report.last_quantity
            if order.shown:
                return
            if not self.refresh_keeps_place:
                order.priority = self._events
        elif stays or (kind is ExecType.TRADE and report.liquidity == Liquidity.NONE):
            order.shown = left
            return
        order.shown = min(report.display, report.leaves)

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


def _goes_to_the_back(order: Order, report: ExecutionReport) -> bool:
    """Whether a report sends its order behind the others at its price."""
    if report.exec_type is ExecType.REPLACED:
        return not keeps_place(order, report)
    return bool(report.exec_ref_id) and report.cum != order.cum


def keeps_place(order: Order, change: Terms) -> bool:
    """Whether a replaced order stays where it is in its queue: nothing but less quantity."""
    return (
        change.price == order.price
        and change.quantity <= order.quantity
        and change.display == order.display
    )
