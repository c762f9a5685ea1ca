"""Placing, changing and reading orders through API events: what a client meets."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.shared.wire.order_routes import ROUTES_KEY
from tests.integration.order_path.conftest import Client, OrderStores, order_body

HUGE = 10**9
BEFORE_THE_LIMITS = datetime(2025, 7, 10, 6, tzinfo=UTC)
BETWEEN_THE_CHARGES = datetime(2024, 7, 10, 6, tzinfo=UTC)
"""Neither limits nor the exchange's charges are written for that day."""


def assert_problem(answer, status: int, code: str) -> None:
    assert (answer.status, answer.body.get("code")) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_order_is_accepted_at_once_as_pending(client: Client) -> None:
    answer = client.order("a")
    assert answer.status == 202
    body = answer.body
    assert (body["status"], body["symbol"], body["price"]) == ("PENDING", "RELIANCE", "1500.00")
    assert isinstance(body["order_id"], str)
    assert client.ask("GET", f"/v1/orders/{body['order_id']}").body["status"] == "PENDING"
    assert client.ask("GET", "/v1/funds").body["available"] == "98498.21"


def test_the_same_order_again_is_answered_as_the_first_time(client: Client) -> None:
    first, again = client.order("a"), client.order("a")
    assert (first.status, again.status) == (202, 200)
    assert again.body == first.body


def test_a_price_written_differently_is_the_same_order(client: Client) -> None:
    first, again = client.order("a", price="1500.00"), client.order("a", price=1500)
    assert (again.status, again.body) == (200, first.body)


def test_the_same_id_with_another_body_is_a_conflict(client: Client) -> None:
    client.order("a")
    assert_problem(client.order("a", quantity=2), 409, "ID_REUSED")


def test_a_known_order_is_answered_even_when_the_price_is_gone(
    client: Client, stores: OrderStores
) -> None:
    market = {"type": "MARKET", "price": ...}
    first = client.order("a", **market)
    stores.valkey.flushall()
    stores.route()
    assert client.order("a", **market).body == first.body
    assert_problem(client.order("b", **market), 503, "NO_PRICE")


def test_while_the_venue_is_out_of_reach_only_what_was_answered_and_cancels_are_taken(
    client: Client, stores: OrderStores
) -> None:
    first = client.order("a")
    stores.route(up=False)
    assert client.order("a").body == first.body
    path = f"/v1/orders/{first.body['order_id']}"
    for answer in (
        client.order("b"),
        client.ask("POST", "/v1/orders/preview", order_body()),
        client.ask("PATCH", path, {"request_id": "m", "quantity": 2}),
    ):
        assert_problem(answer, 503, "VENUE_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        assert "since 00:00:00" in answer.body["detail"]
    stores.valkey.delete(ROUTES_KEY)  # nobody vouches for the session
    assert_problem(client.order("b"), 503, "VENUE_UNAVAILABLE")
    assert client.ask("DELETE", path).status == 202
    stores.route()
    assert client.order("b").status == 202


def test_a_refused_order_names_every_rule_with_its_numbers(client: Client) -> None:
    answer = client.order("a", price="9000.01", quantity=200_000)
    assert_problem(answer, 422, "ORDER_REFUSED")
    rules = {rule["code"]: rule for rule in answer.body["rules"]}
    assert set(rules) == {
        "PRICE_OFF_TICK", "PRICE_OUTSIDE_BAND", "QUANTITY_TOO_LARGE", "QUANTITY_ABOVE_FREEZE",
        "ORDER_VALUE_TOO_LARGE", "PRICE_FAR_FROM_LAST",
        "INSUFFICIENT_FUNDS",
    }  # fmt: skip
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"
    again = client.order("a", price="9000.01", quantity=200_000)
    assert_problem(again, 422, "ORDER_REFUSED")
    assert again.body["order_id"] == answer.body["order_id"]


def test_a_market_order_without_a_fresh_price_is_refused(
    client: Client, stores: OrderStores
) -> None:
    stores.quote("RELIANCE", 1500, age=timedelta(minutes=2))
    assert_problem(client.order("a", type="MARKET", price=...), 503, "NO_PRICE")


@pytest.mark.parametrize("day", [BEFORE_THE_LIMITS, BETWEEN_THE_CHARGES])
def test_a_business_date_without_rules_takes_no_order_and_says_so(
    client: Client, stores: OrderStores, day: datetime
) -> None:
    first = client.order("a")
    stores.clock.at = day
    assert_problem(client.order("b"), 503, "NO_RULES")
    assert_problem(client.ask("POST", "/v1/orders/preview", order_body()), 503, "NO_RULES")
    assert client.order("a").body == first.body


def test_a_market_buy_holds_its_protected_price(client: Client) -> None:
    assert client.order("a", type="MARKET", price=...).status == 202
    held = client.ask("GET", "/v1/funds").body["held"]
    assert 1507.5 <= float(held) <= 1510.5


def test_orders_are_refused_when_the_market_is_closed(client: Client, stores: OrderStores) -> None:
    stores.clock.at += timedelta(days=1)  # a Saturday
    answer = client.order("a", price="1.00")
    [rule] = answer.body["rules"]
    assert rule["code"] == "MARKET_CLOSED"
    assert "with variety AMO it is taken now" in rule["message"]
    answer = client.order("b", validity="IOC")
    assert [rule["message"] for rule in answer.body["rules"]] == ["the market is not open"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("not json", "NOT_JSON"),
        ("", "INVALID_REQUEST"),
        ("[]", "INVALID_REQUEST"),
        ("null", "INVALID_REQUEST"),
        ('{"quantity": NaN}', "NOT_JSON"),
        ('{"price": Infinity}', "NOT_JSON"),
        ('{"quantity": 1e400}', "INVALID_NUMBER"),
        (order_body(), "INVALID_REQUEST"),
        (order_body(client_order_id="a", colour="red"), "INVALID_REQUEST"),
        (order_body(client_order_id=""), "INVALID_REQUEST"),
        (order_body(client_order_id="x" * 37), "INVALID_REQUEST"),
        (order_body(client_order_id="a;b"), "INVALID_REQUEST"),
        (order_body(client_order_id=7), "INVALID_REQUEST"),
        *(
            (order_body(client_order_id="a", quantity=quantity), "INVALID_REQUEST")
            for quantity in (0, -1, HUGE + 1, 1.5, "1", True, None, [1], "NaN")
        ),
        *(
            (order_body(client_order_id="a", price=price), "INVALID_REQUEST")
            for price in (0, -1, "-1", "0.00", "1e3", "NaN", "1500.123456", True, [1], "", "１５")
        ),
        (order_body(client_order_id="a", price=...), "INVALID_REQUEST"),
        (order_body(client_order_id="a", type="MARKET"), "INVALID_REQUEST"),
        (order_body(client_order_id="a", type="STOP"), "INVALID_REQUEST"),
        (order_body(client_order_id="a", side="HOLD"), "INVALID_REQUEST"),
        (order_body(client_order_id="a", product="NRML"), "INVALID_REQUEST"),
        (order_body(client_order_id="a", validity="GTX"), "INVALID_REQUEST"),
        (order_body(client_order_id="a", symbol=""), "INVALID_REQUEST"),
        (order_body(client_order_id="a", symbol="X" * 41), "INVALID_REQUEST"),
    ],
)
def test_a_malformed_order_is_refused_and_nothing_is_recorded(
    client: Client, body: object, code: str
) -> None:
    assert_problem(client.ask("POST", "/v1/orders", body), 400, code)
    assert client.ask("GET", "/v1/orders").body["items"] == []


@pytest.mark.parametrize("symbol", ["NOSUCH", "RELIANCE'; --", "%", "BSE:RELIANCE"])
def test_an_unknown_symbol_is_not_found(client: Client, symbol: str) -> None:
    assert_problem(client.order("a", symbol=symbol), 404, "UNKNOWN_SYMBOL")


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("target", ["/v1/orders", "/v1/orders/preview"])
def test_the_largest_numbers_a_body_may_hold_are_judged_not_an_error(
    client: Client, side: str, target: str
) -> None:
    for price in ("9999999.95", "10000000", "100000000", "99999999999999"):
        body = order_body(client_order_id="a" + price, side=side, quantity=HUGE, price=price)
        if target.endswith("preview"):
            del body["client_order_id"]
        assert client.ask("POST", target, body).status in {200, 400, 422}


def test_an_index_cannot_be_traded(client: Client) -> None:
    answer = client.order("a", symbol="NIFTY 50")
    assert "NOT_TRADABLE" in {rule["code"] for rule in answer.body["rules"]}


def test_a_preview_says_what_placing_would_and_leaves_nothing(client: Client) -> None:
    body = order_body(symbol="M&M", price="3000", quantity=10)
    preview = client.ask("POST", "/v1/orders/preview", body)
    assert preview.status == 200
    assert preview.body["accepted"] is True
    assert preview.body["value"] == "30000.00"
    assert preview.body["charges"]["stt"] == "30.00"
    assert preview.body["charges"]["total"] == "35.62"
    assert preview.body["margin"] == "30035.62"
    assert preview.body["available_after"] == "69964.38"
    assert preview.body["largest_quantity"] == 33
    assert client.ask("GET", "/v1/orders").body["items"] == []


def test_a_cancel_is_on_its_way_and_may_be_asked_again(client: Client) -> None:
    order_id = client.order("a").body["order_id"]
    target = f"/v1/orders/{order_id}"
    first = client.ask("DELETE", target, {"request_id": "c"})
    assert (first.status, first.body["pending_change"]) == (202, "CANCEL")
    assert client.ask("DELETE", target, {"request_id": "c"}).status == 202
    assert client.ask("DELETE", target).status == 202


def test_a_change_to_an_order_that_moved_is_a_conflict(client: Client) -> None:
    order = client.order("a").body
    target = f"/v1/orders/{order['order_id']}"
    body = {"request_id": "m", "quantity": 2, "version": order["version"] + 1}
    assert_problem(client.ask("PATCH", target, body), 409, "VERSION_MOVED")
    body["version"] = order["version"]
    changed = client.ask("PATCH", target, body)
    assert (changed.status, changed.body["pending_change"]) == (202, "MODIFY")
    assert client.ask("PATCH", target, body).status == 202
    for another in ({"quantity": 3}, {"price": "1499.00"}, {"version": 9}):
        assert_problem(client.ask("PATCH", target, body | another), 409, "ID_REUSED")
    other = {"request_id": "n", "quantity": 3}
    assert_problem(client.ask("PATCH", target, other), 409, "CHANGE_PENDING")


def test_a_change_beyond_the_money_names_the_largest_total_that_would_do(client: Client) -> None:
    order_id = client.order("a", quantity=10).body["order_id"]
    body = {"request_id": "m", "quantity": 90}
    answer = client.ask("PATCH", f"/v1/orders/{order_id}", body)
    assert_problem(answer, 422, "ORDER_REFUSED")
    (rule,) = answer.body["rules"]
    assert (rule["code"], rule["largest_quantity"]) == ("INSUFFICIENT_FUNDS", 66)
    body = {"request_id": "n", "quantity": 66}
    assert client.ask("PATCH", f"/v1/orders/{order_id}", body).status == 202


@pytest.mark.parametrize(
    "body",
    [
        {"request_id": "m"},
        {"quantity": 2},
        {"request_id": "m", "quantity": 0},
        {"request_id": "m", "price": "-1"},
        {"request_id": "m", "quantity": 2, "version": 0},
        {"request_id": "m", "quantity": 2, "version": 2**31},
        {"request_id": "m", "quantity": 2, "side": "SELL"},
        "nonsense",
    ],
)
def test_a_malformed_change_is_refused(client: Client, body: object) -> None:
    order_id = client.order("a").body["order_id"]
    assert client.ask("PATCH", f"/v1/orders/{order_id}", body).status == 400


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_another_users_order_is_not_found(client: Client, stranger: Client, method: str) -> None:
    order_id = client.order("a").body["order_id"]
    body = {"PATCH": {"request_id": "m", "quantity": 2}, "DELETE": {"request_id": "c"}}
    answer = stranger.ask(method, f"/v1/orders/{order_id}", body.get(method))
    assert_problem(answer, 404, "NOT_FOUND")
    assert client.ask("GET", f"/v1/orders/{order_id}").body["pending_change"] is None


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 18, "9" * 19, "9" * 40, "1.0", "١"])
def test_what_is_no_order_of_mine_is_not_found(client: Client, number: str) -> None:
    assert_problem(client.ask("GET", f"/v1/orders/{number}"), 404, "NOT_FOUND")


def test_everything_is_cancelled_at_once(client: Client) -> None:
    numbers = {client.order(key).body["order_id"] for key in "abc"}
    answer = client.ask("DELETE", "/v1/orders", {"request_id": "all"})
    assert answer.status == 202
    assert {order["order_id"] for order in answer.body["items"]} == numbers


def test_orders_are_listed_newest_first_and_by_page(client: Client) -> None:
    numbers = [client.order(key).body["order_id"] for key in "abcde"]
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.ask("GET", f"/v1/orders?limit=2{cursor}").body
        seen += [order["order_id"] for order in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == numbers[::-1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "cursor=-1", "status=GONE", "from=yesterday", "x=1",
     "from=2026-07-10T12:00:00", "limit=1&limit=2"],
)  # fmt: skip
def test_a_malformed_query_is_refused(client: Client, query: str) -> None:
    assert_problem(client.ask("GET", f"/v1/orders?{query}"), 400, "INVALID_REQUEST")


def test_a_list_of_a_far_time_is_empty_not_an_error(client: Client) -> None:
    client.order("a")
    for query in ("from=9999-12-31T23:59:59Z", "to=0001-01-01T00:00:00Z"):
        answer = client.ask("GET", f"/v1/orders?{query}")
        assert (answer.status, answer.body["items"]) == (200, [])


@pytest.mark.parametrize("token", [None, "nonsense", ""])
def test_without_a_token_nothing_is_said(client: Client, token: str | None) -> None:
    client.token = token or ""
    for method, target in (("POST", "/v1/orders"), ("GET", "/v1/orders"), ("GET", "/v1/funds")):
        assert client.ask(method, target, {} if method == "POST" else None).status == 401
