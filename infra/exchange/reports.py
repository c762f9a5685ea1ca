"""What the venue tells a broker: execution reports and cancel rejects, and their FIX 4.4 fields.

A report is an immutable fact about one order at one moment and is self-consistent:
LeavesQty = OrderQty - CumQty while the order works and 0 when it is final. The journal keeps
exactly these values, so the book is the fold of the reports.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

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
    RESTATED = "D"
    TRADE = "F"
    CORRECT = "G"
    BUST = "H"
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
    UNSUPPORTED = 11
    INCORRECT_QUANTITY = 13
    OTHER = 99


class CxlRejReason:
    """FIX CxlRejReason(102)."""

    TOO_LATE = 0
    UNKNOWN_ORDER = 1
    EXCHANGE_OPTION = 2
    DUPLICATE = 6
    OTHER = 99


class Liquidity:
    """FIX LastLiquidityInd(851): whose order waited for the other."""

    NONE = 0
    ADDED = 1
    REMOVED = 2


class Restatement:
    """FIX ExecRestatementReason(378): why the venue changed or ended an order unasked."""

    NONE = -1
    REPRICED = 3
    MARKET_OPTION = 8


class MassStatus(NamedTuple):
    """Which mass status request (584) a status answers, of how many (911), and whether it is the
    last (912).
    """

    req_id: str
    total: int
    last: bool


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """35=8. Prices in 1/10,000 rupee; `value` is the sum of price x quantity of the order's trades.

    `session` is the broker session (its SenderCompID) that the report goes to; `trade_date` is
    YYYYMMDD; `transact_time` is FIX UTC with milliseconds, on the business clock. `display` is
    MaxFloor(111), 0 for an order that shows all. `trade` numbers a trade (527), the same on both
    sides' reports; a bust or correction names the ExecID it is about in `exec_ref_id` (19).
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
    display: int = 0
    trade: int = 0
    liquidity: int = Liquidity.NONE
    exec_ref_id: str = ""
    restatement: int = Restatement.NONE
    mass: MassStatus | None = None


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


@dataclass(frozen=True, slots=True)
class MassCancelReport:
    """35=r: how many orders a mass cancel (35=q) ended; each has an ExecutionReport too."""

    session: str
    cl_ord_id: str
    kind: str
    symbol: str
    affected: int
    transact_time: str


Report = ExecutionReport | CancelReject | MassCancelReport


def order_id_text(order_id: int) -> str:
    """OrderID(37); FIX 4.4 has NONE for an order the venue does not know."""
    return f"V{order_id}" if order_id else "NONE"


def execution_fields(report: ExecutionReport) -> Fields:
    """Return the body of an ExecutionReport as tag and value, in ascending use, optional tags only
    where FIX 4.4 asks for them.
    """
    fields: Fields = [
        (37, order_id_text(report.order_id)),
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
    fields += [(tag, text) for tag, text in _optional_fields(report) if text]
    if report.trade:
        fields += [(32, str(report.last_quantity)), (31, format_price(report.last_price))]
        fields.append((527, str(report.trade)))
    if report.mass is not None:
        last = "Y" if report.mass.last else "N"
        fields += [(584, report.mass.req_id), (911, str(report.mass.total)), (912, last)]
    return fields


def _optional_fields(report: ExecutionReport) -> Fields:
    """Return the tags that are left out when they are empty."""
    restatement = report.restatement
    return [
        (11, report.cl_ord_id),
        (41, report.orig_cl_ord_id),
        (1, report.account),
        (44, "" if report.price is None else format_price(report.price)),
        (111, str(report.display or "")),
        (851, str(report.liquidity or "")),
        (19, report.exec_ref_id),
        (378, "" if restatement == Restatement.NONE else str(restatement)),
        (103, "" if report.reason is None else str(report.reason)),
        (58, report.text),
    ]


def mass_cancel_fields(report: MassCancelReport) -> Fields:
    """Return the body of an OrderMassCancelReport as tag and value."""
    fields: Fields = [
        (37, "NONE"),
        (11, report.cl_ord_id),
        (530, report.kind),
        (531, report.kind),
        (533, str(report.affected)),
        (60, report.transact_time),
    ]
    if report.symbol:
        fields.append((55, report.symbol))
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
