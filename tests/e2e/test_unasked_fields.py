"""No body sets what is not its to set: each field the API ever names is refused by name wherever it
isn't asked for, at every depth of every body (ASVS 5.0, 8.2.3 and 15.3.3).

Read from the API's document: a new route, or a new field of an answer, is tried by itself.
"""

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.api_document import document
from tests.support.forged_tokens import Genuine, signed
from tests.support.route_samples import SAMPLES, filled
from tests.support.stack import Stack

_THINGS = {
    "username": "nobody",
    "user": "7",
    "watchlist": "7",
    "alert": "7",
    "order": "7",
    "client_order": "unasked",
    "payment": "unasked",
}
#: Each with a body that would be taken, were it not for what is put beside.
_BODIES = {
    route: filled(sample.body, _THINGS)
    for route, sample in SAMPLES.items()
    if sample.body is not None
}
#: A refusal names twenty fields at most; some may be what else is wrong with the body.
_AT_ONCE = 16
#: Of nobody's answers, and what an attacker would try.
_TRIED = {
    "user_id",
    "roles",
    "role",
    "state",
    "scopes",
    "is_admin",
    "mode",
    "account_id",
    "__proto__",
}


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    """Somebody who may ask for whatever there is: a body is judged before a role is."""
    trader = stack.new_trader()
    key = (stack.home / "secrets" / "token-signing-key").read_text()
    genuine = Genuine(trader.token, trader.refresh_token, key, 0)
    scopes = sorted({*genuine.claims["scopes"], "admin"})
    token = signed(genuine, genuine.claims | {"scopes": scopes})
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=stack.api, headers=headers, timeout=60, verify=False) as client:
        yield client


def fields_of_the_api() -> set[str]:
    """Every field of every body and answer."""
    schemas = document()["components"]["schemas"].values()
    return _TRIED.union(*(schema.get("properties", ()) for schema in schemas))


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where objects are in a body."""
    if isinstance(body, dict):
        yield path
    inner = body.items() if isinstance(body, dict) else enumerate(body)
    for name, value in inner:
        if isinstance(value, dict | list):
            yield from places(value, (*path, name))


@pytest.mark.parametrize("route", _BODIES)
def test_what_a_body_does_not_ask_for_is_refused_by_name(http: httpx.Client, route: str) -> None:
    method, _, path = route.partition(" ")
    for name, value in SAMPLES[route].parameters.items():
        path = path.replace(f"{{{name}}}", filled(value, _THINGS))
    for place in places(_BODIES[route]):
        unasked = sorted(fields_of_the_api() - asked_at(route, place))
        for some in (unasked[at : at + _AT_ONCE] for at in range(0, len(unasked), _AT_ONCE)):
            body = copy.deepcopy(_BODIES[route])
            target = body
            for step in place:
                target = target[step]
            target.update(dict.fromkeys(some, "1"))
            answer = http.request(method, path, json=body)
            assert answer.status_code == 400, f"{route} {place} {some}: {answer.text}"
            prefix = "".join(f"{step}." for step in place)
            named = {each["field"] for each in answer.json()["errors"]}
            assert named >= {f"{prefix}{field}" for field in some}, f"{route}: {named}"


def test_every_body_of_the_document_is_tried() -> None:
    with_bodies = {
        f"{method.upper()} {path}"
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    }
    assert with_bodies == set(_BODIES)


def asked_at(route: str, place: tuple[Any, ...]) -> set[str]:
    """The fields of the object at that place of the route's body, by its schema."""
    method, _, path = route.partition(" ")
    body = document()["paths"][path][method.lower()]["requestBody"]
    schema = resolved(body["content"]["application/json"]["schema"])
    for step in place:
        schema = resolved(schema["items"] if isinstance(step, int) else schema["properties"][step])
    return set(schema["properties"])


def resolved(schema: Any) -> Any:
    """The object or list that a schema comes to, without its null."""
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null":
            return resolved(each)
    if "$ref" in schema:
        return resolved(document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    return schema
