"""Rules before the venue as a client meets them: phases, halts, bands, products, rates."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.shared.bookkeeping.accounts import Registration, open_account, register_algo
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.sessions import Announcement, Phase
from functions.shared.wire.announcements import announcement_key, encode_announcement
from tests.integration.order_path.conftest import Client, OrderStores, order_body
from tests.support.api_events import Answer
from tests.support.ledger import NOON

ALGO = 40_000


def announce(stores: OrderStores, told: Announcement, symbol: str = "RELIANCE") -> None:
    """What ingest would have written of the venue's word."""
    stores.valkey.set(announcement_key(symbol), encode_announcement(symbol, told))


def codes(answer: Answer) -> list[object]:
    assert answer.status == 422, answer.body
    return [rule["code"] for rule in answer.body["rules"]]


def test_a_halt_refuses_new_orders_and_changes_and_lets_cancels_pass(
    client: Client, stores: OrderStores
) -> None:
    resting = client.order("a").body["order_id"]
    halted = Announcement(Phase.OPEN, NOON - timedelta(hours=2), Phase.HALTED, "news awaited")
    announce(stores, halted)
    refused = client.order("b")
    assert codes(refused) == ["TRADING_HALTED"]
    assert "news awaited" in refused.body["rules"][0]["message"]
    change = {"request_id": "m", "quantity": 2}
    assert codes(client.ask("PATCH", f"/v1/orders/{resting}", change)) == ["TRADING_HALTED"]
    assert client.ask("GET", "/v1/instruments/RELIANCE").body["phase"] == "HALTED"
    assert client.order("c", symbol="M&M", price="3000.00").status == 202
    assert client.ask("DELETE", f"/v1/orders/{resting}").status == 202
    announce(stores, halted._replace(halt=None))
    assert client.order("d").status == 202
    assert client.order("b").status == 422  # its id has its answer


@pytest.mark.parametrize(
    ("at", "market", "limit"),
    [
        ("2026-09-08T03:33", "", ""),  # 09:03 in India
        ("2026-09-08T03:36", "TYPE_NOT_IN_PHASE", ""),
        ("2026-09-08T03:41", "PHASE_TAKES_NO_ORDERS", "PHASE_TAKES_NO_ORDERS"),
        ("2026-09-08T09:46", "PHASE_TAKES_NO_ORDERS", "PHASE_TAKES_NO_ORDERS"),
        ("2026-09-08T09:51", "", ""),
        ("2026-09-08T09:56", "TYPE_NOT_IN_PHASE", ""),
        ("2026-09-08T10:11", "MARKET_CLOSED", "MARKET_CLOSED"),
        ("2026-09-08T10:21", "TYPE_NOT_IN_PHASE", ""),
        ("2026-09-08T10:31", "MARKET_CLOSED", "MARKET_CLOSED"),
    ],
)
def test_a_share_with_a_closing_auction_goes_through_the_days_phases(
    client: Client, stores: OrderStores, at: str, market: str, limit: str
) -> None:
    stores.clock.at = datetime.fromisoformat(at).replace(tzinfo=UTC)
    asked = (({"type": "MARKET", "price": ...}, market), ({}, limit))
    for number, (changes, code) in enumerate(asked):
        answer = client.order(f"{number}", **changes)
        if code:
            assert codes(answer) == [code]
        else:
            assert answer.status == 202, answer.body


def test_a_symbol_is_taken_in_any_case(client: Client) -> None:
    placed = client.order("lower", symbol="reliance")
    assert (placed.status, placed.body["symbol"]) == (202, "RELIANCE")
    assert client.order("lower", symbol="NSE:Reliance").status == 200  # the same order
    found = client.ask("GET", "/v1/orders?symbol=reliance").body["items"]
    assert [order["order_id"] for order in found] == [placed.body["order_id"]]
    assert client.order("other", symbol="relianc").body["code"] == "UNKNOWN_SYMBOL"


def test_the_band_that_the_venue_moved_is_the_band(client: Client, stores: OrderStores) -> None:
    early = NOON - timedelta(hours=2)
    moved = Announcement(Phase.OPEN, early, None, "", (14_250_000, 17_250_000), early)
    announce(stores, moved)
    low = client.order("low", price="1400.00")
    assert codes(low) == ["PRICE_OUTSIDE_BAND"]
    assert low.body["rules"][0]["nearest"] == "1425.00"
    high = client.ask("POST", "/v1/orders/preview", order_body(price="1650.00"))
    assert high.body["accepted"] is True
    shown = client.ask("GET", "/v1/instruments/RELIANCE").body
    assert (shown["band_low"], shown["band_high"]) == ("1425.00", "1725.00")
    announce(stores, moved._replace(band_at=early - timedelta(days=1)))  # another day's
    assert client.ask("GET", "/v1/instruments/RELIANCE").body["band_low"] == "1350.00"


@pytest.mark.parametrize("target", ["/v1/orders", "/v1/orders/preview"])
def test_margin_trading_is_refused_by_the_products_that_are_offered(
    client: Client, target: str
) -> None:
    body = order_body(product="MTF")
    if target == "/v1/orders":
        body["client_order_id"] = "a"
    answer = client.ask("POST", target, body)
    assert (answer.status, answer.body["code"]) == (422, "PRODUCT_NOT_OFFERED")
    assert answer.body["valid"] == ["CNC", "MIS"]


def test_a_disclosed_quantity_is_judged_and_shown(client: Client) -> None:
    assert codes(client.order("a", quantity=20, disclosed_quantity=1)) == ["DISCLOSED_OUT_OF_RANGE"]
    taken = client.order("b", quantity=20, disclosed_quantity=2)
    assert (taken.status, taken.body["disclosed_quantity"]) == (202, 2)
    target = f"/v1/orders/{taken.body['order_id']}"
    less = client.ask("PATCH", target, {"request_id": "m", "quantity": 2})
    assert codes(less) == ["DISCLOSED_OUT_OF_RANGE"]
    assert client.order("b", quantity=20, disclosed_quantity=3).status == 409


def registered(stores: OrderStores, per_minute: int) -> Client:
    """A new user whose strategy may place so many orders a minute."""
    global ALGO
    ALGO += 1
    open_account(stores.shards, ALGO, NOON, AccountClass.REGISTERED_ALGO)
    today = NOON.date()
    terms = Registration(today, today, "ALGO7", 1_000, per_minute, 1_000)
    register_algo(stores.shards, ALGO, terms)
    client = Client(ALGO, f"user-{ALGO}")
    client.ask("POST", "/v1/funds/deposits", {"client_id": "start", "amount": "100000.00"})
    return client


def test_an_order_above_the_rate_is_told_when_to_come_again(stores: OrderStores) -> None:
    client = registered(stores, per_minute=2)
    assert [client.order(key).status for key in "abab"] == [202, 202, 200, 200]
    limited = client.order("c")
    assert (limited.status, limited.body["code"]) == (429, "RATE_LIMITED")
    assert (limited.body["per"], limited.body["limit"]) == ("minute", 2)
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    assert client.order("a").status == 200
    order = client.ask("GET", "/v1/orders").body["items"][0]["order_id"]
    assert client.ask("DELETE", f"/v1/orders/{order}").status == 202
    assert client.ask("DELETE", "/v1/orders").status == 202
    limits = {row["code"]: row for row in client.ask("GET", "/v1/risk/limits").body["items"]}
    assert limits["ORDERS_PER_MINUTE_MAX"]["value"] == "2"
    assert limits["ORDERS_PER_MINUTE_MAX"]["source"] == "registration ALGO7"
    assert limits["ORDER_CHANGES_MAX"]["value"] == "25"


def test_a_slip_of_the_finger_is_refused_while_the_price_is_live(
    client: Client, stores: OrderStores
) -> None:
    early = NOON - timedelta(hours=2)
    announce(stores, Announcement(Phase.OPEN, early, None, "", (13_500_000, 17_250_000), early))
    slip = client.order("slip", price="1660.00")
    assert codes(slip) == ["PRICE_FAR_FROM_LAST"]
    assert slip.body["rules"][0]["nearest"] == "1650.00"
    assert client.order("sound", price="1650.00").status == 202
    order = client.order("far", price="1360.00").body["order_id"]
    change = {"request_id": "m", "quantity": 1, "price": "1700.00"}
    assert codes(client.ask("PATCH", f"/v1/orders/{order}", change)) == ["PRICE_FAR_FROM_LAST"]
    stores.quote("RELIANCE", 1500, age=timedelta(minutes=2))  # nobody knows what is far by now
    assert client.order("stale", price="1660.00").status == 202


def basket(*orders: dict[str, object]) -> dict[str, object]:
    return {"orders": list(orders)}


def test_each_order_of_a_basket_has_an_answer_of_its_own(stores: OrderStores) -> None:
    client = registered(stores, per_minute=3)
    client.order("known")
    body = basket(
        order_body(client_order_id="one"),
        order_body(client_order_id="known", quantity=2),
        order_body(client_order_id="off", price="1500.03"),
        order_body(client_order_id="nowhere", symbol="GONE"),
        order_body(client_order_id="known"),
        order_body(client_order_id="late"),
    )
    answer = client.ask("POST", "/v1/orders/baskets", body)
    assert answer.status == 200
    items = answer.body["items"]
    assert [item["client_order_id"] for item in items] == [
        "one", "known", "off", "nowhere", "known", "late"
    ]  # fmt: skip
    assert [item["status"] for item in items] == [202, 409, 422, 404, 200, 429]
    assert [item.get("problem", {}).get("code") for item in items] == [
        None, "ID_REUSED", "ORDER_REFUSED", "UNKNOWN_SYMBOL", None, "RATE_LIMITED"
    ]  # fmt: skip
    assert items[0]["order"]["status"] == "PENDING"
    assert [rule["code"] for rule in items[2]["problem"]["rules"]] == ["PRICE_OFF_TICK"]
    again = client.ask("POST", "/v1/orders/baskets", body).body["items"]
    assert [item["status"] for item in again] == [200, 409, 422, 404, 200, 429]
    assert again[0]["order"] == items[0]["order"]


def test_a_basket_has_one_to_twenty_orders(client: Client) -> None:
    many = [order_body(client_order_id=f"o{n}") for n in range(21)]
    for orders in ([], many):
        assert client.ask("POST", "/v1/orders/baskets", basket(*orders)).status == 400
    assert client.ask("POST", "/v1/orders/baskets", basket(order_body())).status == 400
    answer = client.ask("POST", "/v1/orders/baskets", basket(*many[:20]))
    assert [item["status"] for item in answer.body["items"]] == [202] * 20


def test_a_basket_is_previewed_as_a_whole(client: Client) -> None:
    two = basket(order_body(quantity=20), order_body(symbol="M&M", price="3000.00", quantity=10))
    found = client.ask("POST", "/v1/orders/baskets/preview", two).body
    assert (found["accepted"], found["value"]) == (True, "60000.00")
    parts = [float(item["margin"]) for item in found["items"]]
    assert float(found["margin"]) == pytest.approx(sum(parts))
    charges = [float(item["charges"]["total"]) for item in found["items"]]
    assert float(found["charges"]["total"]) == pytest.approx(sum(charges))
    each = basket(*[order_body(quantity=40)] * 2)  # one of them could be paid
    refused = client.ask("POST", "/v1/orders/baskets/preview", each).body
    assert [item["accepted"] for item in refused["items"]] == [True, True]
    assert refused["accepted"] is False
    assert [rule["code"] for rule in refused["rules"]] == ["INSUFFICIENT_FUNDS"]
    gone = client.ask("POST", "/v1/orders/baskets/preview", basket(order_body(symbol="GONE"))).body
    assert (gone["accepted"], gone["items"][0]["problem"]["code"]) == (False, "UNKNOWN_SYMBOL")
    assert client.ask("GET", "/v1/orders").body["items"] == []


def test_a_basket_counts_as_its_orders_and_its_preview_says_which_are_above_the_rate(
    stores: OrderStores,
) -> None:
    client = registered(stores, per_minute=3)
    client.order("before")
    orders = [order_body(client_order_id=key) for key in "abcd"]
    orders[1]["symbol"] = "GONE"  # nothing is placed, and so nothing counted
    asked = [{k: v for k, v in order.items() if k != "client_order_id"} for order in orders]
    found = client.ask("POST", "/v1/orders/baskets/preview", basket(*asked)).body
    codes = [None, "UNKNOWN_SYMBOL", None, "RATE_LIMITED"]
    assert found["accepted"] is False
    assert [item.get("problem", {}).get("code") for item in found["items"]] == codes
    limited = found["items"][3]["problem"]
    assert (limited["per"], limited["limit"], limited["status"]) == ("minute", 3, 429)
    placed = client.ask("POST", "/v1/orders/baskets", basket(*orders)).body["items"]
    assert [item.get("problem", {}).get("code") for item in placed] == codes


def test_a_preview_names_the_nearest_price_and_the_largest_quantity(client: Client) -> None:
    found = client.ask("POST", "/v1/orders/preview", order_body(price="1499.97")).body
    assert (found["accepted"], found["nearest_price"]) == (False, "1500.00")
    sound = client.ask("POST", "/v1/orders/preview", order_body()).body
    assert (sound["nearest_price"], sound["largest_quantity"]) == ("1500.00", 66)
    rich = {"client_id": "more", "amount": "99999999.00"}
    client.ask("POST", "/v1/funds/deposits", rich)
    frozen = client.ask("POST", "/v1/orders/preview", order_body()).body
    assert frozen["largest_quantity"] == 50_000  # its freeze quantity, whatever the money


def test_cancelling_all_is_of_a_symbol_and_a_side_and_the_same_when_asked_again(
    client: Client,
) -> None:
    reliance = {client.order(key).body["order_id"] for key in "ab"}
    other = client.order("c", symbol="M&M", price="3000.00").body["order_id"]
    assert client.ask("DELETE", "/v1/orders", {"side": "SELL"}).body["items"] == []
    wanted = {"request_id": "all", "symbol": "RELIANCE", "side": "BUY"}
    first = client.ask("DELETE", "/v1/orders", wanted)
    assert first.status == 202
    assert {order["order_id"] for order in first.body["items"]} == reliance
    assert {order["pending_change"] for order in first.body["items"]} == {"CANCEL"}
    later = client.order("d").body["order_id"]
    again = client.ask("DELETE", "/v1/orders", wanted)
    assert [order["order_id"] for order in again.body["items"]] == sorted(reliance)
    for order in (other, later):
        assert client.ask("GET", f"/v1/orders/{order}").body["pending_change"] is None
    assert client.ask("DELETE", "/v1/orders", {"symbol": "GONE"}).status == 404
    assert client.ask("DELETE", "/v1/orders", {"version": 1}).status == 400


def test_a_cancel_during_a_change_is_taken(client: Client) -> None:
    order = client.order("a", quantity=2).body["order_id"]
    changed = client.ask("PATCH", f"/v1/orders/{order}", {"request_id": "m", "quantity": 3})
    assert changed.body["pending_change"] == "MODIFY"
    cancelled = client.ask("DELETE", f"/v1/orders/{order}", {"request_id": "c"})
    assert (cancelled.status, cancelled.body["pending_change"]) == (202, "CANCEL")
    again = client.ask("PATCH", f"/v1/orders/{order}", {"request_id": "n", "quantity": 4})
    assert (again.status, again.body["code"]) == (409, "CHANGE_PENDING")


def test_past_the_last_loaded_year_live_is_refused_and_paper_goes_on_provisionally(
    client: Client, stores: OrderStores
) -> None:
    live = Client(client.user_id, f"live-{client.user_id}")
    before = live.order("before")
    assert before.status == 202
    stores.clock.at = datetime(2027, 1, 4, 5, 0, tzinfo=UTC)  # a Monday, half past ten in India
    assert client.order("paper").status == 202
    assert client.ask("GET", "/v1/market/status").body["provisional"] is True
    plan = {"client_id": "p", "kind": "ICEBERG", **order_body(quantity=10), "legs": 5}
    del plan["type"]
    for target, body in (
        ("/v1/orders", order_body(client_order_id="live")),
        ("/v1/orders/preview", order_body()),
        ("/v1/plans", plan),
    ):
        refused = live.ask("POST", target, body)
        assert (refused.status, refused.body["code"]) == (503, "NO_RULES"), target
        assert "2027" in refused.body["detail"]
    basket = {"orders": [order_body(client_order_id="one")]}
    for target in ("/v1/orders/baskets", "/v1/orders/baskets/preview"):
        if target.endswith("preview"):
            basket = {"orders": [order_body()]}
        [item] = live.ask("POST", target, basket).body["items"]
        assert item["problem"]["code"] == "NO_RULES"
    assert live.order("before").body["order_id"] == before.body["order_id"]  # it has its answer
    assert live.ask("DELETE", f"/v1/orders/{before.body['order_id']}").status == 202


def test_a_program_s_orders_are_marked_and_counted_with_its_owner_s(stores: OrderStores) -> None:
    own = registered(stores, per_minute=3)
    program = Client(own.user_id, f"program-{own.user_id}")
    placed = [own.order("a"), program.order("b"), program.order("c"), program.order("d")]
    assert [answer.status for answer in placed] == [202, 202, 202, 429]
    assert program.ask("DELETE", f"/v1/orders/{placed[1].body['order_id']}").status == 202
    database = stores.shards.of_user(own.user_id)
    marks = database.run(
        "SELECT o.context::json ->> 'algo', e.body::json -> 'context' ->> 'algo'"
        " FROM ledger.orders o JOIN ledger.ledger_event e"
        " ON e.user_id = o.user_id AND e.seq = o.placed_seq"
        " WHERE o.user_id = :user::bigint ORDER BY o.order_id",
        user=own.user_id,
    )
    assert [list(row) for row in marks] == [[None, None], ["NSE-7", "NSE-7"], ["NSE-7", "NSE-7"]]
