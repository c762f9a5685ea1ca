"""After-market orders: changed and released without touching the day they are placed on."""

from datetime import UTC, date, datetime, time

from functions.orders import act_on_triggers
from functions.shared.bookkeeping.accounts import open_account
from functions.shared.clock import micros
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.calendar import INDIA
from functions.shared.wire.trigger_commands import ReleaseOrder
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.ledger import Trader

THURSDAY, FRIDAY, SATURDAY, MONDAY = (date(2026, 7, day) for day in (9, 10, 11, 13))


def set_time(stores: OrderStores, day: date, moment: str) -> None:
    stores.clock.at = datetime.combine(day, time.fromisoformat(moment), INDIA).astimezone(UTC)


def filled(stores: OrderStores, client: Client, key: str, side: str) -> None:
    order = client.order(key, quantity=10, side=side).body
    venue = Trader(stores.shards, client.user_id)
    venue.now = stores.clock.at
    venue.fill(int(order["order_id"]), 10, 1500)


def test_changing_an_after_market_order_settles_nothing_before_its_day(
    client: Client, stores: OrderStores
) -> None:
    set_time(stores, THURSDAY, "12:00")
    filled(stores, client, "b", "BUY")
    set_time(stores, FRIDAY, "12:00")
    filled(stores, client, "s", "SELL")
    set_time(stores, FRIDAY, "18:00")
    order = client.order("amo", variety="AMO", price="1490.00").body
    before = client.ask("GET", "/v1/funds").body
    assert before["unsettled"] != "0.00"

    path = f"/v1/orders/{order['order_id']}"
    changed = client.ask("PATCH", path, {"request_id": "m", "price": "1480.00"})

    assert changed.status == 202, changed.body
    after = client.ask("GET", "/v1/funds").body
    assert (after["unsettled"], after["blocked"]) == (before["unsettled"], before["blocked"])


def test_an_order_that_waits_for_a_time_takes_no_trigger(
    client: Client, stores: OrderStores
) -> None:
    set_time(stores, FRIDAY, "18:00")
    order = client.order("amo", variety="AMO", price="1490.00").body
    path = f"/v1/orders/{order['order_id']}"

    answer = client.ask("PATCH", path, {"request_id": "m", "trigger_price": "1400.00"})

    assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")


def test_one_that_shows_a_part_of_itself_goes_out_with_continuous_trading(
    client: Client, stores: OrderStores
) -> None:
    set_time(stores, FRIDAY, "18:00")
    order = client.order("amo", variety="AMO", quantity=10, disclosed_quantity=2).body
    assert order["releases_at"] == "2026-07-13T03:45:00.000000Z"
    release = ReleaseOrder(
        user_id=client.user_id, order_id=int(order["order_id"]), version=order["version"],
        tick=None, seen_at=micros(stores.clock.at),
    )  # fmt: skip

    for moment, status in (("09:01", "TRIGGER_PENDING"), ("09:15", "PENDING")):
        set_time(stores, MONDAY, moment)
        stores.quote("RELIANCE", 1500)
        act_on_triggers.act(stores, release)  # type: ignore[arg-type]
        assert client.ask("GET", f"/v1/orders/{order['order_id']}").body["status"] == status


def test_a_gtt_is_previewed_as_what_it_is_which_keeps_nothing(client: Client) -> None:
    gtt = {"symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 60,
           "price": "1400.00", "trigger_price": "1400.00", "validity": "GTT"}  # fmt: skip

    one = client.ask("POST", "/v1/orders/preview", gtt).body
    two = client.ask("POST", "/v1/orders/baskets/preview", {"orders": [gtt, gtt]}).body

    assert (one["accepted"], one["margin"]) == (True, "0.00")
    assert (two["accepted"], two["margin"], two["available_after"]) == (True, "0.00", "100000.00")


def test_they_count_on_the_day_they_are_placed_not_on_that_of_their_session(
    stores: OrderStores,
) -> None:
    user = 90_001
    open_account(stores.shards, user, stores.clock.at, AccountClass.REGISTERED_ALGO)
    stores.shards.of_user(user).run(
        "SELECT ledger.register_algo(:user, '2026-01-01', '2026-12-31', 'A', 100, 400, 3)",
        user=user,
    )
    client = Client(user, f"user-{user}")
    client.ask("POST", "/v1/funds/deposits", {"client_id": "start", "amount": "100000.00"})
    set_time(stores, FRIDAY, "18:00")
    evening = [client.order(f"a{n}", variety="AMO", price="1490.00").status for n in range(5)]
    set_time(stores, SATURDAY, "11:00")
    weekend = [client.order(f"b{n}", variety="AMO", price="1490.00").status for n in range(5)]
    set_time(stores, MONDAY, "12:00")
    day = [client.order(f"c{n}").status for n in range(5)]

    assert (evening, weekend, day) == ([202, 202, 202, 429, 429],) * 3
