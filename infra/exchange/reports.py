"""What the venue tells a broker: execution reports and cancel rejects, and their FIX 4.4 fields.

A report is an immutable fact about one order at one moment and is self-consistent:
LeavesQty = OrderQty - CumQty while the order works and 0 when it is final. The journal keeps
exactly these values, so the book is the fold of the reports.
"""

from dataclasses import dataclass
from enum import StrEnum

from infra.exchange.book import Side
from infra.exchange.prices import average_price, format_price

Fields = list[tuple[int, str]]


class OrdType(StrEnum):
    """FIX OrdType(40)."""

    MARKET = "1"
    LIMIT = "2"


class TimeInForce(StrEnum):
    """FIX TimeInForce(59)."""

    DAY = "0"
    IOC = "3"


class ExecType(StrEnum):
    """FIX ExecType(150)."""

    NEW = "0"
    CANCELED = "4"
    REPLACED = "5"
    REJECTED = "8"
    EXPIRED = "C"
    TRADE = "F"
    STATUS = "I"


class OrdStatus(StrEnum):
    """FIX OrdStatus(39)."""

    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    CANCELED = "4"
    REJECTED = "8"
    EXPIRED = "C"

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self not in {OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED}


class OrdRejReason:
    """FIX OrdRejReason(103)."""

    UNKNOWN_SYMBOL = 1
    EXCHANGE_CLOSED = 2
    EXCEEDS_LIMIT = 3
    UNKNOWN_ORDER = 5
    DUPLICATE = 6
    INCORRECT_QUANTITY = 13
    OTHER = 99


class CxlRejReason:
    """FIX CxlRejReason(102)."""

    TOO_LATE = 0
    UNKNOWN_ORDER = 1
    DUPLICATE = 6
    OTHER = 99


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """35=8. Prices in 1/10,000 rupee; `value` is the sum of price x quantity of the order's trades.

    `session` is the broker session (its SenderCompID) that the report goes to; `trade_date` is
    YYYYMMDD; `transact_time` is FIX UTC with milliseconds, on the business clock.
    """

    session: str
    exec_id: str
    exec_type: ExecType
    ord_status: OrdStatus
    order_id: int
    cl_ord_id: str
    orig_cl_ord_id: str
    account: str
    symbol: str
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    quantity: int
    price: int | None
    cum: int
    leaves: int
    value: int
    last_quantity: int
    last_price: int
    trade_date: str
    transact_time: str
    reason: int | None
    text: str


@dataclass(frozen=True, slots=True)
class CancelReject:
    """35=9: a cancel (F) or a replace (G) that did not happen; the order stands as it was."""

    session: str
    order_id: int
    cl_ord_id: str
    orig_cl_ord_id: str
    ord_status: OrdStatus
    response_to: str
    reason: int
    account: str
    transact_time: str
    text: str


Report = ExecutionReport | CancelReject


def order_id_text(order_id: int) -> str:
    """OrderID(37); FIX 4.4 has NONE for an order the venue does not know."""
    return f"V{order_id}" if order_id else "NONE"


def execution_fields(report: ExecutionReport) -> Fields:
    """Return the body of an ExecutionReport as tag and value, in ascending use, optional tags only
    where FIX 4.4 asks for them.
    """
    fields: Fields = [
        (37, order_id_text(report.order_id)),
        (11, report.cl_ord_id),
        (17, report.exec_id),
        (150, report.exec_type.value),
        (39, report.ord_status.value),
        (55, report.symbol),
        (54, report.side.value),
        (38, str(report.quantity)),
        (40, report.ord_type.value),
        (59, report.time_in_force.value),
        (151, str(report.leaves)),
        (14, str(report.cum)),
        (6, format_price(average_price(report.value, report.cum))),
        (75, report.trade_date),
        (60, report.transact_time),
    ]
    if report.orig_cl_ord_id:
        fields.append((41, report.orig_cl_ord_id))
    if report.account:
        fields.append((1, report.account))
    if report.price is not None:
        fields.append((44, format_price(report.price)))
    if report.exec_type is ExecType.TRADE:
        fields += [(32, str(report.last_quantity)), (31, format_price(report.last_price))]
    if report.reason is not None:
        fields.append((103, str(report.reason)))
    if report.text:
        fields.append((58, report.text))
    return fields


def cancel_reject_fields(reject: CancelReject) -> Fields:
    """Return the body of an OrderCancelReject as tag and value."""
    fields: Fields = [
        (37, order_id_text(reject.order_id)),
        (11, reject.cl_ord_id),
        (41, reject.orig_cl_ord_id),
        (39, reject.ord_status.value),
        (434, reject.response_to),
        (102, str(reject.reason)),
        (60, reject.transact_time),
        (58, reject.text),
    ]
    if reject.account:
        fields.append((1, reject.account))
    return fields
