"""The order path on a real Kafka: fills arrive, whatever is killed on the way."""

import signal
import uuid
from decimal import Decimal

from tests.support.buses import ON_ONE_WORKER
from tests.support.kafka import KafkaBroker, OwnKafka
from tests.support.stack import Stack, own_stack
from tests.support.trader import Trader

pytestmark = ON_ONE_WORKER


def buy(trader: Trader, symbol: str) -> str:
    """An order that crosses the spread; its number. It is taken whatever the bus does."""
    price = (trader.price(symbol) * Decimal("1.01")).quantize(Decimal(1))
    answer = trader.place(symbol=symbol, side="BUY", quantity=1, price=str(price))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["order_id"])


def filled(trader: Trader, *orders: str) -> None:
    for order in orders:
        assert trader.wait_for(order, {"FILLED"})["filled_quantity"] == 1


def agrees(stack: Stack) -> None:
    for words in (("ledger", "verify"), ("reconcile",)):
        done = stack.outcry(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_orders_are_filled_over_kafka_and_no_kill_loses_or_doubles_one(kafka: KafkaBroker) -> None:
    with own_stack(streams_url=kafka.url(f"e2e-{uuid.uuid4().hex[:8]}")) as stack:
        assert "streams" not in {part["name"] for part in stack.status()["parts"]}
        trader = stack.new_trader()
        filled(trader, buy(trader, "INFY"))
        stack.kill("ledger", "relay", "gateway")
        filled(trader, buy(trader, "TCS"), buy(trader, "INFY"))
        if isinstance(kafka, OwnKafka):
            kafka.stop(signal.SIGKILL)
        meanwhile = [buy(trader, "INFY"), buy(trader, "RELIANCE")]
        if isinstance(kafka, OwnKafka):
            kafka.start()
        filled(trader, *meanwhile)
        held = {item["symbol"]: item["quantity"] for item in trader.get("/v1/holdings")["items"]}
        assert held == {"INFY": 3, "TCS": 1, "RELIANCE": 1}
        agrees(stack)
