"""The order path on a real Kafka: fills arrive, whatever is killed on the way."""

import signal
import uuid

from tests.support.bus_orders import agrees, buy, filled, held
from tests.support.buses import ON_ONE_WORKER
from tests.support.kafka import KafkaBroker, OwnKafka
from tests.support.stack import own_stack

pytestmark = ON_ONE_WORKER


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
        assert held(trader) == {"INFY": 3, "TCS": 1, "RELIANCE": 1}
        agrees(stack)
