"""Trades that the venue takes back, changes, or books late: ExecType H, G and F after the fact.

Invariant: both clients of a trade get the same amendment, and each order's CumQty and value stay
the sum of its trades as they are now. An order that has ended never comes back: what a bust takes
from a filled order is cancelled; what it takes from an open one is open again, at the back of its
price. The public tape is not rewritten.
"""

from dataclasses import replace

from infra.exchange.drafting import Amendment, Execution, amendment_report, trade_report
from infra.exchange.executions import Executions
from infra.exchange.floor import Floor
from infra.exchange.register import Order
from infra.exchange.reports import ExecType, ExecutionReport, Liquidity, OrdStatus


class Refused(Exception):
    """There is no such trade or order, or it cannot be changed like that."""


def find_trade(executions: Executions, exec_id: str) -> ExecutionReport:
    """Return a trade by its ExecID(17)."""
    trades = (t for t in reversed(executions.register.trades) if t.exec_id == exec_id)
    trade = next(trades, None)
    if trade is None:
        raise Refused(f"no trade has the ExecID {exec_id}")
    return trade


def last_trade(executions: Executions, symbol: str) -> ExecutionReport:
    """Return the latest trade of a symbol in which a client took part and that stands."""
    for trade in reversed(executions.register.trades):
        if trade.symbol == symbol and not _is_busted(executions, trade):
            return trade
    raise Refused(f"no client traded {symbol}")


def bust(floor: Floor, trade: ExecutionReport, text: str) -> None:
    """Take a trade back on both sides (150=H)."""
    _amend(floor, trade, trade.last_price, 0, text)


def correct(floor: Floor, trade: ExecutionReport, price: int, quantity: int, text: str) -> None:
    """Change price and quantity of a trade on both sides (150=G); the quantity can only shrink."""
    tick = floor.boards[trade.symbol].instrument.tick
    if price <= 0 or price % tick or not 0 < quantity <= trade.last_quantity:
        raise Refused("a corrected price is on the tick, and a quantity no more than was traded")
    _amend(floor, trade, price, quantity, text)


def book_late(floor: Floor, cl_ord_id: str, quantity: int, price: int) -> None:
    """Report a trade of an order that may have ended; the house is the other side.

    More than is open overfills the order, as venues have done.
    """
    executions = floor.executions
    order = executions.register.find(cl_ord_id)
    if order is None or order.status is OrdStatus.REJECTED:
        raise Refused(f"no order has the ClOrdID {cl_ord_id}")
    if quantity <= 0 or price <= 0:
        raise Refused("a trade has a quantity and a price above 0")
    board = floor.boards[order.symbol]
    left = max(0, order.leaves - quantity)
    if order.resting is not None and left:
        board.book.reduce(order.resting, left)
    else:
        executions.withdraw(board, order)
    part = Execution(executions.register.last_trade + 1, price, quantity, Liquidity.NONE)
    executions.emit(trade_report(order, executions.stamp(), part))


def _amend(floor: Floor, trade: ExecutionReport, price: int, quantity: int, text: str) -> None:
    executions = floor.executions
    if _is_busted(executions, trade):
        raise Refused(f"{trade.exec_id} was busted before")
    for side in [t for t in executions.register.trades if t.trade == trade.trade]:
        current = _as_it_stands(executions, side)
        order = executions.register.orders[side.order_id]
        cum = order.cum - current.last_quantity + quantity
        amended = Amendment(current, price, quantity, _status(order, cum), text)
        board = floor.boards[order.symbol]
        rested = order.resting is not None and quantity != current.last_quantity
        if rested:
            executions.withdraw(board, order)
        executions.emit(amendment_report(order, executions.stamp(), amended))
        if rested:
            # Its price is as before, so it cannot cross the book it comes back to.
            executions.rest(board, order)


def _status(order: Order, cum: int) -> OrdStatus:
    if order.status is OrdStatus.FILLED and cum < order.quantity:
        return OrdStatus.CANCELED
    if order.status.final:
        return order.status
    return OrdStatus.PARTIALLY_FILLED if cum else OrdStatus.NEW


def _as_it_stands(executions: Executions, trade: ExecutionReport) -> ExecutionReport:
    """Return a trade with the price and quantity that a correction gave it."""
    amended = executions.register.amendments.get(trade.exec_id)
    if amended is None:
        return trade
    return replace(trade, last_quantity=amended.last_quantity, last_price=amended.last_price)


def _is_busted(executions: Executions, trade: ExecutionReport) -> bool:
    amended = executions.register.amendments.get(trade.exec_id)
    return amended is not None and amended.exec_type is ExecType.BUST
