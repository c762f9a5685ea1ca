"""May this request do what it asks? Pure answers, as the reason and text that refuse it, or None.

Invariant: nothing here changes anything; the phase's row of `RULES` and the board's prices decide.
"""

from infra.exchange.boards import Board
from infra.exchange.drafting import Refusal
from infra.exchange.phases import Matching, Phase
from infra.exchange.prices import format_price
from infra.exchange.register import Order, Register
from infra.exchange.reports import CxlRejReason, OrdRejReason, OrdType, TimeInForce
from infra.exchange.requests import CancelRequest, NewOrder, ReplaceRequest

MAX_ORDER_QUANTITY = 10_000_000
MAX_OPEN_ORDERS = 500_000
MAX_CL_ORD_ID = 64
#: A disclosed quantity is at least this share of the order (NSE, equity).
MIN_DISPLAY_PERCENT = 10

_TEXTS = {
    Phase.CLOSED: "the market is closed",
    Phase.HALTED: "trading is halted",
    Phase.PRE_OPEN_MATCH: "the pre-open session's orders are being matched",
    Phase.CLOSING_REFERENCE: "the closing session's reference price is being made",
    Phase.CLOSING_MATCH: "the closing session's orders are being matched",
}


def new_refusal(request: NewOrder, board: Board | None, register: Register) -> Refusal | None:
    """Say why a new order may not enter."""
    if len(request.cl_ord_id) > MAX_CL_ORD_ID:
        return Refusal(OrdRejReason.OTHER, f"ClOrdID is longer than {MAX_CL_ORD_ID}")
    if board is None:
        return Refusal(OrdRejReason.UNKNOWN_SYMBOL, "unknown symbol")
    refusal = _phase_refusal(request, board)
    if refusal is not None:
        return refusal
    if len(register.open) >= MAX_OPEN_ORDERS:
        return Refusal(OrdRejReason.EXCEEDS_LIMIT, "too many open orders at the venue")
    return _terms_refusal(request, board)


def change_refusal(request: ReplaceRequest, order: Order, board: Board) -> Refusal | None:
    """Say why an order may not be replaced now, or not by these terms."""
    rules = board.rules
    refusal: Refusal | None = None
    if not rules.limit:
        refusal = Refusal(0, _TEXTS[board.phase])
    elif rules.frozen and order.price is None:
        refusal = Refusal(0, "market orders can no longer be changed")
    elif request.ord_type is not OrdType.LIMIT:
        refusal = Refusal(0, "a resting order is a limit order")
    elif request.display and not rules.continuous:
        refusal = Refusal(0, "MaxFloor is for continuous trading")
    else:
        refusal = _terms_refusal(request, board)
    return refusal and Refusal(CxlRejReason.OTHER, refusal.text)


def cancel_refusal(order: Order, board: Board) -> Refusal | None:
    """Say why an order may not be cancelled now."""
    rules = board.rules
    if not rules.cancel:
        return Refusal(CxlRejReason.EXCHANGE_OPTION, _TEXTS[board.phase])
    if rules.frozen and order.price is None:
        text = "market orders can no longer be cancelled"
        return Refusal(CxlRejReason.EXCHANGE_OPTION, text)
    return None


def target_refusal(
    request: CancelRequest | ReplaceRequest, order: Order | None, register: Register
) -> Refusal | None:
    """Say why a cancel or replace does not name an order that can be changed."""
    if order is None:
        return Refusal(CxlRejReason.UNKNOWN_ORDER, "unknown order")
    if register.knows(request.cl_ord_id):
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


def _phase_refusal(request: NewOrder, board: Board) -> Refusal | None:
    rules, phase = board.rules, board.phase
    if not rules.limit:
        return Refusal(OrdRejReason.EXCHANGE_CLOSED, _TEXTS[phase])
    name = f"not taken in the phase {phase}"
    if request.ord_type is OrdType.MARKET and not rules.market:
        return Refusal(OrdRejReason.UNSUPPORTED, f"market orders are {name}")
    if request.time_in_force is TimeInForce.IOC and not rules.continuous:
        return Refusal(OrdRejReason.UNSUPPORTED, f"IOC orders are {name}")
    if request.display and not rules.continuous:
        return Refusal(OrdRejReason.UNSUPPORTED, f"MaxFloor is {name}")
    return None


def _terms_refusal(request: NewOrder | ReplaceRequest, board: Board) -> Refusal | None:
    """Check quantity and price against the instrument and the band."""
    if request.fault:
        return Refusal(OrdRejReason.OTHER, request.fault)
    if request.quantity > MAX_ORDER_QUANTITY:
        return Refusal(OrdRejReason.EXCEEDS_LIMIT, f"OrderQty is above {MAX_ORDER_QUANTITY}")
    lot = board.instrument.lot
    if request.quantity <= 0 or request.quantity % lot:
        text = f"OrderQty is no positive multiple of {lot}"
        return Refusal(OrdRejReason.INCORRECT_QUANTITY, text)
    return _display_refusal(request, lot) or _price_refusal(request.price, board)


def _display_refusal(request: NewOrder | ReplaceRequest, lot: int) -> Refusal | None:
    shown, whole = request.display, request.quantity
    if not shown:
        return None
    if shown >= whole or shown * 100 < whole * MIN_DISPLAY_PERCENT or shown % lot:
        text = f"MaxFloor is a multiple of {lot}, from {MIN_DISPLAY_PERCENT} % up to below OrderQty"
        return Refusal(OrdRejReason.INCORRECT_QUANTITY, text)
    return None


def _price_refusal(price: int | None, board: Board) -> Refusal | None:
    if price is None:
        return None
    if board.rules.matching is Matching.AT_CLOSE and price != board.close:
        text = f"Price is not the closing price {format_price(board.close)}"
        return Refusal(OrdRejReason.OTHER, text)
    band = board.band
    if not band.holds(price):
        text = f"Price is outside the band {format_price(band.low)} to {format_price(band.high)}"
        return Refusal(OrdRejReason.OTHER, text)
    tick = board.instrument.tick
    if price % tick:
        text = f"Price is no multiple of the tick {format_price(tick)}"
        return Refusal(OrdRejReason.OTHER, text)
    return None
