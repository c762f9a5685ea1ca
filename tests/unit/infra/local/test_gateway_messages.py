"""Events as API Gateway makes them, and answers as it reads them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.gateway.answers import (
    MalformedAnswer,
    OwnAnswers,
    function_answer,
    method_not_allowed,
    overloaded,
)
from infra.local.gateway.app import allows
from infra.local.gateway.events import Request, authorizer_event, proxy_event
from infra.local.gateway.template import Function, GatewayResponse, Route, read_template

ROUTE = Route("GET", "/quotes/{symbol}", Function("F", "f.handler", 3, None), None)


def request(query: str = "", body: bytes = b"") -> Request:
    return Request(
        id="r-1",
        method="GET",
        path="/quotes/M%26M",
        query=query,
        headers=[("host", "h"), ("x-a", "1"), ("x-a", "2")],
        body=body,
        source="127.0.0.1",
        received_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def test_the_last_of_several_values_stands_alone_and_all_stand_in_the_multi_value_maps() -> None:
    event = proxy_event(request("s=A&s=B%20C&empty="), ROUTE, {"symbol": "M%26M"}, None)
    assert event["queryStringParameters"] == {"s": "B C", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"s": ["A", "B C"], "empty": [""]}
    assert event["headers"]["x-a"] == "2"
    assert event["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert event["pathParameters"] == {"symbol": "M%26M"}


def test_absent_maps_and_an_absent_body_are_null() -> None:
    event = proxy_event(request(), ROUTE, {}, None)
    for name in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters"):
        assert event[name] is None
    assert event["body"] is None


def test_the_request_context_names_the_caller_and_the_request() -> None:
    context = proxy_event(request(), ROUTE, {}, {"principalId": "7"})["requestContext"]
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["requestId"] == "r-1"
    assert context["authorizer"] == {"principalId": "7"}
    assert context["resourcePath"] == "/quotes/{symbol}"


def test_the_authorizer_is_given_the_token_and_the_call() -> None:
    event = authorizer_event(request(), "Bearer t")
    assert event["type"] == "TOKEN"
    assert event["authorizationToken"] == "Bearer t"
    assert event["methodArn"].endswith("/live/GET/quotes/M%26M")


@given(st.binary())
def test_any_body_makes_an_event(body: bytes) -> None:
    event = proxy_event(request(body=body), ROUTE, {}, None)
    assert event["body"] is None or isinstance(event["body"], str)


def test_a_functions_answer_keeps_every_value_of_a_header() -> None:
    answer = function_answer(
        {
            "statusCode": 200,
            "headers": {"X-A": "0", "X-B": "b"},
            "multiValueHeaders": {"x-a": ["1", "2"]},
            "body": "aGk=",
            "isBase64Encoded": True,
        }
    )
    assert answer.headers == (("X-B", "b"), ("x-a", "1"), ("x-a", "2"))
    assert answer.body == b"hi"


@pytest.mark.parametrize(
    "result",
    [
        None,
        "text",
        {},
        {"statusCode": "200"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
def test_an_answer_of_another_shape_is_malformed(result: object) -> None:
    with pytest.raises(MalformedAnswer):
        function_answer(result)


def test_the_gateways_own_answer_comes_from_the_template() -> None:
    own = OwnAnswers(
        {"UNAUTHORIZED": GatewayResponse(401, {"X": "y"}, '{"id":"$context.requestId"}')}
    )
    answer = own.answer("UNAUTHORIZED", "r-9")
    assert answer.status == 401
    assert dict(answer.headers)["x"] == "y"
    assert answer.body == b'{"id": "r-9", "status": 401}'
    said = '{"code":"$context.authorizer.code","detail":"$context.authorizer.detail"}'
    denied = OwnAnswers({"ACCESS_DENIED": GatewayResponse(401, {}, said)}).answer(
        "ACCESS_DENIED", "r", {"code": "TOKEN_EXPIRED"}
    )
    told = {"code": "TOKEN_EXPIRED", "detail": "", "status": 401}
    assert (denied.status, json.loads(denied.body)) == (401, told)


def test_what_only_this_gateway_says_is_a_problem_as_well() -> None:
    waits, method = overloaded("r-1"), method_not_allowed("r-2", ["GET", "POST"])
    assert (waits.status, dict(waits.headers)["retry-after"]) == (503, "1")
    assert (method.status, dict(method.headers)["allow"]) == (405, "GET, POST")
    assert [json.loads(a.body)["code"] for a in (waits, method)] == [
        "UNAVAILABLE", "METHOD_NOT_ALLOWED"
    ]  # fmt: skip
    assert {dict(a.headers)["content-type"] for a in (waits, method)} == {
        "application/problem+json"
    }


def test_what_the_gateway_says_by_itself_is_a_problem_that_nothing_keeps_or_frames() -> None:
    responses = read_template().responses
    of_aws_alone = {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED"}
    own = OwnAnswers(responses)
    answers = {kind: own.answer(kind, "r-1") for kind in responses.keys() - of_aws_alone}
    answers |= {"-": overloaded("r-1"), "OPTIONS": method_not_allowed("r-1", ["GET"])}
    for kind, answer in answers.items():
        headers, body = dict(answer.headers), json.loads(answer.body)
        assert headers["content-type"] == "application/problem+json", kind
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert (headers["content-security-policy"], headers["x-frame-options"]) == (
            "sandbox", "DENY"
        )  # fmt: skip
        assert not any(name.startswith(("access-control-", "strict-")) for name in headers)
        assert body["request_id"] == "r-1"


def policy(*statements: tuple[str, str]) -> dict[str, object]:
    return {
        "principalId": "7",
        "policyDocument": {"Statement": [{"Effect": e, "Resource": r} for e, r in statements]},
    }


@pytest.mark.parametrize(
    ("verdict", "allowed"),
    [
        (policy(("Allow", "arn:live/GET/a")), True),
        (policy(("Allow", "arn:live/*")), True),
        (policy(("Allow", "arn:live/GET/b")), False),
        (policy(("Allow", "arn:live/*"), ("Deny", "arn:live/GET/*")), False),
        (policy(), False),
        ({**policy(("Allow", "*")), "principalId": ""}, False),
        (None, False),
    ],
)
def test_only_an_allow_without_a_deny_lets_in(verdict: object, allowed: bool) -> None:
    assert allows(verdict, "arn:live/GET/a") is allowed


def test_a_bracket_in_a_path_is_no_wildcard() -> None:
    arn = "arn:live/GET/v1/orders/[x]"
    policy = {"Statement": [{"Effect": "Allow", "Resource": arn}]}
    assert allows({"principalId": "1", "policyDocument": policy}, arn)
