"""Drafts the reports of the engine's decisions, each with all that FIX 4.4 requires."""

from dataclasses import replace
from typing import NamedTuple

from infra.exchange.book import Side
from infra.exchange.register import Order
from infra.exchange.reports import (
    CancelReject,
    ExecType,
    ExecutionReport,
    MassStatus,
    OrdRejReason,
    OrdStatus,
    OrdType,
    Restatement,
    TimeInForce,
)
from infra.exchange.requests import (
    CancelRequest,
    MassStatusRequest,
    NewOrder,
    ReplaceRequest,
    StatusRequest,
)


class Stamp(NamedTuple):
    """What makes a report unique and dates it."""

    exec_id: str
    trade_date: str
    time: str


class Refusal(NamedTuple):
    """Why an order may not enter: OrdRejReason(103) and Text(58)."""

    reason: int
    text: str


class Change(NamedTuple):
    """How an order stands after a report that is no trade."""

    exec_type: ExecType
    status: OrdStatus
    quantity: int
    price: int | None
    cl_ord_id: str
    orig_cl_ord_id: str = ""
    text: str = ""
    display: int = 0
    restatement: int = Restatement.NONE


class Execution(NamedTuple):
    """One side's part of a trade. `number` is the trade's, the same for both sides."""

    number: int
    price: int
    quantity: int
    liquidity: int


class Amendment(NamedTuple):
    """What a bust or correction makes of a trade: its price and quantity now (0 for a bust), and
    the order's status after it.
    """

    trade: ExecutionReport
    price: int
    quantity: int
    status: OrdStatus
    text: str


def first_report(
    request: NewOrder, stamp: Stamp, order_id: int, refusal: Refusal | None
) -> ExecutionReport:
    """Report a new order: accepted (150=0), or rejected (150=8) for the reason of `refusal`."""
    return ExecutionReport(
        session=request.session,
        exec_id=stamp.exec_id,
        exec_type=ExecType.REJECTED if refusal else ExecType.NEW,
        ord_status=OrdStatus.REJECTED if refusal else OrdStatus.NEW,
        order_id=order_id,
        cl_ord_id=request.cl_ord_id,
        orig_cl_ord_id="",
        account=request.account,
        symbol=request.symbol,
        side=request.side,
        ord_type=request.ord_type,
        time_in_force=request.time_in_force,
        quantity=request.quantity,
        price=request.price,
        cum=0,
        leaves=0 if refusal else request.quantity,
        value=0,
        last_quantity=0,
        last_price=0,
        trade_date=stamp.trade_date,
        transact_time=stamp.time,
        reason=refusal.reason if refusal else None,
        text=refusal.text if refusal else "",
        display=request.display,
    )


def change_report(session: str, order: Order, stamp: Stamp, change: Change) -> ExecutionReport:
    """Report a cancel, replace, expiry or the state of an order."""
    return ExecutionReport(
        session=session,
        exec_id=stamp.exec_id,
        exec_type=change.exec_type,
        ord_status=change.status,
        order_id=order.order_id,
        cl_ord_id=change.cl_ord_id,
        orig_cl_ord_id=change.orig_cl_ord_id,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        ord_type=order.ord_type if change.price is None else OrdType.LIMIT,
        time_in_force=order.time_in_force,
        quantity=change.quantity,
        price=change.price,
        cum=order.cum,
        leaves=0 if change.status.final else change.quantity - order.cum,
        value=order.value,
        last_quantity=0,
        last_price=0,
        trade_date=stamp.trade_date,
        transact_time=stamp.time,
        reason=None,
        text=change.text,
        display=change.display,
        restatement=change.restatement,
    )


def trade_report(order: Order, stamp: Stamp, part: Execution) -> ExecutionReport:
    """Report a trade of an order. A late one, after the order's end, leaves its status as it is
    unless it fills it.
    """
    cum = order.cum + part.quantity
    status = OrdStatus.PARTIALLY_FILLED
    if cum >= order.quantity:
        status = OrdStatus.FILLED
    elif order.status.final:
        status = order.status
    return ExecutionReport(
        session=order.session,
        exec_id=stamp.exec_id,
        exec_type=ExecType.TRADE,
        ord_status=status,
        order_id=order.order_id,
        cl_ord_id=order.cl_ord_id,
        orig_cl_ord_id="",
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        ord_type=order.ord_type,
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        price=order.price,
        cum=cum,
        leaves=0 if status.final else order.quantity - cum,
        value=order.value + part.price * part.quantity,
        last_quantity=part.quantity,
        last_price=part.price,
        trade_date=stamp.trade_date,
        transact_time=stamp.time,
        reason=None,
        text="",
        display=order.display,
        trade=part.number,
        liquidity=part.liquidity,
    )


def amendment_report(order: Order, stamp: Stamp, amended: Amendment) -> ExecutionReport:
    """Report a bust (150=H) or correction (150=G). LastQty and LastPx are the trade's of old for a
    bust and the new ones for a correction (FIX 4.4 volume 4, ExecRefID); TradeDate is the trade's.
    """
    trade, bust = amended.trade, not amended.quantity
    cum = order.cum - trade.last_quantity + amended.quantity
    old, new = trade.last_price * trade.last_quantity, amended.price * amended.quantity
    return ExecutionReport(
        session=order.session,
        exec_id=stamp.exec_id,
        exec_type=ExecType.BUST if bust else ExecType.CORRECT,
        ord_status=amended.status,
        order_id=order.order_id,
        cl_ord_id=order.cl_ord_id,
        orig_cl_ord_id="",
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        ord_type=order.ord_type,
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        price=order.price,
        cum=cum,
        leaves=0 if amended.status.final else order.quantity - cum,
        value=order.value - old + new,
        last_quantity=trade.last_quantity if bust else amended.quantity,
        last_price=trade.last_price if bust else amended.price,
        trade_date=trade.trade_date,
        transact_time=stamp.time,
        reason=None,
        text=amended.text,
        display=order.display,
        trade=trade.trade,
        exec_ref_id=trade.exec_id,
    )


def unknown_order_report(request: StatusRequest | NewOrder, stamp: Stamp) -> ExecutionReport:
    """Answer a status request about an order the venue does not know (appendix D, group G)."""
    return ExecutionReport(
        session=request.session,
        exec_id=stamp.exec_id,
        exec_type=ExecType.STATUS,
        ord_status=OrdStatus.REJECTED,
        order_id=0,
        cl_ord_id=request.cl_ord_id,
        orig_cl_ord_id="",
        account=request.account,
        symbol=request.symbol,
        side=request.side,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=0,
        price=None,
        cum=0,
        leaves=0,
        value=0,
        last_quantity=0,
        last_price=0,
        trade_date=stamp.trade_date,
        transact_time=stamp.time,
        reason=OrdRejReason.UNKNOWN_ORDER,
        text="unknown order",
    )


def no_orders_report(request: MassStatusRequest, stamp: Stamp) -> ExecutionReport:
    """Answer a mass status request of a session without such orders: one report of none (911=0)."""
    nobody = StatusRequest(request.session, "", request.account, request.symbol or "*", Side.BUY)
    report = unknown_order_report(nobody, stamp)
    return replace(report, text="no open orders", mass=MassStatus(request.req_id, 0, True))


def cancel_reject(
    request: CancelRequest | ReplaceRequest, order: Order | None, time: str, refusal: Refusal
) -> CancelReject:
    """Refuse a cancel or replace; an order nobody knows is reported as rejected (FIX 4.4, 35=9)."""
    return CancelReject(
        session=request.session,
        order_id=order.order_id if order else 0,
        cl_ord_id=request.cl_ord_id,
        orig_cl_ord_id=request.orig_cl_ord_id,
        ord_status=order.status if order else OrdStatus.REJECTED,
        response_to="2" if isinstance(request, ReplaceRequest) else "1",
        reason=refusal.reason,
        account=order.account if order else "",
        transact_time=time,
        text=refusal.text,
    )
