import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from outcry_client.errors import SignedOutError
from tui.client.broker import RefusedError, UnreachableError
from tui.client.devices import DeviceTokens
from tui.client.http import HttpBroker

LOGIN = {"access_token": "t1", "expires_in": 900, "refresh_token": "r1", "session_id": "s"}
PROFILE = {"user_id": "1", "username": "demo", "roles": ["TRADER"], "mode": "PAPER", "region": "x"}
FUNDS = {"cash": "10.00", "held": "0.10", "available": "9.90", "seq": 3, "new_field": 1}


class Routes:
    """Answers by method and path, and keeps the requests."""

    def __init__(self, answers: dict[str, list[tuple[int, object]]]) -> None:
        self._answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, body = self._answers[f"{request.method} {request.url.path}"].pop(0)
        return httpx.Response(status, json=body)


async def _signed_in(routes: dict[str, list[tuple[int, object]]]) -> tuple[HttpBroker, Routes]:
    signing_in: dict[str, list[tuple[int, object]]] = {
        "POST /v1/auth/login": [(200, LOGIN)],
        "GET /v1/profile": [(200, PROFILE)],
    }
    answers = Routes({**signing_in, **routes})
    broker = HttpBroker("http://broker.test", transport=httpx.MockTransport(answers))
    await broker.sign_in("demo", "secret", "123456")
    return broker, answers


async def test_amounts_stay_exact_and_new_fields_are_ignored() -> None:
    broker, routes = await _signed_in({"GET /v1/funds": [(200, FUNDS)]})

    funds = await broker.funds()

    assert funds.available == Decimal("9.90")
    assert routes.requests[-1].headers["Authorization"] == "Bearer t1"


async def test_a_refused_token_is_renewed_once_and_the_call_repeated() -> None:
    renewed = {**LOGIN, "access_token": "t2"}
    broker, routes = await _signed_in(
        {
            "GET /v1/funds": [(401, {"code": "token_expired"}), (200, FUNDS)],
            "POST /v1/auth/refresh": [(200, renewed)],
        }
    )

    assert (await broker.funds()).seq == 3
    assert routes.requests[-1].headers["Authorization"] == "Bearer t2"
    assert json.loads(routes.requests[-2].content) == {"refresh_token": "r1"}


async def test_a_device_is_known_again_by_the_token_of_its_last_login(tmp_path: Path) -> None:
    answers = Routes(
        {
            "POST /v1/auth/login": [
                (403, {"code": "LOGIN_HELD", "challenge_id": "c1"}),
                (200, {**LOGIN, "device_token": "d2"}),
                (200, LOGIN),
            ],
            "POST /v1/auth/challenge": [(200, {**LOGIN, "device_token": "d1"})],
            "GET /v1/profile": [(200, PROFILE)] * 3,
        }
    )
    transport = httpx.MockTransport(answers)

    def broker() -> HttpBroker:
        devices = DeviceTokens(tmp_path / "home", "http://broker.test/")
        return HttpBroker("http://broker.test", transport=transport, devices=devices)

    with pytest.raises(RefusedError) as held:
        await broker().sign_in("demo", "secret", "123456")
    assert held.value.problem.challenge_id == "c1"
    await broker().answer_challenge("demo", "c1", "654321")
    await broker().sign_in("Demo ", "secret", "123457")
    recovery_code = "ABCDEFGHIJKLMNOPQRSTUVWX"
    await broker().sign_in("another", "secret", recovery_code)

    logins = [json.loads(r.content) for r in answers.requests if r.url.path == "/v1/auth/login"]
    assert [each.get("device_token") for each in logins] == [None, "d1", None]
    assert (logins[0]["totp"], logins[2]["recovery_code"]) == ("123456", recovery_code)
    assert "recovery_code" not in logins[0]
    assert "totp" not in logins[2]
    file = tmp_path / "home" / "device.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert DeviceTokens(tmp_path / "home", "http://elsewhere.test").of("demo") is None
    file.write_text("not JSON")
    devices = DeviceTokens(tmp_path / "home", "http://broker.test")
    assert devices.of("demo") is None
    for number in range(30):
        devices.keep(f"user-{number}", f"t{number}")
    assert (devices.of("user-9"), devices.of("user-10")) == (None, "t10")


async def test_a_refused_refresh_ends_the_session() -> None:
    broker, _ = await _signed_in(
        {"GET /v1/funds": [(401, {})], "POST /v1/auth/refresh": [(401, {"code": "revoked"})]}
    )

    with pytest.raises(SignedOutError):
        await broker.funds()


async def test_a_refresh_that_comes_too_often_does_not_end_the_session() -> None:
    broker, _ = await _signed_in(
        {
            "GET /v1/funds": [(401, {}), (200, FUNDS)],
            "POST /v1/auth/refresh": [(429, {"code": "TOO_MANY_REQUESTS"})],
        }
    )

    with pytest.raises(UnreachableError):
        await broker.funds()
    assert (await broker.funds()).seq == 3


async def test_a_refusal_keeps_its_code_and_rules() -> None:
    problem = {
        "type": "about:blank",
        "title": "Refused",
        "status": 422,
        "code": "INSUFFICIENT_FUNDS",
        "detail": "Needs more",
        "order_id": "9",
        "rules": [
            {
                "code": "INSUFFICIENT_FUNDS",
                "message": "Needs more",
                "value": "10.00",
                "limit": "9.00",
                "nearest": None,
                "largest_quantity": 9,
            }
        ],
    }
    broker, _ = await _signed_in({"POST /v1/orders": [(422, problem)]})

    with pytest.raises(RefusedError) as refused:
        await broker.place({"client_order_id": "x"})

    assert refused.value.problem.rules[0].largest_quantity == 9


@pytest.mark.parametrize("answer", [(503, {"code": "busy", "detail": "Try again"}), (200, [1])])
async def test_an_answer_that_decides_nothing_is_no_refusal(answer: tuple[int, object]) -> None:
    broker, _ = await _signed_in({"POST /v1/orders": [answer]})

    with pytest.raises(UnreachableError):
        await broker.place({"client_order_id": "x"})


async def test_a_proxys_error_page_is_a_refusal_by_status_alone() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404, text="<html>"))
    broker = HttpBroker("http://broker.test", transport=transport)

    with pytest.raises(RefusedError) as refused:
        await broker.sign_in("demo", "secret", "123456")

    assert refused.value.problem.code == "http_404"


async def test_a_list_is_read_to_its_last_page() -> None:
    holding = {"symbol": "TCS", "quantity": 1, "average_price": "1.0000"}
    broker, routes = await _signed_in(
        {
            "GET /v1/holdings": [
                (200, {"items": [holding], "next": "c2"}),
                (200, {"items": [{**holding, "symbol": "M&M"}], "next": None}),
            ]
        }
    )

    assert [each.symbol for each in await broker.holdings()] == ["TCS", "M&M"]
    assert routes.requests[-1].url.params["cursor"] == "c2"


def _example(path: str) -> object:
    """What the API's document says that a route answers."""
    document = json.loads(Path("functions/market/openapi.json").read_text(encoding="utf-8"))
    answer = document["paths"][path]["get"]["responses"]["200"]
    return answer["content"]["application/json"]["example"]


async def test_plans_and_an_orders_life_are_read_as_the_apis_document_shows_them() -> None:
    broker, _ = await _signed_in(
        {
            "GET /v1/plans": [(200, _example("/v1/plans"))],
            "GET /v1/orders/9": [(200, _example("/v1/orders/{order_id}"))],
        }
    )
    (plan,) = await broker.plans()
    detail = await broker.order("9")

    assert (plan.kind, plan.slices and plan.slices[0].planned_quantity) == ("ICEBERG", 20)
    assert [step.kind for step in detail.history] == ["ORDER_PLACED"]


async def test_a_cancel_says_which_request_it_is() -> None:
    answer = {
        "order_id": "7/8",
        "symbol": "TCS",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": 1,
        "status": "OPEN",
        "version": 3,
        "pending_change": "CANCEL",
    }
    broker, routes = await _signed_in({"DELETE /v1/orders/7/8": [(202, answer)]})

    assert (await broker.cancel("7/8", "request-1")).pending_change == "CANCEL"
    request = routes.requests[-1]
    assert request.url.raw_path == b"/v1/orders/7%2F8"
    assert json.loads(request.content) == {"request_id": "request-1"}


@pytest.mark.parametrize(
    ("health", "url"),
    [
        ({"status": "ok", "stream": "ws://elsewhere/v1/stream"}, "ws://elsewhere/v1/stream"),
        ({"status": "ok"}, "ws://broker.test/v1/stream"),
    ],
)
async def test_the_stream_is_where_the_broker_says_or_beside_the_api(
    health: dict[str, str], url: str
) -> None:
    broker, _ = await _signed_in({"GET /health": [(200, health)]})

    assert await broker.stream_url() == url


async def test_signing_out_forgets_the_tokens_whatever_the_broker_says() -> None:
    broker, _ = await _signed_in({"POST /v1/auth/logout": [(503, {})]})

    with pytest.raises(UnreachableError):
        await broker.sign_out()
    with pytest.raises(SignedOutError):
        await broker.funds()
