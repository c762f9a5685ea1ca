"""Admission and the error table, on a small function of the test's own."""

import base64
import io
import json
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler.openapi.params import Query
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from functions.shared.access.call_rates import CallRates
from functions.shared.access.principal import SCOPES, Principal, person_scopes
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Refused, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.codes import CODES
from functions.shared.runtime.fields import (
    Amount,
    Instant,
    Integer,
    Price,
    Request,
    amount_to,
    price_to,
)
from functions.shared.runtime.http import (
    BEARER,
    PUBLIC,
    client_address,
    needs,
    new_app,
    principal,
    respond,
)
from tests.support.api_events import Answer, api_event, call

app = new_app("test")


class Body(Request):
    quantity: Annotated[Integer, Field(gt=0)]
    price: Price | None = None
    amount: Amount | None = None


@app.post("/v1/things", security=needs("trade"))
def make(body: Body):
    return respond(
        {"quantity": body.quantity, "price": body.price, "amount": body.amount}, status=202
    )


class Bounded(Request):
    price: Annotated[Price, price_to(1000 * 10_000)]
    amount: Annotated[Amount, amount_to(500 * 100)]


@app.post("/v1/bounded", security=needs("read"))
def make_bounded(body: Bounded):
    return respond({"price": body.price, "amount": body.amount}, status=202)


@app.get("/v1/things/<symbol>", security=BEARER)
def read(symbol: str):
    return respond({"symbol": symbol, "user_id": str(principal(app).user_id)})


@app.get("/v1/open", security=PUBLIC)
def public(q: Annotated[str, Query(max_length=8)], limit: Annotated[int, Query(ge=1, le=500)] = 50):
    return respond({"q": q, "limit": limit, "from": client_address(app)})


@app.get("/v1/since", security=PUBLIC)
def since(start: Annotated[Instant | date, Query(alias="from")]):
    return respond({"from": start.isoformat()})


@app.get("/v1/asks", security=PUBLIC)
def asks():
    return respond({"user": principal(app).user_id})


FAULTS: dict[str, Exception] = {
    "missing": NotFound("no such thing"),
    "conflict": Conflict("ID_REUSED", "another body"),
    "refused": Refused(429, "TOO_MANY_REQUESTS", "wait", retry_after_seconds=7),
    "away": Retryable("secret host 10.1.2.3 away", 3),
    "broken": InvariantViolated("secret detail"),
    "bug": KeyError("secret detail"),
}


@app.get("/v1/faults/<name>", security=PUBLIC)
def fault(name: str):
    raise FAULTS[name]


class Verifier:
    scopes: frozenset[str] = SCOPES

    def admit(self, token: str, *_: object) -> Principal:
        if token != "good":
            raise Refused(401, "TOKEN_INVALID", "no")
        return Principal(7, "s", ("user",), "PAPER", "IN", datetime.now(UTC), self.scopes)


@pytest.fixture(autouse=True)
def _stores(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(verifier=Verifier(), call_rates=CallRates(None, None, None), valkey=None)
    monkeypatch.setattr(composition, "stores", lambda: fake)


def ask(method: str, target: str, body: object = None, **options: Any) -> Answer:
    return call(app.resolve, api_event(method, target, body, token="good", **options))


def assert_problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert code in CODES
    assert answer.body["title"] == CODES[code]
    assert answer.body["request_id"] == "request-1" == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("scopes", "method", "target", "status"),
    [
        (SCOPES, "POST", "/v1/things", 202),
        (SCOPES - {"trade"}, "POST", "/v1/things", 403),
        ({"trade"}, "POST", "/v1/bounded", 403),
        (frozenset[str](), "GET", "/v1/things/TCS", 200),
    ],
)
def test_a_route_is_for_sessions_with_its_scope(
    monkeypatch: pytest.MonkeyPatch, scopes: frozenset[str], method: str, target: str, status: int
) -> None:
    monkeypatch.setattr(Verifier, "scopes", scopes)
    body = {"quantity": 1} if target == "/v1/things" else {"nonsense": 1}
    answer = ask(method, target, body if method == "POST" else None)
    assert answer.status == status
    if status == 403:
        assert_problem(answer, 403, "SCOPE_MISSING")


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        (person_scopes("FROZEN", ()), "frozen"),
        (person_scopes("VERIFIED", ()), "renew the token or log in again"),
        (person_scopes("ACTIVE", ()) - {"trade"}, "GET /v1/account"),
    ],
)
def test_a_person_without_a_scope_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, scopes: frozenset[str], said: str
) -> None:
    monkeypatch.setattr(Verifier, "scopes", scopes)
    answer = ask("POST", "/v1/things", {"quantity": 1})
    assert_problem(answer, 403, "SCOPE_MISSING")
    assert said in answer.body["detail"]


@pytest.mark.parametrize("security", [None, [{"bearer": ["everything"]}], [{"other": []}]])
def test_a_route_that_does_not_say_who_may_call_it_is_not_declared(security: Any) -> None:
    with pytest.raises(InvariantViolated, match="GET /v1/loose"):
        new_app("loose").get("/v1/loose", security=security)


def test_a_body_becomes_exact_integers() -> None:
    text = '{"quantity": 10, "price": 2950.55, "amount": "12.5"}'
    answer = ask("POST", "/v1/things", text)
    assert answer.status == 202
    assert answer.body == {"quantity": 10, "price": 29505500, "amount": 1250}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("", "INVALID_REQUEST", "body"),
        ("nonsense", "NOT_JSON", None),
        ("[" * 30_000, "NOT_JSON", None),
        ('{"quantity": NaN}', "NOT_JSON", None),
        ('{"quantity": 1, "quantity": 2}', "NOT_JSON", None),
        ('{"quantity": 1e3}', "INVALID_NUMBER", None),
        ('{"quantity": 1234567890123456789}', "INVALID_NUMBER", None),
        ('{"quantity": 0}', "INVALID_REQUEST", "quantity"),
        ('{"quantity": -5}', "INVALID_REQUEST", "quantity"),
        ('{"quantity": 10.0}', "INVALID_REQUEST", "quantity"),
        ('{"quantity": "10"}', "INVALID_REQUEST", "quantity"),
        ('{"quantity": true}', "INVALID_REQUEST", "quantity"),
        ('{"price": 1}', "INVALID_REQUEST", "quantity"),
        ('{"quantity": 1, "price": "1e3"}', "INVALID_REQUEST", "price"),
        ('{"quantity": 1, "price": "NaN"}', "INVALID_REQUEST", "price"),
        ('{"quantity": 1, "price": 1.00001}', "INVALID_REQUEST", "price"),
        ('{"quantity": 1, "price": {}}', "INVALID_REQUEST", "price"),
        ('{"quantity": 1, "amount": 0.001}', "INVALID_REQUEST", "amount"),
        ('{"quantity": 1, "surprise": 1}', "INVALID_REQUEST", "surprise"),
        ('{"quantity": 1, "\\ud800": 1}', "NOT_JSON", None),
        ("[]", "INVALID_REQUEST", None),
        ("[1]", "INVALID_REQUEST", None),
        ('"text"', "INVALID_REQUEST", None),
        ("1", "INVALID_REQUEST", None),
        ("null", "INVALID_REQUEST", None),
        ("true", "INVALID_REQUEST", None),
    ],
)
def test_a_malformed_body_is_a_400_that_names_the_field(
    body: str, code: str, field: str | None
) -> None:
    answer = ask("POST", "/v1/things", body)
    assert_problem(answer, 400, code)
    if field is not None:
        assert field in [error["field"] for error in answer.body["errors"]]


def test_a_bound_of_money_is_said_in_rupees_as_it_was_asked() -> None:
    """The rules count in paise and ten-thousandths; whoever asked does not."""
    body = '{"price": 1000.05, "amount": "500.01"}'
    answer = ask("POST", "/v1/bounded", body)
    assert_problem(answer, 400, "INVALID_REQUEST")
    assert answer.body["errors"] == [
        {"field": "price", "message": "must be above 0 and at most 1000.00"},
        {"field": "amount", "message": "must be above 0 and at most 500.00"},
    ]
    assert ask("POST", "/v1/bounded", '{"price": 1000, "amount": 500}').status == 202
    assert ask("POST", "/v1/bounded", '{"price": "0.00", "amount": 500}').status == 400
    assert ask("POST", "/v1/bounded", '{"price": 1000, "amount": -1}').status == 400


def test_a_large_body_is_refused() -> None:
    assert_problem(ask("POST", "/v1/things", '"' + "x" * 65_536 + '"'), 413, "TOO_LARGE")
    assert_problem(ask("POST", "/v1/things", '"' + "é" * 40_000 + '"'), 413, "TOO_LARGE")


def test_a_list_is_no_body_even_of_one_good_body() -> None:
    for body in ([{"quantity": 1}], [{"quantity": 1}, {"quantity": 2}], [], [None]):
        answer = ask("POST", "/v1/things", json.dumps(body))
        assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")
        assert answer.body["errors"] == [{"field": "body", "message": "is one object, not a list"}]


def test_a_body_of_another_kind_is_refused() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_problem(
        ask("POST", "/v1/things", "quantity=1", headers=form), 415, "UNSUPPORTED_MEDIA_TYPE"
    )


def test_a_base64_body_is_decoded_and_a_broken_one_refused() -> None:
    event = api_event("POST", "/v1/things", token="good")
    event |= {"isBase64Encoded": True, "body": base64.b64encode(b'{"quantity": 1}').decode()}
    assert call(app.resolve, event).status == 202
    for broken in ("x", base64.b64encode(b"\xff\xfe").decode()):
        assert_problem(call(app.resolve, event | {"body": broken}), 400, "NOT_JSON")


def test_a_route_asks_for_a_bearer_before_it_looks_at_the_body() -> None:
    answer = call(app.resolve, api_event("POST", "/v1/things", "nonsense"))
    assert_problem(answer, 401, "TOKEN_MISSING")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_problem(
        call(app.resolve, api_event("POST", "/v1/things", token="forged")), 401, "TOKEN_INVALID"
    )


def test_a_head_is_a_get_without_its_body() -> None:
    for path, token in (("/v1/things/X", "good"), ("/v1/things/X", "forged"), ("/v1/none", "good")):
        got, head = (
            app.resolve(api_event(method, path, token=token), None) for method in ("GET", "HEAD")
        )
        assert (head["statusCode"], head["body"]) == (got["statusCode"], "")
        assert head["multiValueHeaders"] == got["multiValueHeaders"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic good", "good"])
def test_only_a_bearer_is_a_bearer(header: str) -> None:
    event = api_event("GET", "/v1/things/X", headers={"authorization": header})
    assert_problem(call(app.resolve, event), 401, "TOKEN_MISSING")


def test_a_parameter_of_two_types_is_refused_once_and_by_its_name() -> None:
    answer = call(app.resolve, api_event("GET", "/v1/since?from=2026-02-30"))
    assert_problem(answer, 400, "INVALID_REQUEST")
    assert [error["field"] for error in answer.body["errors"]] == ["from"]
    assert answer.body["detail"].startswith("from: ")
    assert " or " in answer.body["detail"]  # every form that would have been taken


@pytest.mark.parametrize(("name", "traced"), [("away", False), ("broken", True)])
def test_what_may_be_asked_again_is_one_line_of_the_log_and_a_fault_is_traced(
    name: str, traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    log = Logger(service=f"test-{name}", stream=written)
    monkeypatch.setattr("functions.shared.runtime.http.logger", lambda: log)
    call(app.resolve, api_event("GET", f"/v1/faults/{name}"))
    told, request = [json.loads(line) for line in written.getvalue().splitlines()]
    assert request["status"] >= 500
    assert ("exception" in told) is traced
    assert (told["level"] == "ERROR") is traced


def test_a_public_route_asks_for_none_and_may_not_ask_who_calls() -> None:
    assert call(app.resolve, api_event("GET", "/v1/open?q=rel")).body == {
        "q": "rel",
        "limit": 50,
        "from": "203.0.113.7",
    }
    assert_problem(call(app.resolve, api_event("GET", "/v1/asks")), 500, "INTERNAL")


@pytest.mark.parametrize(
    "query", ["", "q=123456789", "q=a&limit=0", "q=a&limit=x", "q=a&other=1", "q=a&q=b", "q=%00"]
)
def test_a_malformed_query_is_a_400(query: str) -> None:
    answer = call(app.resolve, api_event("GET", f"/v1/open?{query}"))
    assert_problem(answer, 400, "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["M%26M", "M&M"])
def test_a_symbol_in_a_path_arrives_decoded(path: str) -> None:
    assert ask("GET", f"/v1/things/{path}").body == {"symbol": "M&M", "user_id": "7"}
    assert ask("GET", "/v1/things/NIFTY%2050").body["symbol"] == "NIFTY 50"


@pytest.mark.parametrize("path", ["%00", "%FF%FE"])
def test_a_path_that_is_not_text_is_a_400(path: str) -> None:
    assert_problem(ask("GET", f"/v1/things/{path}"), 400, "INVALID_REQUEST")


def test_an_unknown_route_is_404_and_an_unknown_method_405() -> None:
    assert_problem(call(app.resolve, api_event("GET", "/v1/nothing")), 404, "NOT_FOUND")
    answer = call(app.resolve, api_event("DELETE", "/v1/things"))
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("missing", 404, "NOT_FOUND"),
        ("conflict", 409, "ID_REUSED"),
        ("refused", 429, "TOO_MANY_REQUESTS"),
        ("away", 503, "UNAVAILABLE"),
        ("broken", 500, "INTERNAL"),
        ("bug", 500, "INTERNAL"),
    ],
)
def test_each_error_has_its_answer_and_our_faults_tell_nothing(
    name: str, status: int, code: str
) -> None:
    answer = call(app.resolve, api_event("GET", f"/v1/faults/{name}"))
    assert_problem(answer, status, code)
    assert "secret" not in json.dumps(answer.raw)
    if name == "refused":
        assert answer.headers["retry-after"] == "7"
    if name == "away":
        assert answer.headers["retry-after"] == "3"


def test_every_answer_forbids_storing_and_sniffing() -> None:
    for target in ("/v1/open?q=a", "/v1/nothing"):
        answer = call(app.resolve, api_event("GET", target))
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "strict-transport-security" not in answer.headers  # RFC 6797, section 7.2
    over_tls = api_event("GET", "/v1/open?q=a", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" in call(app.resolve, over_tls).headers


@settings(max_examples=300, deadline=None)
@given(body=st.text(max_size=200))
def test_no_body_makes_a_500(body: str) -> None:
    answer = ask("POST", "/v1/things", body)
    assert 400 <= answer.status < 500


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["quantity", "price", "amount", "x"]), inner, max_size=4
            )
        ),
        max_leaves=8,
    )
)
def test_no_json_makes_a_500(body: object) -> None:
    assert ask("POST", "/v1/things", body).status in {202, 400}
