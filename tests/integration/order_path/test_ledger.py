"""Deposits, books and the executions worker, as a client and a stream meet them."""

import base64

import msgspec
import pytest

from functions.ledger import apply_execution as worker
from functions.ledger.apply_execution import lambda_handler as apply_batch
from functions.shared.bookkeeping.accounts import deposit
from functions.shared.bookkeeping.applying import Applied
from functions.shared.domain.errors import InvariantViolated
from functions.shared.wire.executions import encode_execution
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.ledger import NOON, TODAY, Trader, price


def batch(*records: bytes) -> dict[str, object]:
    """A Kinesis event of records, numbered from 1."""
    return {
        "Records": [
            {
                "kinesis": {
                    "sequenceNumber": str(number),
                    "partitionKey": "7",
                    "data": base64.b64encode(data).decode(),
                },
                "eventSourceARN": "arn:aws:kinesis:local:000000000000:stream/executions.0",
            }
            for number, data in enumerate(records, start=1)
        ]
    }


def test_a_deposit_is_booked_once_however_often_it_is_sent(client: Client) -> None:
    body = {"client_id": "gift", "amount": 250.5}
    first = client.ask("POST", "/v1/funds/deposits", body)
    again = client.ask("POST", "/v1/funds/deposits", {"client_id": "gift", "amount": "250.50"})
    assert (first.status, again.status) == (202, 202)
    assert first.body["funds"]["cash"] == again.body["funds"]["cash"] == "100250.50"
    other = client.ask("POST", "/v1/funds/deposits", {"client_id": "gift", "amount": "1.00"})
    assert (other.status, other.body["code"]) == (409, "ID_REUSED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"client_id": "a"},
        {"amount": "1.00"},
        {"client_id": "a", "amount": "0"},
        {"client_id": "a", "amount": "-1"},
        {"client_id": "a", "amount": "0.001"},
        {"client_id": "a", "amount": "100000000.01"},
        {"client_id": "a", "amount": "NaN"},
        {"client_id": "a", "amount": True},
        {"client_id": "a b", "amount": "1.00"},
        {"client_id": "a", "amount": "1.00", "currency": "USD"},
        "nonsense",
    ],
)
def test_a_malformed_deposit_is_refused(client: Client, body: object) -> None:
    assert client.ask("POST", "/v1/funds/deposits", body).status == 400
    assert client.ask("GET", "/v1/funds").body["cash"] == "100000.00"


def test_a_live_account_takes_no_paper_money(client: Client) -> None:
    client.token = f"live-{client.user_id}"
    answer = client.ask("POST", "/v1/funds/deposits", {"client_id": "a", "amount": "1.00"})
    assert (answer.status, answer.body["code"]) == (403, "FORBIDDEN")


def test_a_user_without_an_account_has_no_books(stores: OrderStores) -> None:
    nobody = Client(1_000_000, "user-1000000")
    assert nobody.ask("GET", "/v1/funds").status == 404
    assert nobody.ask("GET", "/v1/holdings").body["items"] == []
    assert nobody.order("a").status == 404


def test_the_log_is_read_by_page_and_each_hash_follows_the_one_before(client: Client) -> None:
    for key in "abc":
        client.order(key)
    rows: list[dict[str, object]] = []
    cursor = ""
    while True:
        page = client.ask("GET", f"/v1/ledger?limit=2{cursor}").body
        rows += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["previous_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    assert rows[0]["previous_hash"] is None


def test_money_in_and_out_is_named_by_its_payment_and_by_the_clients_own_id(
    client: Client, stores: OrderStores
) -> None:
    out = client.ask("POST", "/v1/funds/withdrawals", {"client_id": "rent", "amount": "10.00"}).body
    paid_in = client.ask("GET", "/v1/funds/payments").body["items"][-1]
    deposit(stores.shards, client.user_id, "opening", 5_00, TODAY, NOON)
    order = client.order("a").body
    rows = client.ask("GET", "/v1/ledger").body["items"]
    told = {(row["kind"], row["payment_id"], row["client_id"]) for row in rows}
    assert told >= {
        ("ACCOUNT_OPENED", None, None),
        ("DEPOSIT_REQUESTED", paid_in["payment_id"], "start"),
        ("DEPOSITED", paid_in["payment_id"], "start"),
        ("WITHDRAWAL_REQUESTED", out["payment_id"], "rent"),
        ("WITHDRAWAL_PAID", out["payment_id"], "rent"),
        ("DEPOSITED", None, "opening"),
        ("ORDER_PLACED", None, None),
    }
    assert all(row["ref"] in {row["payment_id"], order["order_id"], None} for row in rows)


def test_a_fill_shows_in_the_order_the_holdings_and_the_portfolio(
    client: Client, stores: OrderStores
) -> None:
    order_id = client.order("a", quantity=10).body["order_id"]
    trader = Trader(stores.shards, client.user_id)
    report = trader.report(
        int(order_id), "F", last_quantity=10, last_price=price(1490), symbol="RELIANCE"
    )
    assert apply_batch(batch(encode_execution(report)), None) == {"batchItemFailures": []}
    order = client.ask("GET", f"/v1/orders/{order_id}").body
    assert (order["status"], order["average_price"]) == ("FILLED", "1490.0000")
    assert [fill["quantity"] for fill in order["fills"]] == [10]
    assert [step["kind"] for step in order["history"]] == ["ORDER_PLACED", "FILL"]
    (holding,) = client.ask("GET", "/v1/holdings").body["items"]
    assert (holding["value"], holding["unrealised_pnl"]) == ("15000.00", "100.00")
    portfolio = client.ask("GET", "/v1/portfolio").body
    assert portfolio["value"] == f"{float(portfolio['funds']['cash']) + 15000:.2f}"
    stores.valkey.flushall()
    (holding,) = client.ask("GET", "/v1/holdings").body["items"]
    assert holding["ltp"] is None
    assert client.ask("GET", "/v1/portfolio").body["value"] is None


def test_a_record_that_cannot_be_read_stops_nobody(client: Client, stores: OrderStores) -> None:
    order_id = int(client.order("a").body["order_id"])
    trader = Trader(stores.shards, client.user_id)
    good = trader.report(order_id, "0")
    reports = [
        msgspec.structs.replace(good, trade_date="2026-02-30"),
        msgspec.structs.replace(good, transacted_at=-1),
        msgspec.structs.replace(good, last_quantity=-5),
        msgspec.structs.replace(good, position=2**63),
    ]
    records = [b"", b"junk", *(msgspec.msgpack.encode(report) for report in reports)]
    answer = apply_batch(batch(*records, encode_execution(good)), None)
    assert answer == {"batchItemFailures": []}
    assert client.ask("GET", f"/v1/orders/{order_id}").body["status"] == "OPEN"


def test_a_report_the_database_refuses_is_parked_and_stops_nobody(
    client: Client, stranger: Client, stores: OrderStores
) -> None:
    stranger.ask("POST", "/v1/funds/deposits", {"client_id": "a", "amount": "5000.00"})
    order_id, other_id = (int(who.order("a").body["order_id"]) for who in (client, stranger))
    trader = Trader(stores.shards, client.user_id)
    unstorable = trader.report(order_id, "0", venue_order_id="V\0")
    later = trader.report(order_id, "4")
    good = Trader(stores.shards, stranger.user_id).report(other_id, "0")
    records = [encode_execution(report) for report in (unstorable, later, good)]
    for _ in range(2):
        assert apply_batch(batch(*records), None) == {"batchItemFailures": []}
    assert client.ask("GET", f"/v1/orders/{order_id}").body["status"] == "PENDING"
    assert stranger.ask("GET", f"/v1/orders/{other_id}").body["status"] == "OPEN"
    rows = stores.shards.of_user(client.user_id).run(
        "SELECT position, order_id, why FROM ledger.parked_execution JOIN ledger.fix_applied"
        " USING (session, position) WHERE user_id = :user ORDER BY position",
        user=client.user_id,
    )
    assert rows == [
        [unstorable.position, order_id, "DATABASE_REFUSED 22021"],
        [later.position, order_id, "BEHIND_A_PARKED_REPORT"],
    ]


def test_an_error_that_is_not_the_reports_own_parks_nothing(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> Applied:
        raise InvariantViolated("42501: permission denied", sqlstate="42501")

    monkeypatch.setattr(worker, "apply_execution", denied)
    report = Trader(stores.shards, client.user_id).report(1, "0")
    with pytest.raises(InvariantViolated):
        apply_batch(batch(encode_execution(report)), None)
    rows = stores.shards.of_user(client.user_id).run(
        "SELECT FROM ledger.parked_execution WHERE user_id = :user", user=client.user_id
    )
    assert rows == []
