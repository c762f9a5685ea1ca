"""Every route of the document, with every kind of nonsense: a 4xx with a code, never a 500."""

import json
import urllib.parse
import uuid
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from functions.shared.access.accounts import create_user
from functions.shared.access.keys import signing_key
from functions.shared.access.one_time_codes import new_secret
from functions.shared.access.principal import SCOPES
from functions.shared.access.tokens import issue_token
from functions.shared.clock import wall_now
from functions.shared.runtime.codes import CODES
from functions.shared.runtime.composition import Stores
from infra.aws.openapi import HANDLERS, TARGET
from tests.support.api_events import Answer, Handler, api_event, call
from tests.support.sessions import open_session

NONSENSE: list[object] = [
    None, True, -1, 0, 0.5, 10**18, 10**30, "", "x", "NaN", "1e9", "-0", "₹" * 60, "x" * 5_000,
    "\u0000", "'; DROP TABLE ledger.account; --", [], [1], {}, {"a": {"b": []}},
]  # fmt: skip
BODIES = [
    "", "nonsense", "null", "[]", "1", '"x"', "NaN", '{"a":1,"a":2}', "{" * 5_000, "\ud800",
    '{"quantity":1e400}', '{"quantity":-1e-400}', '{"price":"NaN"}', '{"\\u0000":"\\u0000"}',
]  # fmt: skip
TEXTS = ["", "x", "-1", "0", "9" * 19, "9" * 40, "NaN", "M&M", "NOSUCH", "₹", "../..", "%00", "%FF",
         "a,b,,c", "2026-13-45", "1e9", "x" * 3_000]  # fmt: skip

Operation = tuple[str, str, dict[str, Any]]

#: As committed: a test of its own finds a stale copy, and making it anew costs a second.
DOCUMENT: dict[str, Any] = json.loads(TARGET.read_bytes())
OPERATIONS: list[Operation] = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def handler_of(method: str, path: str) -> Handler:
    for name in HANDLERS:
        module = import_module(name)
        for route in module.app.routes():
            if (route.method, route.openapi_path) == (method, path):
                handler: Handler = module.lambda_handler
                return handler
    raise LookupError(path)


@pytest.fixture
def token(stores: Stores) -> str:
    """Of a user without an account: nothing that is asked may come to pass."""
    now = wall_now()
    user_id = create_user(
        stores.shards,
        stores.secrets,
        username=f"u{uuid.uuid4().hex[:12]}",
        password="long enough",
        totp_secret=new_secret(),
    )
    session_id, _ = open_session(stores, user_id, now)
    return issue_token(
        signing_key(stores.secrets),
        user_id=user_id,
        session_id=session_id,
        roles=("user",),
        mode="PAPER",
        region="IN",
        scopes=SCOPES,
        kind="PERSON",
        now=now,
    )


def fields_of(operation: dict[str, Any]) -> list[str]:
    schema = json.dumps(operation.get("requestBody", {}))
    schemas = DOCUMENT["components"]["schemas"]
    named = [name for name in schemas if f'schemas/{name}"' in schema]
    return [field for name in named for field in schemas[name].get("properties", {})]


def requests(method: str, path: str, operation: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """(target, body) pairs: bad bodies, bad fields, bad path parts, bad queries."""
    plain = path.replace("{order_id}", "1").replace("{session_id}", "x").replace("{symbol}", "TCS")
    if "requestBody" in operation:
        yield from ((plain, body) for body in BODIES)
        for field in fields_of(operation):
            yield from ((plain, json.dumps({field: value})) for value in NONSENSE)
        everything = dict.fromkeys(fields_of(operation), "x")
        yield plain, json.dumps(everything)
    if "{" in path:
        head = path[: path.index("{")]
        yield from ((head + urllib.parse.quote(text), None) for text in TEXTS if text)
        yield head + "%00", None
        yield head + "%C3%28", None
    names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    for name in [*names, "unknown"]:
        yield from ((f"{plain}?{name}={urllib.parse.quote(text)}", None) for text in TEXTS)


def check(answer: Answer, what: object) -> None:
    assert answer.status < 500, (what, answer.body)
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json", what
        assert answer.body["code"] in CODES, (what, answer.body)
        assert answer.body["detail"], what


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    OPERATIONS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nonsense_is_refused_with_a_code(
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    operation: dict[str, Any],
) -> None:
    monkeypatch.setenv("OUTCRY_STREAM_URL", "ws://127.0.0.1:1/v1/stream")
    handler = handler_of(method, path)
    for target, body in requests(method, path, operation):
        if path.startswith("/v1/auth/log") and body is None:
            continue
        answer = call(handler, api_event(method, target, body, token=token))
        check(answer, (method, target, body))


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [each for each in OPERATIONS if each[2].get("security") != []],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("stores")
def test_a_stranger_is_refused_before_anything_else(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    handler = handler_of(method, path)
    target = path.replace("{", "").replace("}", "")
    for options in ({}, {"token": "forged"}, {"headers": {"Authorization": "Basic x"}}):
        answer = call(handler, api_event(method, target, "nonsense", **options))
        check(answer, (method, target))
        assert answer.status == 401
