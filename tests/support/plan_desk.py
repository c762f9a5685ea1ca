"""A client's plan, its venue and the worker of plans, driven by hand."""

import base64
from datetime import timedelta
from typing import Any

import msgspec

from functions.ledger import apply_execution
from functions.orders import act_on_triggers, work_plans
from functions.shared.wire.executions import ExecutionReport
from functions.shared.wire.trigger_commands import WorkPlan, encode_trigger_command
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.ledger import NOON, Trader

ICEBERG: dict[str, Any] = {
    "kind": "ICEBERG", "symbol": "RELIANCE", "side": "BUY", "quantity": 11, "price": "1500.00",
    "legs": 3,
}  # fmt: skip
TWAP: dict[str, Any] = {
    "kind": "TWAP", "symbol": "RELIANCE", "side": "BUY", "quantity": 10,
    "starts_at": "2026-07-10T06:30:00Z", "ends_at": "2026-07-10T07:00:00Z", "interval_minutes": 10,
}  # fmt: skip


class Context:
    """Lambda's, with time left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


class Desk:
    """One client's plan, the venue's word about its orders, and time passing."""

    def __init__(self, client: Client, stores: OrderStores, **terms: object) -> None:
        self.client, self.stores = client, stores
        self.trader = Trader(stores.shards, client.user_id)
        answer = client.ask("POST", "/v1/plans", {"client_id": "p", **ICEBERG, **terms})
        assert answer.status == 202, answer.body
        self.number = answer.body["plan_id"]

    def see(self) -> Any:
        return self.client.ask("GET", f"/v1/plans/{self.number}").body

    def cancel(self) -> Any:
        return self.client.ask("DELETE", f"/v1/plans/{self.number}")

    def orders(self) -> list[Any]:
        """The plan's orders, oldest first."""
        items = self.client.ask("GET", "/v1/orders").body["items"]
        return [item for item in reversed(items) if item["parent_order_id"] == self.number]

    def latest(self) -> int:
        return int(self.orders()[-1]["order_id"])

    def minute(self, after: int = 0) -> None:
        """The schedule's run, that many minutes after noon."""
        self.stores.clock.at = NOON + timedelta(minutes=after)
        self.trader.now = self.stores.clock.at
        work_plans.lambda_handler({}, Context())

    def asked_for(self, after: timedelta) -> None:
        """The command of the edge, so long after noon."""
        self.stores.clock.at = self.trader.now = NOON + after
        plan = WorkPlan(user_id=self.client.user_id, plan_id=int(self.number), seen_at=0)
        data = base64.b64encode(encode_trigger_command(plan)).decode()
        record = {"kinesis": {"data": data, "sequenceNumber": "1"}}
        answer = act_on_triggers.lambda_handler({"Records": [record]}, None)
        assert answer == {"batchItemFailures": []}

    def told(self, report: ExecutionReport) -> None:
        """The venue's report, by the worker of the executions stream."""
        data = base64.b64encode(msgspec.msgpack.encode(report)).decode()
        kinesis = {"data": data, "sequenceNumber": "1"}
        record = {"kinesis": kinesis, "eventSourceARN": "stream/executions.0"}
        answer = apply_execution.lambda_handler({"Records": [record]}, None)
        assert answer == {"batchItemFailures": []}

    def fill(self, quantity: int, left: int = 0) -> None:
        self.told(
            self.trader.report(
                self.latest(), "F", symbol="RELIANCE", last_quantity=quantity,
                last_price=1_500 * 10_000, leaves_quantity=left,
            )
        )  # fmt: skip

    def ended(self, exec_type: str, **more: Any) -> None:
        self.told(self.trader.report(self.latest(), exec_type, symbol="RELIANCE", **more))


def parts(plan: Any, name: str) -> list[Any]:
    return [each[name] for each in plan["slices"]]
