"""Exits that wait together through the API: what a client asks for, is told, and may change."""

from typing import Any

import pytest

from functions.shared.clock import micros
from functions.shared.wire.trigger_commands import Tick, TrailOrder
from tests.integration.order_path.conftest import Client, OrderStores
from tests.integration.order_path.test_stops import release, shown, work
from tests.support.ledger import NOON, Trader

PAIR: dict[str, Any] = {
    "side": "SELL", "type": "STOP", "price": ..., "trigger_price": "1450.00",
    "target_price": "1550.00",
}  # fmt: skip
EXITS: dict[str, Any] = {"stop": {"trigger_price": "1450.00"}, "target": {"price": "1550.00"}}


def fill(client: Client, stores: OrderStores, order: dict[str, Any], quantity: int) -> None:
    """The venue fills that many at 1500."""
    trader = Trader.__new__(Trader)
    trader.shards, trader.user_id, trader.now = stores.shards, client.user_id, stores.clock.now()
    trader.fill(int(order["order_id"]), quantity, 1500, symbol="RELIANCE")


def test_two_exits_of_a_holding_are_one_group_and_cancelled_as_one(
    client: Client, stores: OrderStores
) -> None:
    fill(client, stores, client.order("entry", quantity=5).body, 5)
    assert client.order("none", **{**PAIR, "side": "BUY"}).status == 400
    refused = client.order("low", **{**PAIR, "target_price": "1490.00"}, quantity=5)
    assert [rule["code"] for rule in refused.body["rules"]] == ["TARGET_PASSED"]

    stop = client.order("out", **PAIR, quantity=5).body
    detail = shown(client, stop)
    [target] = detail["linked"]

    assert (stop["leg"], target["leg"], target["type"]) == ("STOP", "TARGET", "LIMIT")
    assert stop["group_id"] == target["group_id"] == stop["order_id"]
    assert (target["price"], target["trigger_price"]) == ("1550.00", "1550.00")
    again = client.order("out", **PAIR, quantity=5)
    assert (again.status, again.body["order_id"]) == (200, stop["order_id"])
    assert client.order("out", **{**PAIR, "target_price": "1560.00"}, quantity=5).status == 409
    path = f"/v1/orders/{target['order_id']}"
    fewer = client.ask("PATCH", path, {"request_id": "m", "quantity": 2})
    assert (fewer.status, fewer.body["code"]) == (409, "NOT_CHANGEABLE")
    passed = client.ask("PATCH", path, {"request_id": "p", "price": "1490.00"})
    assert (passed.status, passed.body["rules"][0]["code"]) == (422, "TARGET_PASSED")
    dearer = client.ask("PATCH", path, {"request_id": "n", "price": "1570.00"}).body
    assert (dearer["price"], dearer["trigger_price"]) == ("1570.00", "1570.00")
    assert work(release(client, dearer, 1560)) == []
    assert shown(client, target)["status"] == "TRIGGER_PENDING"
    assert client.ask("DELETE", path).body["status"] == "CANCELLED"
    assert shown(client, stop)["reason"]["code"] == "SIBLING_CANCELLED"


def test_a_two_leg_gtt_waits_for_either_price(client: Client, stores: OrderStores) -> None:
    fill(client, stores, client.order("entry", quantity=5).body, 5)
    two_leg = {
        "side": "SELL", "validity": "GTT", "quantity": 5, "price": "1395.00",
        "trigger_price": "1400.00", "target_price": "1600.00",
    }  # fmt: skip
    near = client.order("near", **{**two_leg, "target_price": "1501.00"})
    assert [rule["code"] for rule in near.body["rules"]] == ["TRIGGER_TOO_NEAR"]
    for key, wrong, code in [
        ("price", "1410.00", "LIMIT_BEFORE_TRIGGER"),
        ("trigger_price", "1510.00", "TRIGGER_PASSED"),
    ]:
        refused = client.order(f"unprotected-{key}", **{**two_leg, key: wrong})
        body = {"symbol": "RELIANCE", "type": "LIMIT", **two_leg, key: wrong}
        preview = client.ask("POST", "/v1/orders/preview", body)
        told = refused.body["rules"], preview.body["rules"]
        assert [[rule["code"] for rule in rules] for rules in told] == [[code], [code]]
    stop = client.order("gtt", **two_leg).body
    [target] = shown(client, stop)["linked"]
    assert target["validity"] == "GTT"
    assert target["expires_at"] == stop["expires_at"]
    assert work(release(client, target, 1600), release(client, stop, 1400)) == []
    after = shown(client, stop)
    assert (after["status"], after["linked"][0]["status"]) == ("TRIGGER_PENDING", "PENDING")
    assert after["history"][-1]["cause"] == {
        "code": "SIBLING_FIRED",
        "order_id": target["order_id"],
        "message": None,
    }
    fill(client, stores, target, 5)
    assert shown(client, stop)["reason"]["code"] == "SIBLING_FILLED"


def test_the_exits_of_an_entry_come_to_life_with_its_fills(
    client: Client, stores: OrderStores
) -> None:
    entry = client.order("entry", quantity=5, exits=EXITS).body
    assert entry["exits"] == {
        "stop": {"trigger_price": "1450.00", "price": None},
        "target": {"price": "1550.00"},
    }
    assert shown(client, entry)["linked"] == []
    fill(client, stores, entry, 2)
    stop, target = shown(client, entry)["linked"]
    assert (stop["quantity"], stop["parent_order_id"]) == (2, entry["order_id"])
    assert shown(client, target)["history"][0]["cause"] == {
        "code": "ENTRY_FILLED",
        "order_id": entry["order_id"],
        "message": None,
    }
    fill(client, stores, entry, 3)
    assert {leg["quantity"] for leg in shown(client, entry)["linked"]} == {5}
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"


@pytest.mark.parametrize(
    ("exits", "codes"),
    [
        ({**EXITS, "stop": {"trigger_price": "1501.00"}}, ["TRIGGER_PASSED"]),
        ({**EXITS, "target": {"price": "1499.00"}}, ["TARGET_PASSED"]),
        ({**EXITS, "target": {"price": "1900.00"}}, ["PRICE_OUTSIDE_BAND"]),
    ],
)
def test_exits_on_the_wrong_side_of_the_entry_refuse_it(
    client: Client, exits: dict[str, Any], codes: list[str]
) -> None:
    answer = client.order("entry", quantity=5, exits=exits)
    assert (answer.status, [rule["code"] for rule in answer.body["rules"]]) == (422, codes)
    preview = client.ask(
        "POST", "/v1/orders/preview",
        {"symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 5, "price": "1500.00",
         "exits": exits},
    )  # fmt: skip
    assert [rule["code"] for rule in preview.body["rules"]] == codes


def test_a_stop_that_the_last_price_has_passed_refuses_its_entry(client: Client) -> None:
    exits = {"stop": {"trigger_price": "1510.00"}, "target": {"price": "1560.00"}}
    answer = client.order("dear", quantity=1, price="1530.00", exits=exits)  # the last is 1500
    assert (answer.status, [rule["code"] for rule in answer.body["rules"]]) == (
        422, ["TRIGGER_PASSED"],
    )  # fmt: skip
    assert answer.body["rules"][0]["limit"] == "1500.00"


def test_an_entry_and_a_target_are_moved_to_where_their_exits_are_still_to_come(
    client: Client, stores: OrderStores
) -> None:
    entry = client.order("entry", quantity=5, exits=EXITS).body
    path = f"/v1/orders/{entry['order_id']}"
    for price, codes in (("1440.00", ["TRIGGER_PASSED"]), ("1555.00", ["TARGET_PASSED"])):
        moved = client.ask("PATCH", path, {"request_id": codes[0], "price": price})
        assert (moved.status, [rule["code"] for rule in moved.body["rules"]]) == (422, codes)
    assert client.ask("PATCH", path, {"request_id": "m", "price": "1460.00"}).status == 202
    fill(client, stores, entry, 5)
    target = shown(client, entry)["linked"][1]
    passed = client.ask(
        "PATCH", f"/v1/orders/{target['order_id']}", {"request_id": "t", "price": "1500.00"}
    )
    assert [rule["code"] for rule in passed.body["rules"]] == ["TARGET_PASSED"]


def test_a_trailing_stop_stays_behind_the_best_price(client: Client, stores: OrderStores) -> None:
    fill(client, stores, client.order("entry", quantity=5).body, 5)
    trailing = {"side": "SELL", "type": "STOP", "price": ..., "quantity": 5, "trail": "20.00"}
    near = client.order("near", **{**trailing, "trail": "1.02"})
    codes = [rule["code"] for rule in near.body["rules"]]
    assert codes[:2] == ["TRAIL_OFF_TICK", "TRAIL_TOO_NEAR"]
    order = client.order("follow", **trailing).body
    assert (order["trigger_price"], order["trail"]) == ("1480.00", "20.00")
    stores.quote("RELIANCE", 1510)
    assert client.order("follow", **trailing).status == 200  # asked again, at another price
    tick = Tick(price=1510 * 10_000, seq=9, timestamp_ms=5)
    command = TrailOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=order["version"],
        tick=tick, seen_at=micros(NOON),
    )  # fmt: skip
    assert work(command, command) == []
    after = shown(client, order)
    assert after["trigger_price"] == "1490.00"
    assert [step["cause"] and step["cause"]["code"] for step in after["history"]] == [
        None,
        "TRAILED",
    ]
    assert after["history"][1]["trigger"]["price"] == "1510.00"
    path = f"/v1/orders/{order['order_id']}"
    moved = client.ask("PATCH", path, {"request_id": "m", "trigger_price": "1400.00"})
    assert (moved.status, moved.body["code"]) == (409, "NOT_CHANGEABLE")
    assert work(release(client, after, 1490)) == []
    assert shown(client, order)["status"] == "PENDING"


def test_a_stop_that_was_reached_fires_though_it_followed_or_grew_meanwhile(
    client: Client, stores: OrderStores
) -> None:
    """What the broker made of it lets the trade count, what its client made of it doesn't."""
    fill(client, stores, client.order("entry", quantity=5).body, 5)
    trailing = {"side": "SELL", "type": "STOP", "price": ..., "trail": "20.00"}
    order = client.order("follow", **trailing).body
    reached = release(client, order, 1475)
    follow = TrailOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=order["version"],
        tick=Tick(price=1503 * 10_000, seq=8, timestamp_ms=5), seen_at=micros(NOON),
    )  # fmt: skip
    assert work(follow, release(client, order, 1484)) == []
    assert shown(client, order)["status"] == "TRIGGER_PENDING"  # not due by where it is now
    assert work(reached, reached) == []
    assert (shown(client, order)["status"], shown(client, order)["version"]) == ("PENDING", 3)

    entry = client.order("bracket", quantity=2, exits=EXITS).body
    fill(client, stores, entry, 1)
    stop, _ = shown(client, entry)["linked"]
    fill(client, stores, entry, 1)
    assert work(release(client, stop, 1445)) == []
    [stop, _] = shown(client, entry)["linked"]
    assert (stop["status"], stop["quantity"]) == ("PENDING", 2)

    other = client.order("alone", side="SELL", type="STOP", price=..., trigger_price="1450.00").body
    path = f"/v1/orders/{other['order_id']}"
    client.ask("PATCH", path, {"request_id": "m", "trigger_price": "1455.00"})
    assert work(release(client, other, 1445)) == []
    assert shown(client, other)["status"] == "TRIGGER_PENDING"
