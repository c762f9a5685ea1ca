"""The order path on Kinesis and DynamoDB: fills arrive, whichever of our parts is killed.

The two are simulated; it takes as long as the tests on LocalStack, and runs where those do.
"""

import os
import uuid

import pytest

from tests.support.aws import REGION
from tests.support.bus_orders import agrees, buy, filled, held
from tests.support.buses import ON_ONE_WORKER, as_aws
from tests.support.stack import own_stack

pytestmark = [
    *ON_ONE_WORKER,
    pytest.mark.skipif("LOCALSTACK_HOST_UP" not in os.environ, reason="40 s: with LocalStack's"),
]


def test_orders_are_filled_over_kinesis_and_no_kill_loses_or_doubles_one(
    simulated_aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_aws(monkeypatch, simulated_aws)
    url = f"kinesis://{REGION}/e2e-{uuid.uuid4().hex[:8]}"
    with own_stack(streams_url=url) as stack:
        assert "streams" not in {part["name"] for part in stack.status()["parts"]}
        trader = stack.new_trader()
        filled(trader, buy(trader, "INFY"))
        stack.kill("ledger")
        meanwhile = [buy(trader, "TCS"), buy(trader, "INFY")]
        stack.kill("relay", "gateway")
        filled(trader, *meanwhile, buy(trader, "RELIANCE"))
        assert held(trader) == {"INFY": 2, "TCS": 1, "RELIANCE": 1}
        agrees(stack)
