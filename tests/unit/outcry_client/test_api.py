"""The library's HTTP side against a broker that answers what the test says."""

import json

import httpx
import pytest

from outcry_client import Api, RefusedError, SignedOutError, UnreachableError

TOKENS = {"access_token": "t1", "expires_in": 900, "refresh_token": "r1", "session_id": "s"}


class Broker:
    """Answers in turn, and keeps the requests."""

    def __init__(self, *answers: httpx.Response) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answers.pop(0)


def signed_in(*answers: httpx.Response) -> tuple[Api, Broker]:
    broker = Broker(httpx.Response(200, json=TOKENS), *answers)
    return Api("http://broker/", httpx.MockTransport(broker)), broker


async def test_a_token_that_ran_out_is_renewed_and_the_call_made_again() -> None:
    api, broker = signed_in(
        httpx.Response(401, json={"code": "TOKEN_EXPIRED"}),
        httpx.Response(200, json={**TOKENS, "access_token": "t2"}),
        httpx.Response(200, json={"seq": 7}),
    )
    async with api:
        await api.sign_in("asha", "p", "123456")
        assert await api.call("GET", "/v1/funds") == {"seq": 7}
    sent = [(str(each.url.path), each.headers.get("Authorization")) for each in broker.requests]
    assert sent == [
        ("/v1/auth/login", None),
        ("/v1/funds", "Bearer t1"),
        ("/v1/auth/refresh", None),
        ("/v1/funds", "Bearer t2"),
    ]
    assert json.loads(broker.requests[2].content) == {"refresh_token": "r1"}


async def test_a_held_login_is_completed_by_the_mailed_code_and_its_device_is_known() -> None:
    broker = Broker(
        httpx.Response(403, json={"code": "LOGIN_HELD", "challenge_id": "c1"}),
        httpx.Response(200, json={**TOKENS, "device_token": "d1"}),
        httpx.Response(200, json=TOKENS),
        httpx.Response(200, json={"seq": 7}),
    )
    async with Api("http://broker/", httpx.MockTransport(broker)) as api:
        with pytest.raises(RefusedError) as held:
            await api.sign_in("asha", "p", "123456")
        await api.answer_challenge(held.value.problem["challenge_id"], "654321")
        await api.sign_in("asha", "p", "123457")
        assert (await api.call("GET", "/v1/funds"), api.device_token) == ({"seq": 7}, "d1")
    bodies = [json.loads(each.content) for each in broker.requests[:3]]
    assert bodies[1] == {"challenge_id": "c1", "code": "654321"}
    assert (bodies[0].get("device_token"), bodies[2]["device_token"]) == (None, "d1")


async def test_a_problem_is_a_refusal_with_its_code() -> None:
    api, _ = signed_in(httpx.Response(422, json={"code": "ORDER_DENIED", "detail": "too many"}))
    async with api:
        await api.sign_in("asha", "p", "123456")
        with pytest.raises(RefusedError, match="too many") as caught:
            await api.call("POST", "/v1/orders", {"symbol": "INFY"})
    assert (caught.value.status, caught.value.code) == (422, "ORDER_DENIED")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, json={"code": "BUSY"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"1" * (5 << 20)),
    ],
    ids=["503", "not JSON", "too much"],
)
async def test_an_answer_that_says_nothing_leaves_the_outcome_unknown(
    answer: httpx.Response,
) -> None:
    api, _ = signed_in(answer)
    async with api:
        await api.sign_in("asha", "p", "123456")
        with pytest.raises(UnreachableError):
            await api.call("GET", "/v1/funds")


async def test_a_refresh_that_is_refused_signs_out_and_one_that_is_put_off_does_not() -> None:
    api, _ = signed_in(httpx.Response(429, json={}), httpx.Response(401, json={}))
    async with api:
        await api.sign_in("asha", "p", "123456")
        with pytest.raises(UnreachableError):
            await api.session.renew("t1")
        with pytest.raises(SignedOutError):
            await api.session.renew("t1")


async def test_the_stream_is_where_health_says_or_beside_the_api() -> None:
    answers = [
        httpx.Response(200, json={"stream": "ws://s/v1/stream"}),
        httpx.Response(200, json={}),
    ]
    api = Api("http://broker", httpx.MockTransport(Broker(*answers)))
    async with api:
        assert await api.stream_url() == "ws://s/v1/stream"
        assert await api.stream_url() == "ws://broker/v1/stream"
