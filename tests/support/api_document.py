"""Holds answers of the functions against the API's document.

Every answer that a test gets by `api_events.call` passes here: its status is one that the route's
document names, its body fits the schema of that status, and a problem's code is one of those listed
there. A field that is not described, or a code that nobody was told of, fails the test that met it.
"""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator

from infra.aws import openapi

_PARAMETER: Final = re.compile(r"\\\{\w+\\\}")
#: What an answer may be besides: no such route, and what the tests themselves break.
_ANYWHERE: Final = {(404, "NOT_FOUND"), (405, "METHOD_NOT_ALLOWED"), (413, "TOO_LARGE"),
                    (415, "UNSUPPORTED_MEDIA_TYPE"), (500, "INTERNAL")}  # fmt: skip
#: Sent with a body that the route has no use for.
_OF_BODIES: Final = {(400, "NOT_JSON"), (400, "INVALID_NUMBER"), (400, "INVALID_REQUEST")}


def check_answer(method: str, path: str, status: int, kind: str, body: Any) -> None:
    """Fails for an answer that the document doesn't describe. `kind`: its Content-Type."""
    operation = _operation(method, path)
    media = kind.split(";")[0]
    if media == "application/problem+json":
        _fits({"$ref": "#/components/schemas/Problem"}, body)
        if (status, body["code"]) in _ANYWHERE | _OF_BODIES:
            return
    if operation is None:  # a route of a test's own: those of the functions are all described
        return
    answer = _resolved(operation["responses"].get(str(status), {}))
    assert answer, f"{method} {path} answered {status}, which it is not said to: {body}"
    described = answer.get("content", {}).get(media)
    if described is None:
        assert not body, f"{method} {path} {status} answered {media}"
    elif media == "application/problem+json":
        assert body["code"] in described["examples"], f"{method} {path} {status} {body['code']}"
    elif media == "application/json":
        _fits(described["schema"], body)


@functools.cache
def document() -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(openapi.TARGET.read_text("utf-8"))
    return document


@functools.cache
def _routes() -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
    """Those without a parameter first: `/v1/orders/preview` is no order's number."""
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile(_PARAMETER.sub("[^/]+", re.escape(path))), operations)
        for path, operations in paths
    ]


def _operation(method: str, path: str) -> Mapping[str, Any] | None:
    for pattern, operations in _routes():
        if pattern.fullmatch(path) and method.lower() in operations:
            found: Mapping[str, Any] = operations[method.lower()]
            return found
    return None


def _resolved(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in answer:
        return answer
    name = answer["$ref"].rsplit("/", 1)[-1]
    found: Mapping[str, Any] = document()["components"]["responses"][name]
    return found


@functools.cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(
        {**json.loads(schema), "components": {"schemas": document()["components"]["schemas"]}}
    )


def _fits(schema: Mapping[str, Any], body: Any) -> None:
    errors = [
        f"{error.json_path}: {error.message}"
        for error in _validator(json.dumps(schema)).iter_errors(body)
    ]
    assert errors == []
