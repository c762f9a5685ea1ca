"""Orders in slices, by their routes: legs that follow fills, slices that follow the clock."""

import base64
import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from functions.ledger import apply_execution
from functions.orders import act_on_triggers, work_plans
from functions.shared.bookkeeping import plan_steps, planning
from functions.shared.clock import from_micros
from functions.shared.domain.errors import Retryable
from functions.shared.domain.plans import Place
from functions.shared.stores.postgres import Shards
from functions.shared.stores.watched_plans import WatchedPlans
from functions.shared.wire.executions import ExecutionReport
from functions.shared.wire.trigger_commands import WorkPlan, encode_trigger_command
from tests.integration.order_path.conftest import Client, OrderStores, opened_stores
from tests.support.bank import BankProcess
from tests.support.ledger import NOON, Trader
from tests.support.postgres import PostgresUnderTest

ICEBERG: dict[str, Any] = {
    "kind": "ICEBERG", "symbol": "RELIANCE", "side": "BUY", "quantity": 11, "price": "1500.00",
    "legs": 3,
}  # fmt: skip
TWAP: dict[str, Any] = {
    "kind": "TWAP", "symbol": "RELIANCE", "side": "BUY", "quantity": 10,
    "starts_at": "2026-07-10T06:30:00Z", "ends_at": "2026-07-10T07:00:00Z", "interval_minutes": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def opened(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    """Databases of this module's own: the job works every plan there is."""
    with opened_stores(postgres, bank) as made:
        yield made


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


def test_each_leg_of_an_iceberg_follows_the_fill_of_the_one_before(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores)
    plan = desk.see()
    assert (plan["state"], plan["remaining_quantity"]) == ("ACTIVE", 11)
    assert parts(plan, "planned_quantity") == [4, 4, 3]
    assert parts(plan, "state") == ["PLACED", "WAITING", "WAITING"]
    assert client.ask("GET", "/v1/funds").body["held"] == "6007.12"  # one leg, and its charges
    desk.fill(1, 3)
    assert len(desk.orders()) == 1
    for number, quantity in ((1, 3), (2, 4), (3, 3)):
        assert len(desk.orders()) == number
        assert desk.orders()[-1]["client_order_id"] == f"PL-{desk.number}-{number}"
        desk.fill(quantity)
    plan = desk.see()
    assert (plan["state"], plan["filled_quantity"], plan["remaining_quantity"]) == (
        "COMPLETED", 11, 0,
    )  # fmt: skip
    assert (plan["average_price"], plan["reason"]) == ("1500.0000", None)
    desk.minute()
    assert desk.see() == plan
    assert [order["quantity"] for order in desk.orders()] == [4, 4, 3]


def test_the_same_id_and_body_is_the_same_plan_and_another_body_is_refused(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores)
    again = client.ask("POST", "/v1/plans", {"client_id": "p", **ICEBERG})
    assert (again.status, again.body["plan_id"]) == (200, desk.number)
    other = client.ask("POST", "/v1/plans", {"client_id": "p", **ICEBERG, "legs": 4})
    assert (other.status, other.body["code"]) == (409, "ID_REUSED")
    listed = client.ask("GET", "/v1/plans?state=ACTIVE").body["items"]
    assert listed == [again.body]


@pytest.mark.parametrize("dies", ["after placing", "before placing"])
def test_a_worker_that_dies_between_a_fill_and_the_next_leg_places_it_once(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    desk = Desk(client, stores)

    def die(*_: object) -> bool:
        raise Retryable("killed here")

    with monkeypatch.context() as killed:
        if dies == "after placing":
            killed.setattr(planning, "note", die)
        else:
            killed.setattr(plan_steps, "place", die)
        desk.fill(4)
        assert desk.see()["slices"][1]["state"] == (
            "PLACED" if dies == "after placing" else "WAITING"
        )
        desk.minute()
    desk.minute()
    desk.minute()
    plan = desk.see()
    assert parts(plan, "state") == ["PLACED", "PLACED", "WAITING"]
    assert [order["quantity"] for order in desk.orders()] == [4, 4]


def test_a_worker_that_died_as_a_report_was_booked_goes_on_when_it_is_delivered_again(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(client, stores)
    report = desk.trader.report(
        desk.latest(), "F", symbol="RELIANCE", last_quantity=4, last_price=1_500 * 10_000,
        leaves_quantity=0,
    )  # fmt: skip
    with monkeypatch.context() as killed:
        killed.setattr(apply_execution, "_take_plans_on", lambda *_: None)
        desk.told(report)
    assert len(desk.orders()) == 1
    desk.told(report)
    assert [order["quantity"] for order in desk.orders()] == [4, 4]


def test_a_leg_that_another_visit_notes_first_is_followed_by_the_next(
    client: Client, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = planning.note

    def away(*_: object) -> bool:
        raise Retryable("not noted here")

    def beaten(*of_slice: Any) -> bool:
        note(*of_slice)
        return note(*of_slice)

    with monkeypatch.context() as race:
        race.setattr(planning, "note", away)
        desk = Desk(client, stores)
        race.setattr(planning, "note", beaten)
        desk.fill(4)
    assert [order["quantity"] for order in desk.orders()] == [4, 4]


def test_a_slice_placed_by_two_at_once_is_one_order(client: Client, stores: OrderStores) -> None:
    desk = Desk(client, stores)
    of = planning.PlanOf(client.user_id, int(desk.number))
    view = planning.view(stores.shards, of.user_id, of.plan_id)
    desk.fill(4)
    facts = plan_steps.load_facts(stores.instruments, stores.quotes, stores.clock, "RELIANCE")
    today = facts.status.trade_date
    visit = plan_steps._Visit(of, view, plan_steps.plan_of(view.facts, view.slices), NOON, today)
    stores.quote("RELIANCE", 1501)
    late = plan_steps.place(stores.shards, plan_steps._placement(visit, Place(2, 4), facts))
    assert late.outcome == "REPLAY"
    beyond = plan_steps.place(stores.shards, plan_steps._placement(visit, Place(3, 3), facts))
    assert [rule["code"] for rule in beyond.rules] == ["PLAN_BUSY"]


def test_cancelling_a_plan_cancels_its_order_and_nothing_follows(
    client: Client, stores: OrderStores, stranger: Client
) -> None:
    desk = Desk(client, stores)
    desk.ended("0")
    assert stranger.ask("DELETE", f"/v1/plans/{desk.number}").status == 404
    answer = desk.cancel()
    assert (answer.status, answer.body["state"]) == (202, "CANCELLING")
    assert desk.orders()[-1]["pending_change"] == "CANCEL"
    assert desk.cancel().status == 202
    desk.fill(1, 3)
    desk.ended("4", request=1)
    plan = desk.see()
    assert (plan["state"], plan["filled_quantity"]) == ("CANCELLED", 1)
    assert parts(plan, "state") == ["PLACED", "SKIPPED", "SKIPPED"]
    assert desk.orders()[-1]["reason"]["code"] == "CANCELLED_BY_PLAN"
    assert desk.cancel().body["code"] == "ORDER_ENDED"
    desk.minute()
    assert desk.see() == plan


def test_cancelling_all_orders_ends_their_plans(client: Client, stores: OrderStores) -> None:
    desk = Desk(client, stores)
    desk.ended("0")
    client.ask("DELETE", "/v1/orders", {"request_id": "out"})
    desk.ended("4", request=1)
    assert desk.see()["state"] == "CANCELLED"


def test_a_leg_that_the_account_can_not_carry_ends_the_plan_with_the_reason(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores, quantity=100, legs=2)
    desk.fill(50)
    plan = desk.see()
    assert (plan["state"], plan["reason"]["code"]) == ("FAILED", "INSUFFICIENT_FUNDS")
    assert (plan["filled_quantity"], plan["remaining_quantity"]) == (50, 50)


def test_a_leg_can_not_be_changed_and_one_that_is_cancelled_ends_the_iceberg(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores)
    desk.ended("0")
    order = f"/v1/orders/{desk.latest()}"
    changed = client.ask("PATCH", order, {"request_id": "more", "quantity": 9})
    assert (changed.status, changed.body["code"]) == (409, "NOT_CHANGEABLE")
    client.ask("DELETE", order)
    desk.ended("4", request=1)
    plan = desk.see()
    assert (plan["state"], plan["reason"]["code"]) == ("CANCELLED", "LEG_ENDED")


def test_a_twap_places_a_slice_an_interval_and_carries_what_is_left(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores, **TWAP, legs=None, price=None)
    assert parts(desk.see(), "planned_quantity") == [4, 3, 3]
    desk.ended("0")
    desk.fill(1, 3)
    desk.minute(9)
    assert desk.orders()[-1]["pending_change"] is None
    desk.minute(10)
    assert desk.orders()[-1]["pending_change"] == "CANCEL"
    desk.ended("4", request=1)  # and so the next goes
    assert [order["quantity"] for order in desk.orders()] == [4, 6]
    assert desk.orders()[-1]["type"] == "MARKET"
    desk.ended("0")
    desk.fill(6)
    desk.minute(20)
    assert [order["quantity"] for order in desk.orders()] == [4, 6, 3]
    desk.ended("0")
    desk.minute(30)
    desk.ended("4", request=1)
    plan = desk.see()
    assert (plan["state"], plan["filled_quantity"], plan["remaining_quantity"]) == ("EXPIRED", 7, 3)
    assert plan["reason"] == {"code": "WINDOW_OVER", "message": "3 are left as its time is over"}


def test_a_twap_is_worked_at_its_slices_own_times_until_its_end(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores, **TWAP | {"ends_at": "2026-07-10T06:50:10Z"}, legs=None, price=None)
    with contextlib.closing(Shards(stores.edge_urls, "test")) as shards:
        watched = [plan for page in WatchedPlans(shards).all() for plan in page]
    [plan] = [each for each in watched if each.plan_id == int(desk.number)]
    assert not plan.follows
    assert plan.latest == desk.latest()
    times = [from_micros(each) - NOON for each in plan.times]
    assert [time.seconds for time in times] == [600, 1_200, 1_210]
    for after, placed in zip(times, ([4, 3], [4, 3, 3]), strict=False):
        desk.ended("0")
        desk.fill(desk.orders()[-1]["quantity"])
        desk.asked_for(after)
        assert [order["quantity"] for order in desk.orders()] == placed
    desk.ended("0")
    desk.asked_for(times[-1])
    assert desk.orders()[-1]["pending_change"] == "CANCEL"


def test_a_vwap_follows_the_curve_and_the_market_and_says_what_curve(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores, **TWAP | {"kind": "VWAP", "participation_percent": 20}, legs=None,
                price=None)  # fmt: skip
    plan = desk.see()
    assert plan["volume_curve"].startswith("assumed for the paper market: a U-shape, not observed")
    expected = parts(plan, "expected_volume")
    assert (sum(expected), sum(parts(plan, "planned_quantity"))) == (16_110, 10)
    assert [order["quantity"] for order in desk.orders()] == [3]
    desk.ended("0")
    desk.fill(3)
    desk.minute(10)  # the market has traded nothing: a share of what is expected still
    assert [order["quantity"] for order in desk.orders()] == [3, 2]


def test_what_nobody_came_for_is_spread_over_the_slices_that_are_left(
    client: Client, stores: OrderStores
) -> None:
    desk = Desk(client, stores, **TWAP | {"starts_at": "2026-07-10T06:40:00Z"}, legs=None,
                price="1506.00")  # fmt: skip
    assert desk.orders() == []
    desk.minute(5)
    assert desk.orders() == []
    desk.minute(25)
    plan = desk.see()
    assert parts(plan, "state") == ["SKIPPED", "PLACED"]
    assert [order["quantity"] for order in desk.orders()] == [10]
    assert desk.orders()[0]["price"] == "1506.00"  # nearer than the protected one


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"ends_at": "2026-07-10T10:00:01Z", "quantity": 22}, ["ENDS_AFTER_SESSION"]),
        ({"starts_at": "2026-07-10T06:29:59Z"}, ["STARTS_IN_THE_PAST"]),
        ({"ends_at": "2026-07-10T06:30:00Z"}, ["WINDOW_EMPTY"]),
        ({"interval_minutes": 30}, ["SLICES_OUT_OF_RANGE"]),
        ({"quantity": 2}, ["SLICE_BELOW_LOT"]),
        ({"price": "1500.03"}, ["PRICE_OFF_TICK"]),
    ],
)
def test_a_plan_that_can_not_be_is_refused_with_every_rule_and_its_id_is_free(
    client: Client, changes: dict[str, Any], codes: list[str]
) -> None:
    refused = client.ask("POST", "/v1/plans", {"client_id": "p", **TWAP, **changes})
    assert refused.status == 422, refused.body
    assert [rule["code"] for rule in refused.body["rules"]] == codes
    assert client.ask("GET", "/v1/plans").body["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {**ICEBERG, "legs": None}, {**ICEBERG, "legs": 51}, {**ICEBERG, "interval_minutes": 1},
        {**TWAP, "legs": 3}, {**TWAP, "ends_at": None}, {**TWAP, "interval_minutes": 0},
        {**TWAP, "client_id": "p q"}, {**TWAP, "quantity": 0}, {**TWAP, "kind": "VWAP"},
        {**TWAP, "participation_percent": 10},
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_malformed(client: Client, body: dict[str, Any]) -> None:
    answer = client.ask("POST", "/v1/plans", {"client_id": "p", **body})
    assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("kind", ["ICEBERG", "TWAP"])
def test_a_cancel_that_the_venue_refused_is_asked_for_again_a_minute_later(
    client: Client, stores: OrderStores, kind: str
) -> None:
    terms = {} if kind == "ICEBERG" else {**TWAP, "legs": None, "price": None}
    desk = Desk(client, stores, **terms)
    desk.ended("0")
    asked_at = 0
    if kind == "TWAP":
        asked_at = 10  # as the next slice is due
        desk.minute(asked_at)
    else:
        assert desk.cancel().status == 202
    for request in (1, 2):
        assert desk.orders()[-1]["pending_change"] == "CANCEL"
        desk.ended("9", request=request, reject_code=0)
        desk.minute(asked_at)
        assert desk.orders()[-1]["pending_change"] is None
        asked_at += 1
        desk.minute(asked_at)
    assert desk.orders()[-1]["pending_change"] == "CANCEL"
    desk.ended("4", request=3)
    assert desk.see()["state"] == ("CANCELLED" if kind == "ICEBERG" else "ACTIVE")


def test_a_cancel_of_all_tells_which_plans_it_ended_and_repeated_ends_no_other(
    client: Client, stores: OrderStores
) -> None:
    later = {**TWAP, "legs": None, "price": None, "starts_at": "2026-07-10T06:40:00Z"}
    first = Desk(client, stores, **later)
    wanted = {"request_id": "out", "symbol": "RELIANCE"}
    answer = client.ask("DELETE", "/v1/orders", wanted)
    assert (answer.status, answer.body["items"]) == (202, [])
    assert [plan["plan_id"] for plan in answer.body["plans"]] == [first.number]
    assert answer.body["plans"][0]["state"] == "CANCELLING"
    first.minute(1)
    other = client.ask("POST", "/v1/plans", {"client_id": "q", **ICEBERG, **later}).body
    again = client.ask("DELETE", "/v1/orders", wanted).body
    assert [(plan["plan_id"], plan["state"]) for plan in again["plans"]] == [
        (first.number, "CANCELLED")
    ]
    assert client.ask("GET", f"/v1/plans/{other['plan_id']}").body["state"] == "ACTIVE"
    reused = client.ask("DELETE", "/v1/orders", {"request_id": "out"})
    assert (reused.status, reused.body["code"]) == (409, "ID_REUSED")
