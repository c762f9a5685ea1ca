"""What is there to exit, in the oracle's books: what closes a position never turns it round.

Nothing of `functions` is imported.
"""

from datetime import date

from tests.support.ledger_oracle import Account
from tests.support.oracle_order import Order


def is_open(account: Account, order: Order) -> int:
    """Shares that the order's position has open the other way."""
    position = account.positions.get((order.symbol, order.trade_date))
    net = 0 if position is None else position.net
    return max(0, net if order.side == "SELL" else -net)


def closes(account: Account, order: Order) -> bool:
    """Whether a stop is for no more than its position has open, and so keeps nothing."""
    return order.product == "MIS" and order.quantity <= is_open(account, order)


def room(account: Account, order: Order, today: date) -> int | None:
    """What a stop that closes may go to the venue for. None while it can't: what closes the
    position by hand there is cancelled before."""
    there = {
        number: other for number, other in account.orders.items()
        if other.working and other.sent and other.side == order.side
        and other.intraday(order.symbol, order.trade_date)
    }  # fmt: skip
    free = is_open(account, order) - sum(other.shares() for other in there.values())
    by_hand = [number for number, other in there.items() if not other.closes]
    if free < order.quantity:
        for number in sorted(by_hand):
            if not there[number].is_leaving:
                account.request_cancel(number, today)
    if free <= 0 or (free < order.quantity and by_hand):
        return None
    return free


def fit(account: Account, symbol: str) -> None:
    """After a trade, or without one that was taken back: no stop closes more than is open."""
    for number, order in sorted(account.orders.items()):
        if not (order.closes and order.status == "TRIGGER_PENDING" and order.symbol == symbol):
            continue
        there = is_open(account, order)
        if there >= order.quantity:
            continue
        held = account.held()
        if there:
            order.shrink(there)
        else:
            order.status = "CANCELLED"
        kind = "ORDER_MODIFIED" if there else "ORDER_CANCELLED"
        account.note(kind, number, held_before=held)
