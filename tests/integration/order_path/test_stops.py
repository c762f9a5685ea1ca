"""Stops through the API and the worker of commands: what a client meets, and what fires them."""

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.orders import act_on_triggers
from functions.shared.clock import micros, wall_now
from functions.shared.domain.errors import Retryable
from functions.shared.domain.sessions import Announcement, Phase
from functions.shared.stores.postgres import Shards
from functions.shared.wire.announcements import announcement_key, encode_announcement
from functions.shared.wire.trigger_commands import (
    ExpireOrder,
    ReleaseOrder,
    Tick,
    TriggerCommand,
    encode_trigger_command,
)
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.ledger import NOON

STOP: dict[str, Any] = {"type": "STOP", "price": ..., "trigger_price": "1550.00"}


def release(
    client: Client, order: dict[str, Any], rupees: float, ticked: datetime | None = None,
    again: bool = False,
) -> ReleaseOrder:  # fmt: skip
    at = micros(ticked or wall_now()) // 1000
    tick = Tick(price=round(rupees * 10_000), seq=9, timestamp_ms=at)
    return ReleaseOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=order["version"],
        tick=tick, seen_at=micros(NOON), again=again,
    )  # fmt: skip


def expiry(client: Client, order: dict[str, Any]) -> ExpireOrder:
    return ExpireOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=order["version"],
        seen_at=micros(NOON),
    )  # fmt: skip


def work(*commands: TriggerCommand | bytes) -> list[str]:
    """What the worker reports as failed, of a batch of these."""
    records = [
        {
            "kinesis": {
                "sequenceNumber": str(number),
                "data": base64.b64encode(
                    command if isinstance(command, bytes) else encode_trigger_command(command)
                ),
            }
        }
        for number, command in enumerate(commands)
    ]
    answer = act_on_triggers.lambda_handler({"Records": records}, None)
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def shown(client: Client, order: dict[str, Any]) -> Any:
    return client.ask("GET", f"/v1/orders/{order['order_id']}").body


def test_a_stop_waits_and_goes_when_its_trigger_is_reached(client: Client) -> None:
    answer = client.order("a", **STOP)
    order = answer.body
    assert answer.status == 202, order
    assert (order["status"], order["trigger_price"], order["price"]) == (
        "TRIGGER_PENDING", "1550.00", None,
    )  # fmt: skip
    assert order["expires_at"] == "2026-07-10T10:00:00.000000Z"
    assert client.ask("GET", "/v1/funds").body["held"] == "1559.65"  # 0.5 % beyond, and charges
    command = release(client, order, 1551)
    assert command.tick is not None
    assert work(b"?", command, command) == []
    after = shown(client, order)
    assert (after["status"], after["expires_at"]) == ("PENDING", None)
    assert [row["kind"] for row in after["history"]] == ["ORDER_PLACED", "ORDER_RELEASED"]
    assert after["history"][1]["trigger"] == {
        "why": "PRICE", "time": "2026-07-10T06:30:00.000000Z", "price": "1551.00", "quote_seq": 9,
        "timestamp": command.tick.timestamp_ms,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trigger_price": "1490.00"}, "TRIGGER_PASSED"),
        ({"trigger_price": "1900.00"}, "TRIGGER_OUTSIDE_BAND"),
        ({"type": "STOP_LIMIT", "price": "1600.00"}, "STOP_LIMIT_GAP"),
        ({"quantity": 90}, "INSUFFICIENT_FUNDS"),
    ],
)
def test_a_stop_that_breaks_a_rule_is_refused_with_it(
    client: Client, changes: dict[str, Any], code: str
) -> None:
    answer = client.order("a", **{**STOP, **changes})
    assert (answer.status, [rule["code"] for rule in answer.body["rules"]]) == (422, [code])
    assert client.ask("GET", "/v1/orders").body["items"][0]["status"] == "DENIED"


def test_a_waiting_stop_is_changed_and_cancelled_at_once(client: Client) -> None:
    order = client.order("a", **STOP).body
    path = f"/v1/orders/{order['order_id']}"
    change = {"request_id": "m", "quantity": 2, "trigger_price": "1560.00"}
    changed = client.ask("PATCH", path, change)
    assert changed.status == 202, changed.body
    assert (changed.body["quantity"], changed.body["trigger_price"]) == (2, "1560.00")
    assert changed.body["pending_change"] is None
    assert work(release(client, order, 1555)) == []  # of the version before
    assert shown(client, order)["status"] == "TRIGGER_PENDING"
    refused = client.ask("PATCH", path, {"request_id": "n", "trigger_price": "1400.00"})
    assert (refused.status, refused.body["rules"][0]["code"]) == (422, "TRIGGER_PASSED")
    assert client.ask("DELETE", path).body["status"] == "CANCELLED"
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"


def test_a_change_asked_for_again_has_its_first_answer_whatever_the_market_says_by_now(
    client: Client, stores: OrderStores
) -> None:
    order = client.order("a", **STOP).body
    path = f"/v1/orders/{order['order_id']}"
    change = {"request_id": "m", "trigger_price": "1560.00"}
    wrong = {"request_id": "n", "trigger_price": "1400.00"}
    assert client.ask("PATCH", path, change).status == 202
    assert client.ask("PATCH", path, wrong).status == 422
    stores.quote("RELIANCE", 1500, timedelta(minutes=5))  # no live price any more
    again = client.ask("PATCH", path, change)
    assert (again.status, again.body["trigger_price"]) == (202, "1560.00")
    refused = client.ask("PATCH", path, wrong)
    assert (refused.status, refused.body["rules"][0]["code"]) == (422, "TRIGGER_PASSED")
    for body, status, code in (
        (change | {"trigger_price": "1570.00"}, 409, "ID_REUSED"),
        (change | {"request_id": "new"}, 503, "NO_PRICE"),
    ):
        answer = client.ask("PATCH", path, body)
        assert (answer.status, answer.body["code"]) == (status, code)
    stores.quote("RELIANCE", 1500)
    moved = shown(client, order)
    assert work(release(client, moved, 1561)) == []
    assert shown(client, order)["status"] == "PENDING"  # it waits for no trigger any more
    assert client.ask("PATCH", path, change).status == 202


def test_what_can_not_be_done_now_is_left_for_the_next_time(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = client.order("a", **STOP).body
    command = release(client, order, 1551)
    stores.route(up=False)
    assert work(command) == []
    stores.route()
    halted = Announcement(Phase.OPEN, NOON - timedelta(hours=2), Phase.HALTED, "news awaited")
    stores.valkey.set(announcement_key("RELIANCE"), encode_announcement("RELIANCE", halted))
    assert work(command) == []
    stores.valkey.delete(announcement_key("RELIANCE"))
    stores.quote("RELIANCE", 1551, age=timedelta(minutes=5))
    assert work(command) == []  # a price of five minutes ago is none
    with monkeypatch.context() as patched:
        patched.setattr(act_on_triggers, "load_standing_facts", _away)
        assert work(command, command) == []  # it is asked again anyway
    assert shown(client, order)["status"] == "TRIGGER_PENDING"
    stores.quote("RELIANCE", 1551)
    assert work(command) == []
    assert shown(client, order)["status"] == "PENDING"


def test_a_price_that_could_not_be_acted_on_must_still_be_there_and_counts_on_its_own_day(
    client: Client, stores: OrderStores
) -> None:
    lost, put_off = (client.order(key, **STOP).body for key in ("a", "b"))
    stale = release(client, lost, 1551, ticked=wall_now() - timedelta(days=1))
    assert work(stale) == []
    assert shown(client, lost)["status"] == "TRIGGER_PENDING"
    stores.route(up=False)
    assert work(release(client, put_off, 1551)) == []
    stores.route()
    for order in (lost, put_off):  # the price is 1500 again
        work(release(client, order, 1551, again=True))
    assert shown(client, lost)["status"] == "PENDING"  # nobody had heard of it
    assert shown(client, put_off)["status"] == "TRIGGER_PENDING"
    stores.quote("RELIANCE", 1550)
    work(release(client, put_off, 1551, again=True))
    assert shown(client, put_off)["status"] == "PENDING"


def test_a_shard_that_is_away_keeps_nobody_elses_order_waiting(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = client.order("a", **STOP).body
    stores.quote("RELIANCE", 1551)
    elsewhere = client.user_id ^ 32  # of the other half of the slots
    found = act_on_triggers.reading.order

    def order_of(shards: Shards, user_id: int, order_id: int) -> Any:
        if user_id == elsewhere:
            raise Retryable("its shard is away")
        return found(shards, user_id, order_id)

    monkeypatch.setattr(act_on_triggers.reading, "order", order_of)
    theirs = ReleaseOrder(user_id=elsewhere, order_id=77, version=1, tick=None, seen_at=1)
    assert work(theirs, release(client, order, 1551)) == []
    assert shown(client, order)["status"] == "PENDING"


def _away(*_: object) -> None:
    raise Retryable("the cache is away")


def test_what_waited_in_vain_ends_with_the_session_even_if_its_price_comes_then(
    client: Client, stores: OrderStores
) -> None:
    orders = [client.order(key, **STOP).body for key in "ab"]
    assert work(expiry(client, orders[0])) == []  # not yet
    assert shown(client, orders[0])["status"] == "TRIGGER_PENDING"
    stores.clock.at = NOON + timedelta(hours=4)
    assert work(expiry(client, orders[0]), release(client, orders[1], 1560)) == []
    for order in orders:
        after = shown(client, order)
        assert (after["status"], after["reason"]["code"]) == ("EXPIRED", "NOT_TRIGGERED")


def test_an_order_for_minutes_is_cancelled_at_the_venue_when_they_are_over(
    client: Client, stores: OrderStores
) -> None:
    order = client.order("a", validity="TTL", validity_minutes=5).body
    assert (order["status"], order["expires_at"]) == ("PENDING", "2026-07-10T06:35:00.000000Z")
    assert work(expiry(client, order)) == []
    assert shown(client, order)["pending_change"] is None
    stores.clock.at = NOON + timedelta(minutes=5)
    assert work(expiry(client, order), expiry(client, order)) == []
    after = shown(client, order)
    assert after["pending_change"] == "CANCEL"
    assert [row["kind"] for row in after["history"]] == ["ORDER_PLACED", "CANCEL_REQUESTED"]


def test_cancel_all_takes_waiting_orders_along(client: Client) -> None:
    client.order("a", **STOP)
    client.order("b")
    items = client.ask("DELETE", "/v1/orders").body["items"]
    assert sorted((o["status"], o["pending_change"]) for o in items) == [
        ("CANCELLED", None), ("PENDING", "CANCEL"),
    ]  # fmt: skip


def test_an_after_market_order_waits_for_the_next_session_and_goes_then(
    client: Client, stores: OrderStores
) -> None:
    amo = {"variety": "AMO", "price": "1510.00"}
    early = client.order("early", **amo)
    assert (early.status, early.body["rules"][0]["code"]) == (422, "AFTER_MARKET_ONLY")
    stores.clock.at = NOON + timedelta(hours=6)  # Friday, 18:00
    order = client.order("a", **amo).body
    assert (order["status"], order["variety"]) == ("TRIGGER_PENDING", "AMO")
    assert order["releases_at"] == "2026-07-13T03:30:00.000000Z"
    held = client.ask("GET", "/v1/funds").body["held"]
    assert float(held) > 1510
    path = f"/v1/orders/{order['order_id']}"
    changed = client.ask("PATCH", path, {"request_id": "m", "price": "1520.00"})
    assert (changed.status, changed.body["price"]) == (202, "1520.00"), changed.body
    command = ReleaseOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=2, tick=None,
        seen_at=micros(NOON),
    )  # fmt: skip
    assert work(command) == []
    assert shown(client, order)["status"] == "TRIGGER_PENDING"  # its time has not come
    stores.clock.at = NOON + timedelta(days=2, hours=21, minutes=1)  # Monday, 09:01
    assert work(command) == []
    after = shown(client, order)
    assert (after["status"], after["expires_at"]) == ("PENDING", None)
    assert after["history"][-1]["trigger"]["why"] == "TIME"


def test_an_after_market_order_at_the_market_waits_for_a_price_of_its_session(
    client: Client, stores: OrderStores
) -> None:
    stores.quote("RELIANCE", 1500, age=timedelta(hours=3))
    stores.clock.at = NOON + timedelta(hours=6)
    order = client.order("a", variety="AMO", type="MARKET", price=...).body
    assert order["status"] == "TRIGGER_PENDING"
    command = ReleaseOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=1, tick=None,
        seen_at=micros(NOON),
    )  # fmt: skip
    stores.clock.at = NOON + timedelta(days=2, hours=22)  # Monday, 10:00
    assert work(command) == []
    assert shown(client, order)["status"] == "TRIGGER_PENDING"
    stores.quote("RELIANCE", 1490)
    assert work(command) == []
    assert shown(client, order)["status"] == "PENDING"


def test_a_gtt_is_taken_at_any_hour_and_fires_as_a_limit_of_its_day(
    client: Client, stores: OrderStores
) -> None:
    gtt = {"validity": "GTT", "trigger_price": "1400.00", "price": "1410.00"}
    stores.clock.at = NOON + timedelta(hours=10)  # the market is closed
    near = client.order("near", **{**gtt, "trigger_price": "1502.00", "price": "1502.00"})
    assert [r["code"] for r in near.body["rules"]] == ["TRIGGER_TOO_NEAR"]
    assert near.body["rules"][0]["nearest"] == "1503.80"
    order = client.order("a", **gtt).body
    assert (order["status"], order["expires_at"]) == (
        "TRIGGER_PENDING", "2027-07-10T10:00:00.000000Z",
    )  # fmt: skip
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"
    path = f"/v1/orders/{order['order_id']}"
    changed = client.ask("PATCH", path, {"request_id": "m", "quantity": 2})
    assert (changed.status, changed.body["code"]) == (409, "NOT_CHANGEABLE")
    stores.clock.at = NOON + timedelta(days=3)  # Monday
    stores.quote("RELIANCE", 1399)
    assert work(release(client, order, 1399)) == []
    after = shown(client, order)
    assert (after["status"], after["price"], after["expires_at"]) == ("PENDING", "1410.00", None)
    assert client.ask("GET", "/v1/funds").body["held"] != "0.00"


@pytest.mark.parametrize(
    "changes", [{"trigger_price": ...}, {"product": "MIS"}, {"type": "MARKET", "price": ...}]
)
def test_what_makes_no_gtt_is_refused(client: Client, changes: dict[str, Any]) -> None:
    gtt = {"validity": "GTT", "trigger_price": "1400.00", "price": "1410.00"}
    assert client.order("a", **{**gtt, **changes}).status == 400
