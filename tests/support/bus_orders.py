"""Orders on a stack whose durable streams are a bus of somebody else's, and what comes of them."""

from decimal import Decimal

from tests.support.stack import Stack
from tests.support.trader import Trader


def buy(trader: Trader, symbol: str) -> str:
    """An order that crosses the spread; its number. It is taken whatever the bus does."""
    price = (trader.price(symbol) * Decimal("1.01")).quantize(Decimal(1))
    answer = trader.place(symbol=symbol, side="BUY", quantity=1, price=str(price))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["order_id"])


def filled(trader: Trader, *orders: str) -> None:
    """Each of them is, once."""
    for order in orders:
        assert trader.wait_for(order, {"FILLED"})["filled_quantity"] == 1


def held(trader: Trader) -> dict[str, int]:
    return {item["symbol"]: item["quantity"] for item in trader.get("/v1/holdings")["items"]}


def agrees(stack: Stack) -> None:
    """The ledger with itself, with the exchange and with the bank."""
    for words in (("ledger", "verify"), ("reconcile",)):
        done = stack.outcry(*words)
        assert done.returncode == 0, done.stdout + done.stderr
