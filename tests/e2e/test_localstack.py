"""template.yaml on a real LocalStack, beside a running stack: the same users, the same ledger."""

import base64
import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.shared.wire.executions import ExecutionReport, encode_execution, executions_stream
from tests.support.localstack import LocalStack, own_localstack
from tests.support.stack import Stack, own_stack
from tests.support.trader import Trader, eventually

# Beside the tests that build the artifacts: one at a time may fill `build`.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.xdist_group("artifacts")]
SYMBOL = "RELIANCE"
# A Kinesis mapping of LocalStack takes about a second a record; the machine may be busy.
APPLIED_SECONDS = 180


class Deployed:
    """A stack, its twin on LocalStack, and two users signed in through the twin."""

    def __init__(self, stack: Stack, aws: LocalStack) -> None:
        self.stack = stack
        self.aws = aws
        self.address = aws.deploy(stack.home)
        users = json.loads(stack.outcry("demo-user", "--count", "2", "--json").stdout)
        self.first, self.second = (
            Trader(self.address, stack.stream, user).sign_in() for user in users
        )

    def call(self, path: str, token: str | None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.get(self.address + path, headers=headers, timeout=60, verify=False)

    def resting_order(self) -> Any:
        """An order of the first user that the venue took and nobody sells into."""
        price = (self.first.price(SYMBOL) * Decimal("0.95")).quantize(Decimal("0.1"))
        answer = self.first.place(
            symbol=SYMBOL, side="BUY", quantity=10, price=str(price), validity="DAY"
        )
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return self.first.wait_for(answer.json()["order_id"], {"OPEN"})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    # LocalStack first: without one, there is nothing to start a stack for.
    with own_localstack(tmp_path_factory.mktemp("localstack")) as aws, own_stack() as stack:
        deployed = Deployed(stack, aws)
        yield deployed
        for trader in (deployed.first, deployed.second):
            trader.http.close()


def test_an_order_placed_there_is_in_the_same_ledger(deployed: Deployed) -> None:
    order = deployed.resting_order()

    held = Decimal(deployed.first.get("/v1/funds")["held"])
    assert held >= order["quantity"] * Decimal(order["price"])
    here = httpx.get(
        f"{deployed.stack.api}/v1/orders/{order['order_id']}",
        headers=dict(deployed.first.http.headers),
        timeout=60,
    )
    assert here.json()["status"] == "OPEN"
    events = deployed.first.get("/v1/ledger", limit=100)["items"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_the_same_order_again_is_the_first_answer_again(deployed: Deployed) -> None:
    body = {
        "client_order_id": str(uuid.uuid4()), "symbol": "INFY", "side": "BUY", "type": "LIMIT",
        "quantity": 1, "price": str(deployed.first.price("INFY")),
    }  # fmt: skip
    first, again = (deployed.first.http.post("/v1/orders", json=body) for _ in range(2))
    other = deployed.first.http.post("/v1/orders", json={**body, "quantity": 2})

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert again.json()["order_id"] == first.json()["order_id"]


@pytest.mark.parametrize("path", ["/v1/funds", "/v1/orders", "/v1/profile", "/v1/risk/limits"])
def test_a_call_without_a_token_or_with_a_forged_one_is_refused(
    deployed: Deployed, path: str
) -> None:
    head, claims, signature = deployed.first.token.split(".")
    forged = base64.urlsafe_b64encode(bytes(64)).decode().rstrip("=")

    for token in (None, "nonsense", f"{head}.{claims}.{forged}", f"{head}.{claims}."):
        assert deployed.call(path, token).status_code == httpx.codes.UNAUTHORIZED
    assert deployed.call(path, f"{head}.{claims}.{signature}").status_code == httpx.codes.OK


def test_another_users_order_is_not_found(deployed: Deployed) -> None:
    order = deployed.resting_order()

    answer = deployed.call(f"/v1/orders/{order['order_id']}", deployed.second.token)
    cancel = deployed.second.http.delete(f"/v1/orders/{order['order_id']}")

    assert (answer.status_code, cancel.status_code) == (404, 404)
    assert deployed.first.order(order["order_id"])["status"] == "OPEN"


def test_a_symbol_arrives_as_it_is_written(deployed: Deployed) -> None:
    assert deployed.first.get("/v1/instruments/M%26M")["symbol"] == "M&M"


def test_an_execution_put_on_kinesis_is_applied_once(deployed: Deployed) -> None:
    order = deployed.resting_order()
    record = {"Data": _fill(deployed.first, order, 4), "PartitionKey": _user_id(deployed.first)}

    put = deployed.aws.client("kinesis").put_records(
        StreamName=executions_stream(0), Records=[record, record]
    )

    assert put["FailedRecordCount"] == 0
    filled = eventually(
        lambda: deployed.first.order(order["order_id"]),
        lambda found: found["filled_quantity"] > 0,
        APPLIED_SECONDS,
    )
    assert (filled["status"], filled["filled_quantity"]) == ("PARTIALLY_FILLED", 4)
    # Of this order alone: another one of the user's may fill at any moment.
    events = deployed.first.get("/v1/ledger", limit=500)["items"]
    (fill,) = [e for e in events if (e["kind"], e["ref"]) == ("FILL", order["order_id"])]
    charges = -Decimal(fill["cash_change"]) - 4 * Decimal(order["price"])
    assert Decimal(0) <= charges < Decimal(100)
    assert len(deployed.first.order(order["order_id"])["fills"]) == 1
    assert deployed.stack.outcry("ledger", "verify").returncode == 0


def test_deploying_again_keeps_the_api_where_it_is(deployed: Deployed) -> None:
    assert deployed.aws.deploy(deployed.stack.home) == deployed.address

    assert deployed.call("/v1/funds", deployed.first.token).status_code == httpx.codes.OK


def test_deploying_where_nothing_runs_says_so(deployed: Deployed, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="start it with `outcry up`"):
        deployed.aws.deploy(tmp_path)


def _user_id(trader: Trader) -> str:
    return str(trader.get("/v1/profile")["user_id"])


def _fill(trader: Trader, order: Any, quantity: int) -> bytes:
    """What the order gateway would append for a part fill, from a session of the test's own."""
    price = int(Decimal(order["price"]) * 10_000)
    report = ExecutionReport(
        session="TEST-O1",
        position=1,
        user_id=int(_user_id(trader)),
        order_id=int(order["order_id"]),
        request=0,
        exec_id=f"T{uuid.uuid4().hex[:12]}",
        exec_type="F",
        ord_status="1",
        venue_order_id=order["venue_order_id"],
        symbol=SYMBOL,
        side="BUY",
        last_quantity=quantity,
        last_price=price,
        cumulative_quantity=quantity,
        leaves_quantity=order["quantity"] - quantity,
        order_quantity=order["quantity"],
        price=price,
        trade_date=order["created_at"][:10],
        transacted_at=1_700_000_000_000_000,
    )
    return encode_execution(report)
