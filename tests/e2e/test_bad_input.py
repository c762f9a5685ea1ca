"""Bad input on every route and on the socket: a clear 4xx or a close code, never a 500."""

import json

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.stack import Stack
from tests.support.trader import Trader

GOOD = {
    "client_order_id": "bad-1", "symbol": "INFY", "side": "BUY", "type": "LIMIT",
    "quantity": 1, "price": "1400",
}  # fmt: skip
HUGE = "9" * 400

BODIES = {
    "not JSON": "{",
    "an array": "[]",
    "nothing": "",
    "null": "null",
    "NaN": json.dumps({**GOOD, "price": float("nan")}),
    "an exponent": json.dumps(GOOD).replace('"1400"', "14e2"),
    "a key named twice": json.dumps(GOOD).replace("{", '{"quantity": 2, ', 1),
    "NUL in a string": json.dumps({**GOOD, "symbol": "IN\x00FY"}),
    "half a surrogate": '{"symbol": "\\ud800"}',
    "nested deep": "[" * 50_000,
    "too large": json.dumps({**GOOD, "symbol": "x" * 70_000}),
    "an unknown field": json.dumps({**GOOD, "discount": 1}),
    "an unknown symbol": json.dumps({**GOOD, "symbol": "NOSUCH"}),
    "an index": json.dumps({**GOOD, "client_order_id": "bad-index", "symbol": "NIFTY 50"}),
    "a zero quantity": json.dumps({**GOOD, "quantity": 0}),
    "a negative quantity": json.dumps({**GOOD, "quantity": -1}),
    "a huge quantity": json.dumps(GOOD).replace('"quantity": 1', f'"quantity": {HUGE}'),
    "a decimal quantity": json.dumps({**GOOD, "quantity": 1.5}),
    "a text quantity": json.dumps({**GOOD, "quantity": "1"}),
    "a negative price": json.dumps({**GOOD, "price": "-1"}),
    "a huge price": json.dumps({**GOOD, "price": HUGE}),
    "a boolean price": json.dumps({**GOOD, "price": True}),
    "an object price": json.dumps({**GOOD, "price": {}}),
    "an unknown side": json.dumps({**GOOD, "side": "HOLD"}),
    "an unknown type": json.dumps({**GOOD, "type": "GUESS"}),
    "a market order with a price": json.dumps({**GOOD, "type": "MARKET"}),
    "a long id": json.dumps({**GOOD, "client_order_id": "x" * 37}),
}
PATHS = [
    "/v1/orders?limit=0", "/v1/orders?limit=x", "/v1/orders?cursor=a", "/v1/orders?nosuch=1",
    "/v1/orders?from=yesterday", "/v1/orders/0", "/v1/orders/abc", "/v1/orders/" + HUGE,
    "/v1/orders/1%00", "/v1/orders/%FF", "/v1/ledger?limit=501", "/v1/ledger?cursor=-1",
    "/v1/quotes", "/v1/quotes?symbols=", "/v1/quotes?symbols=NOSUCH", "/v1/instruments/NOSUCH",
    "/v1/search", "/v1/search?q=", "/v1/search?q=%00", "/v1/nosuch", "/v2/orders",
]  # fmt: skip


def is_clear(status: int, problem: dict[str, object]) -> bool:
    return 400 <= status < 500 and bool(problem["code"]) and problem["status"] == status


@pytest.fixture(scope="module")
def trader(stack: Stack) -> Trader:
    return stack.new_trader()


@pytest.mark.parametrize("route", ["/v1/orders", "/v1/orders/preview"])
@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_bad_body_is_refused_clearly(trader: Trader, route: str, name: str) -> None:
    answer = trader.http.post(
        route, content=BODIES[name].encode(), headers={"Content-Type": "application/json"}
    )
    if route.endswith("preview") and name == "an index":
        assert answer.status_code in {200, 400}
        return
    assert is_clear(answer.status_code, answer.json()), f"{answer.status_code} {answer.text}"


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_path_or_query_is_refused_clearly(trader: Trader, path: str) -> None:
    answer = trader.http.get(path)
    assert is_clear(answer.status_code, answer.json()), f"{answer.status_code} {answer.text}"


@pytest.mark.parametrize("route", ["/v1/auth/login", "/v1/auth/refresh", "/v1/funds/deposits"])
@pytest.mark.parametrize("name", ["not JSON", "an array", "nothing", "null", "an unknown field"])
def test_other_bodies_are_read_as_strictly(trader: Trader, route: str, name: str) -> None:
    answer = trader.http.post(route, content=BODIES[name].encode())
    assert is_clear(answer.status_code, answer.json()), f"{answer.status_code} {answer.text}"


@pytest.mark.parametrize("token", ["x", "a.b.c", "Bearer", "e30.e30."])
def test_a_bad_token_is_a_401(stack: Stack, token: str) -> None:
    stranger = Trader(stack.api, stack.stream, {})
    with stranger.http as http:
        answer = http.get("/v1/funds", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["code"] in {"TOKEN_MISSING", "TOKEN_INVALID"}


@pytest.mark.parametrize(
    "message",
    ["{", "[]", "1", '"x"', "{}", '{"action":"fly"}', '{"action":"subscribe"}',
     '{"action":"subscribe","symbols":"INFY"}', '{"action":"subscribe","symbols":[1]}',
     '{"action":"subscribe","symbols":["INFY"],"mode":"loud"}', '{"action":"resume","seq":-1}',
     '{"action":"resume","seq":"x"}', '{"action":"subscribe","symbols":["\\ud800"]}'],
)  # fmt: skip
def test_a_bad_message_is_answered_and_the_socket_lives(trader: Trader, message: str) -> None:
    with trader.stream() as stream:
        stream._socket.send(message)
        assert stream.until(lambda o: o["type"] == "error")["code"]
        stream.send(action="ping", id=1)
        assert stream.until(lambda o: o["type"] == "pong")["id"] == 1


def test_a_message_too_large_closes_with_1009(trader: Trader) -> None:
    with trader.stream() as stream:
        stream._socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            stream.until(lambda _: False)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def _closing(socket: ClientConnection) -> ConnectionClosed:
    """What the server closed with; whatever it says before is let go."""
    try:
        while True:
            socket.recv(timeout=120)
    except ConnectionClosed as closed:
        return closed


def test_a_bad_token_on_the_socket_closes_with_4001(stack: Stack) -> None:
    with connect(stack.stream, subprotocols=["outcry.v1.json"]) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"action": "auth", "token": "a.b.c"}))
        closed = _closing(socket)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4001
