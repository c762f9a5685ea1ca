"""Reports through each bus into the ledger: the gateway's end, the worker and the real function."""

from prometheus_client import CollectorRegistry

from edge.runtime.stream_lag import StreamLag
from functions.ledger.apply_execution import lambda_handler as apply_batch
from functions.shared.domain.ids import partition_of_user
from functions.shared.stores.streams import Record
from functions.shared.wire.executions import ExecutionReport, encode_execution, executions_stream
from infra.local.consumer import Consumer
from infra.local.gateway.template import Function, StreamSource
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.buses import ON_ONE_WORKER, Bus
from tests.support.eventually import wait_until
from tests.support.ledger import Trader

pytestmark = ON_ONE_WORKER
PARTITIONS = 2
SOURCE = StreamSource(Function("ApplyExecution", "handler", 30, None), executions_stream(0), 100)


def test_a_poison_report_parks_its_users_later_ones_while_others_go_on(
    client: Client, stranger: Client, stores: OrderStores, bus: Bus
) -> None:
    stranger.ask("POST", "/v1/funds/deposits", {"client_id": "a", "amount": "5000.00"})
    order_id, other_id = (int(who.order("a").body["order_id"]) for who in (client, stranger))
    trader = Trader(stores.shards, client.user_id)
    poison = trader.report(order_id, "0", venue_order_id="V\0")
    later = trader.report(order_id, "4")
    good = Trader(stores.shards, stranger.user_id).report(other_id, "0")
    writer, streams = bus.open(), bus.open()
    consumer = Consumer(
        {SOURCE: apply_batch}, PARTITIONS, streams, StreamLag(streams, "g", CollectorRegistry())
    )

    def send(report: ExecutionReport) -> None:
        partition = partition_of_user(report.user_id, PARTITIONS)
        record = Record(str(report.user_id), encode_execution(report))
        writer.append(executions_stream(partition), [record])

    def parked() -> list[list[object]]:
        consumer.step(50)
        return stores.shards.of_user(client.user_id).run(
            "SELECT position, why FROM ledger.parked_execution WHERE user_id = :user"
            " ORDER BY position",
            user=client.user_id,
        )

    def is_open() -> bool:
        consumer.step(50)
        return bool(stranger.ask("GET", f"/v1/orders/{other_id}").body["status"] == "OPEN")

    send(poison)
    wait_until(lambda: len(parked()) == 1)
    for report in (later, good):
        send(report)
    wait_until(is_open)
    wait_until(lambda: len(parked()) == 2)
    assert parked() == [
        [poison.position, "DATABASE_REFUSED 22021"],
        [later.position, "BEHIND_A_PARKED_REPORT"],
    ]
    assert client.ask("GET", f"/v1/orders/{order_id}").body["status"] == "PENDING"
    assert consumer.state() == (True, "")
