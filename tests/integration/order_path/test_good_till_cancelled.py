"""Orders good till cancelled: each session's order continues the one before, to the last day."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from functions.orders import act_on_triggers, renew
from functions.shared.clock import micros
from functions.shared.domain.calendar import INDIA
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.sessions import Announcement, Phase
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.wire.announcements import announcement_key, encode_announcement
from functions.shared.wire.trigger_commands import ReleaseOrder
from tests.integration.order_path.conftest import Client, OrderStores, opened_stores
from tests.support.bank import BankProcess
from tests.support.ledger import NOON, Trader
from tests.support.postgres import PostgresUnderTest

FRIDAY, MONDAY, TUESDAY = (date(2026, 7, day) for day in (10, 13, 14))
GTC: dict[str, Any] = {"validity": "GTC", "quantity": 10, "price": "1500.00"}


@pytest.fixture(scope="module")
def opened(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    """Databases of this module's own: the job works every account there is."""
    with opened_stores(postgres, bank) as made:
        yield made


class Context:
    """Lambda's, with time left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def renewed(stores: OrderStores, day: date, moment: str) -> int:
    """How many orders the job placed at that time in India."""
    stores.clock.at = datetime.combine(day, time.fromisoformat(moment), INDIA).astimezone(UTC)
    return renew.lambda_handler({}, Context())["placed"]


def venue(stores: OrderStores, client: Client) -> Trader:
    """Its word about that client's orders."""
    trader = Trader(stores.shards, client.user_id)
    trader.now = stores.clock.at
    return trader


def latest(client: Client) -> Any:
    return client.ask("GET", "/v1/orders").body["items"][0]


def test_what_a_session_leaves_is_placed_again_for_the_next_until_it_is_filled(
    client: Client, stores: OrderStores
) -> None:
    first = client.order("a", **GTC).body
    assert (first["status"], first["validity"]) == ("PENDING", "GTC")
    assert first["expires_at"] == "2026-10-08T10:00:00.000000Z"  # 90 days on
    number = int(first["order_id"])
    friday = venue(stores, client)
    friday.fill(number, 4, 1500)
    friday.told(number, "C")
    assert renewed(stores, FRIDAY, "15:31") == 0  # not yet
    assert renewed(stores, FRIDAY, "16:00") == 1
    assert renewed(stores, FRIDAY, "16:01") == 0
    second = latest(client)
    assert (second["status"], second["quantity"], second["parent_order_id"]) == (
        "TRIGGER_PENDING", 6, first["order_id"],
    )  # fmt: skip
    assert second["client_order_id"] == f"GTC-{number}"
    ended = client.ask("GET", f"/v1/orders/{number}").body
    assert (ended["status"], ended["renewed_as"]) == ("EXPIRED", second["order_id"])
    assert [other["order_id"] for other in ended["linked"]] == [second["order_id"]]
    assert ended["reason"]["code"] == "DAY_ENDED"
    assert "goes on in the next one" in ended["reason"]["message"]
    assert second["expires_at"] == first["expires_at"]
    assert client.ask("GET", "/v1/funds").body["held"] != "0.00"
    stores.clock.at = datetime.combine(MONDAY, time(9, 0), INDIA).astimezone(UTC)
    released = ReleaseOrder(
        user_id=client.user_id, order_id=int(second["order_id"]), version=1, tick=None,
        seen_at=micros(NOON),
    )  # fmt: skip
    act_on_triggers.act(stores, released)  # type: ignore[arg-type]
    assert latest(client)["status"] == "PENDING"
    assert latest(client)["expires_at"] == first["expires_at"]
    monday = venue(stores, client)
    monday.told(int(second["order_id"]), "C")
    # Nobody came in the night: it goes as the next session is open.
    assert renewed(stores, MONDAY, "15:45") == 0
    assert renewed(stores, TUESDAY, "09:20") == 1
    third = latest(client)
    assert (third["status"], third["parent_order_id"]) == ("PENDING", first["order_id"])
    venue(stores, client).fill(int(third["order_id"]), 6, 1500)
    assert renewed(stores, TUESDAY, "16:00") == 0


def test_a_cancelled_one_and_one_past_its_last_day_are_not_placed_again(
    client: Client, stores: OrderStores
) -> None:
    cancelled = client.order("a", **{**GTC, "quantity": 1}).body
    venue(stores, client).told(int(cancelled["order_id"]), "0")
    client.ask("DELETE", f"/v1/orders/{cancelled['order_id']}")
    venue(stores, client).told(int(cancelled["order_id"]), "4", request=1)
    old = client.order("b", **{**GTC, "quantity": 1}).body
    venue(stores, client).told(int(old["order_id"]), "C")
    assert renewed(stores, FRIDAY + timedelta(days=91), "16:00") == 0


@pytest.mark.parametrize("changing", [False, True])
def test_one_whose_cancel_meets_the_days_end_is_not_placed_again(
    client: Client, stores: OrderStores, changing: bool
) -> None:
    order = client.order("a", **{**GTC, "quantity": 2}).body
    trader = venue(stores, client)
    trader.told(int(order["order_id"]), "0")
    if changing:  # the cancel waits for the change's answer, which never comes
        body = {"request_id": "dearer", "price": "1501.00"}
        assert client.ask("PATCH", f"/v1/orders/{order['order_id']}", body).status == 202
    assert client.ask("DELETE", f"/v1/orders/{order['order_id']}").status == 202
    trader.told(int(order["order_id"]), "C")
    ended = latest(client)
    assert (ended["status"], ended["reason"]["code"]) == ("EXPIRED", "CANCEL_AT_DAY_END")
    renewed(stores, FRIDAY, "16:00")
    assert latest(client)["order_id"] == order["order_id"]


class WithoutReliance(InstrumentMaster):
    """The master once the share has been taken off it."""

    def get(self, symbol: str) -> Instrument | None:
        return None if symbol == "RELIANCE" else super().get(symbol)

    def by_symbol(self) -> Mapping[str, Instrument]:
        return {s: i for s, i in super().by_symbol().items() if s != "RELIANCE"}


def test_one_of_a_share_that_is_not_listed_any_more_ends_with_that_reason(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = client.order("a", **{**GTC, "quantity": 1}).body
    venue(stores, client).told(int(order["order_id"]), "C")
    renewed(stores, FRIDAY, "16:00")
    second = latest(client)
    assert second["status"] == "TRIGGER_PENDING"
    other = client.order("b", **{**GTC, "quantity": 1, "variety": "AMO"}).body
    stores.clock.at = datetime.combine(MONDAY, time(9, 0), INDIA).astimezone(UTC)
    assert release(stores, client, other) == "PENDING"
    venue(stores, client).told(int(other["order_id"]), "C")
    monkeypatch.setattr(stores, "instruments", WithoutReliance(stores.shards.control))
    assert client.ask("GET", f"/v1/orders/{other['order_id']}").body["status"] == "EXPIRED"
    release(stores, client, second)
    ended = client.ask("GET", f"/v1/orders/{second['order_id']}").body
    assert (ended["status"], ended["reason"]["code"]) == ("DENIED", "NOT_TRADABLE")
    for minute in ("16:00", "16:01"):
        renewed(stores, MONDAY, minute)
    denied = latest(client)
    assert (denied["client_order_id"], denied["status"]) == (f"GTC-{other['order_id']}", "DENIED")
    assert denied["reason"] == {
        "code": "NOT_TRADABLE", "message": "the share is not listed any more",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "goes_on"),
    [
        ("unmatched in the closing auction", "VENUE_CANCELLED", True),
        ("the price band moved", "VENUE_CANCELLED", True),
        ("self-trade prevention", "SELF_TRADE_PREVENTED", False),
    ],
)
@pytest.mark.parametrize("told", [{"exec_type": "4"}, {"exec_type": "I", "ord_status": "4"}])
def test_one_that_the_venue_cancels_by_a_rule_of_its_own_goes_on_and_says_why(
    client: Client, stores: OrderStores, told: dict[str, str], text: str, code: str, goes_on: bool
) -> None:
    order = client.order("a", **{**GTC, "quantity": 1}).body
    trader = venue(stores, client)
    trader.told(int(order["order_id"]), "0")
    trader.told(int(order["order_id"]), **told, text=text)
    ended = latest(client)
    assert (ended["status"], ended["reason"]) == ("CANCELLED", {"code": code, "message": text})
    renewed(stores, FRIDAY, "16:00")
    assert (latest(client)["parent_order_id"] == order["order_id"]) is goes_on


def test_one_that_the_account_can_not_carry_any_more_is_denied_once(
    client: Client, stores: OrderStores
) -> None:
    order = client.order("a", **GTC).body
    trader = venue(stores, client)
    trader.told(int(order["order_id"]), "C")
    other = client.order("b", quantity=60).body
    assert other["status"] == "PENDING"
    for minute in ("16:00", "16:01"):
        renewed(stores, FRIDAY, minute)
    assert len(client.ask("GET", "/v1/orders").body["items"]) == 3
    denied = latest(client)
    assert (denied["status"], denied["parent_order_id"]) == ("DENIED", order["order_id"])
    assert denied["reason"]["code"] == "INSUFFICIENT_FUNDS"


def release(stores: OrderStores, client: Client, order: Any) -> str:
    """Its status when its time has come."""
    command = ReleaseOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=1, tick=None,
        seen_at=micros(NOON),
    )  # fmt: skip
    act_on_triggers.act(stores, command)  # type: ignore[arg-type]
    return latest(client)["status"]


def test_a_rule_of_the_day_ends_none_but_only_puts_it_off(
    client: Client, stores: OrderStores
) -> None:
    first = client.order("a", **{**GTC, "quantity": 1, "price": "1360.00"}).body
    venue(stores, client).told(int(first["order_id"]), "C")
    stores.quote("RELIANCE", 1720)  # the next session's band does not reach down to it
    renewed(stores, FRIDAY, "16:00")
    assert latest(client)["order_id"] == first["order_id"]
    stores.quote("RELIANCE", 1500)
    renewed(stores, MONDAY, "16:00")
    second = latest(client)
    assert (second["client_order_id"], second["status"]) == (
        f"GTC-{first['order_id']}", "TRIGGER_PENDING",
    )  # fmt: skip
    stores.clock.at = datetime.combine(TUESDAY, time(9, 0), INDIA).astimezone(UTC)
    stores.quote("RELIANCE", 1720)
    assert release(stores, client, second) == "TRIGGER_PENDING"
    stores.quote("RELIANCE", 1500)
    assert release(stores, client, second) == "PENDING"
    venue(stores, client).told(int(second["order_id"]), "C")
    at = datetime.combine(TUESDAY + timedelta(days=1), time(9, 15), INDIA)
    halted = Announcement(Phase.OPEN, at.astimezone(UTC), Phase.HALTED, "news awaited")
    stores.valkey.set(announcement_key("RELIANCE"), encode_announcement("RELIANCE", halted))
    renewed(stores, at.date(), "09:16")
    assert latest(client)["order_id"] == second["order_id"]
    stores.valkey.delete(announcement_key("RELIANCE"))
    renewed(stores, at.date(), "09:17")
    assert (latest(client)["status"], latest(client)["parent_order_id"]) == (
        "PENDING", first["order_id"],
    )  # fmt: skip


def test_a_rest_too_small_to_disclose_a_part_of_is_shown_whole(
    client: Client, stores: OrderStores
) -> None:
    order = client.order("a", **{**GTC, "quantity": 20, "disclosed_quantity": 2}).body
    trader = venue(stores, client)
    trader.fill(int(order["order_id"]), 18, 1500)
    trader.told(int(order["order_id"]), "C")
    renewed(stores, FRIDAY, "16:00")
    rest = latest(client)
    assert (rest["status"], rest["quantity"], rest["disclosed_quantity"]) == (
        "TRIGGER_PENDING", 2, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{"type": "MARKET", "price": ...}, {"product": "MIS"}, {"client_order_id": "GTC-1"}]
)
def test_what_gtc_is_not_for_is_refused(client: Client, changes: dict[str, Any]) -> None:
    key = changes.get("client_order_id", "a")
    more = {name: value for name, value in changes.items() if name != "client_order_id"}
    assert client.order(key, **{**GTC, **more}).status == 400
