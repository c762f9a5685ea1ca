"""The orders that wait with the broker: what for, how far the price is from it, and until when."""

from dataclasses import dataclass
from decimal import Decimal

from tui.client.models import Order
from tui.state.account import Account
from tui.state.quotes import Board


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """`distance` is what the last price has to move until the order fires, signed; None while one
    of the two is not known."""

    order: Order
    ltp: Decimal | None
    distance: Decimal | None
    distance_percent: Decimal | None


def waiting_orders(account: Account, board: Board) -> list[WaitingOrder]:
    """What waits for a price or a time, by symbol, exits that wait together side by side; so that
    no row changes its place with the price."""
    waiting = [each for each in account.orders.values() if each.status == "TRIGGER_PENDING"]
    waiting.sort(key=lambda each: (each.symbol, each.group_id or each.order_id, each.leg or ""))
    return [_waiting(order, board.ltp(order.symbol)) for order in waiting]


def _waiting(order: Order, ltp: Decimal | None) -> WaitingOrder:
    if ltp is None or not ltp or order.trigger_price is None:
        return WaitingOrder(order, ltp, None, None)
    distance = order.trigger_price - ltp
    return WaitingOrder(order, ltp, distance, distance * 100 / ltp)
