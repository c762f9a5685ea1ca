"""Orders that wait, in the oracle's books: they keep what they need, go once, or end unseen.

Nothing of `functions` is imported. Prices in ten-thousandths of a rupee.
"""

from datetime import date
from fractions import Fraction
from math import ceil, floor

from tests.support import oracle_exits
from tests.support.ledger_oracle import Account
from tests.support.oracle_order import Order

_TICK = 500
_HUNDRED_RUPEES = 1_000_000


def protected(side: str, last: int, previous_close: int) -> int:
    """The worst a market order may trade at: 2 % off below 100 rupees, 1 % from there to 500; on a
    tick, and inside the day's band of 20 %."""
    off = Fraction(2 if last < _HUNDRED_RUPEES else 1, 100)
    if side == "BUY":
        price = ceil(last * (1 + off) / _TICK) * _TICK
        return min(price, floor(Fraction(previous_close * 120, 100 * _TICK)) * _TICK)
    price = floor(last * (1 - off) / _TICK) * _TICK
    return max(price, ceil(Fraction(previous_close * 80, 100 * _TICK)) * _TICK)


def release(account: Account, number: int, last: int, previous_close: int, today: date) -> str:
    """RELEASED, or DENIED when the account can't carry what it costs by now; NOT_DUE while the
    trade is not at the trigger or beyond, NOT_WAITING when it doesn't wait any more, PUT_OFF while
    others at the venue may close what it is to close."""
    account.settle(today)
    order = account.orders[number]
    if order.trigger is None or order.status != "TRIGGER_PENDING":
        return "NOT_WAITING"
    if last < order.trigger if order.rising else last > order.trigger:
        return "NOT_DUE"
    free = oracle_exits.room(account, order, today) if order.closes else order.quantity
    if free is None:
        return "PUT_OFF"
    held, shares, before = account.held(), order.shares(), order.price
    delivers = order.delivers(order.symbol)
    room = max(0, account.sellable(order.symbol) if delivers else account.available())
    if not order.gtt:
        order.price, order.cut = protected(order.side, last, previous_close), None
    if free < order.quantity:
        order.shrink(free)
    order.status = "PENDING"
    needs = order.shares() - shares if delivers else account.held() - held
    if account.under_review or (needs > room and not order.closes):
        order.price, order.status = before, "DENIED"
        account.note("ORDER_RELEASE_DENIED", number, held_before=held)
        return "DENIED"
    order.sent = True
    account.note("ORDER_RELEASED", number, held_before=held)
    return "RELEASED"


def end(account: Account, number: int, status: str, today: date) -> None:
    """It is cancelled, or its time is over. What it kept is free."""
    account.settle(today)
    held = account.held()
    account.orders[number].status = status
    account.note(f"ORDER_{status}", number, held_before=held)


def modify(account: Account, number: int, quantity: int, trigger: int, price: int,
           today: date) -> bool:  # fmt: skip
    """Whether the account can carry what it is to become; if not, it stays as it is."""
    account.settle(today)
    order = account.orders[number]
    had = order.quantity, order.trigger, order.price, order.closes, order.cut
    held, shares = account.held(), order.shares()
    delivers = order.delivers(order.symbol)
    room = max(0, account.sellable(order.symbol) if delivers else account.available())
    order.quantity, order.trigger, order.price, order.cut = quantity, trigger, price, None
    order.closes = oracle_exits.closes(account, order)
    needs = order.shares() - shares if delivers else account.held() - held
    if account.under_review or needs > room:
        order.quantity, order.trigger, order.price, order.closes, order.cut = had
        account.note("CHANGE_DENIED", number)
        return False
    account.note("ORDER_MODIFIED", number, held_before=held)
    return True


def waiting(account: Account) -> list[int]:
    """The orders that wait now."""
    return [n for n, order in account.orders.items() if order.status == "TRIGGER_PENDING"]


def new_stop(symbol: str, side: str, product: str, quantity: int, trigger: int,
             previous_close: int, today: date) -> Order:  # fmt: skip
    """A STOP: it keeps what a market order at its trigger would need."""
    price = protected(side, trigger, previous_close)
    return Order(symbol, side, product, quantity, price, today, status="TRIGGER_PENDING",
                 trigger=trigger, sent=False, rising=side == "BUY")  # fmt: skip


def new_gtt(symbol: str, side: str, quantity: int, trigger: int, price: int, last: int,
            today: date) -> Order:  # fmt: skip
    """A GTT: it keeps nothing, and fires whichever way the price comes from."""
    return Order(symbol, side, "CNC", quantity, price, today, status="TRIGGER_PENDING",
                 trigger=trigger, sent=False, rising=trigger > last, gtt=True)  # fmt: skip
