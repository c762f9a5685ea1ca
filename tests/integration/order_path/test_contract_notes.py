"""Contract notes by API events, on a real ledger."""

import base64
from datetime import timedelta

import pytest

from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.contract_notes import write_note_of
from tests.support.ledger import TODAY, Trader

EVENING = timedelta(hours=5)


@pytest.fixture
def trader(client: Client, stores: OrderStores) -> Trader:
    """The client's own account, with a trade of today and its note."""
    found = Trader(stores.shards, client.user_id)
    found.own(33, 101.25)
    note_today(found)
    stores.clock.at += EVENING
    return found


def note_today(trader: Trader) -> None:
    assert write_note_of(trader, trader.today, trader.now + EVENING)


def test_a_note_is_listed_and_shown(client: Client, trader: Trader) -> None:
    listed = client.ask("GET", "/v1/contract-notes").body
    (item,) = listed["items"]
    assert listed["next"] is None
    found = client.ask("GET", f"/v1/contract-notes/{TODAY}")
    assert found.status == 200
    assert {name: found.body[name] for name in item} == item
    assert (item["trade_date"], item["version"]) == ("2026-07-10", 1)
    assert item["number"] == f"20260710-{client.user_id}-1"
    assert found.body["charges"]["stt"] == "3.00"
    assert found.body["account"] == str(client.user_id)
    (event,) = client.ask("GET", f"/v1/ledger?cursor={item['seq'] - 1}&limit=1").body["items"]
    assert event["kind"] == "CONTRACT_NOTE"


def test_a_note_names_every_trade_as_the_exchange_and_the_ledger_do(
    client: Client, stores: OrderStores
) -> None:
    trader = Trader(stores.shards, client.user_id)
    order_id = client.order("a", quantity=10).body["order_id"]
    for quantity in (4, 6):
        trader.fill(int(order_id), quantity, 1490)
    note_today(trader)
    note = client.ask("GET", f"/v1/contract-notes/{TODAY}").body
    order = client.ask("GET", f"/v1/orders/{order_id}").body
    instrument = client.ask("GET", "/v1/instruments/RELIANCE").body
    assert (note["settles_on"], note["settlement_number"]) == ("2026-07-13", "2026128")
    assert note["trades_total"] == 2
    same = ("order_id", "exec_id", "time", "symbol", "side", "quantity", "price")
    for trade, fill in zip(note["trades"], order["fills"], strict=True):
        assert {name: trade[name] for name in same} == {name: fill[name] for name in same}
        assert trade["ordered_at"] == order["created_at"]
        assert trade["venue_order_id"] == order["venue_order_id"] is not None
        assert trade["isin"] == instrument["isin"] == "INE002A01018"
    assert note["securities"][0]["isin"] == "INE002A01018"


def test_a_note_is_answered_as_a_pdf(client: Client, trader: Trader) -> None:
    answer = client.ask("GET", f"/v1/contract-notes/{TODAY}?format=pdf")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert f"20260710-{client.user_id}-1.pdf" in answer.headers["content-disposition"]
    assert answer.raw["isBase64Encoded"] is True
    assert base64.b64decode(answer.body).startswith(b"%PDF-")


def test_an_earlier_version_stays_to_be_read(client: Client, trader: Trader) -> None:
    trader.fill(trader.buy(1), 1)
    note_today(trader)
    latest = client.ask("GET", f"/v1/contract-notes/{TODAY}").body
    first = client.ask("GET", f"/v1/contract-notes/{TODAY}?version=1").body
    assert (first["version"], latest["version"]) == (1, 2)
    assert first["buy_value"] < latest["buy_value"]
    (item,) = client.ask("GET", "/v1/contract-notes").body["items"]
    assert item["version"] == 2


def test_notes_are_listed_newest_first_and_in_pages(client: Client, trader: Trader) -> None:
    trader.settle()
    trader.fill(trader.buy(1), 1)
    note_today(trader)
    first = client.ask("GET", "/v1/contract-notes?limit=1").body
    assert [item["trade_date"] for item in first["items"]] == ["2026-07-13"]
    rest = client.ask("GET", f"/v1/contract-notes?limit=1&cursor={first['next']}").body
    assert [item["trade_date"] for item in rest["items"]] == ["2026-07-10"]
    assert client.ask("GET", f"/v1/contract-notes?cursor={rest['next']}").body["items"] == []


def test_another_users_note_and_a_day_without_one_are_not_found(
    client: Client, trader: Trader, stranger: Client
) -> None:
    assert stranger.ask("GET", f"/v1/contract-notes/{TODAY}").status == 404
    assert stranger.ask("GET", "/v1/contract-notes").body["items"] == []
    for target in (f"/v1/contract-notes/{TODAY + timedelta(days=1)}",
                   f"/v1/contract-notes/{TODAY}?version=2"):  # fmt: skip
        answer = client.ask("GET", target)
        assert (answer.status, answer.body["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "target",
    ["/v1/contract-notes/yesterday", "/v1/contract-notes/2026-02-30", "/v1/contract-notes?cursor=x",
     f"/v1/contract-notes/{TODAY}?format=xml", f"/v1/contract-notes/{TODAY}?version=0"],
)  # fmt: skip
def test_a_malformed_request_is_refused(client: Client, target: str) -> None:
    answer = client.ask("GET", target)
    assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")


def test_a_day_without_dashes_is_told_how_it_would_be_read(client: Client) -> None:
    answer = client.ask("GET", "/v1/contract-notes/20261123")
    assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")
    assert answer.body["errors"] == [
        {"field": "trade_date", "message": "must be a day as YYYY-MM-DD: 2026-11-23"}
    ]
