"""The API's one OpenAPI document, made from the routes of every function.

Flow: each function's resolver -> its part of the document -> merged -> functions/market/
openapi.json, which is committed and served. Invariant: what the document says of a route's request
is what the route enforces, because both read the same declaration; of its answers, what the tests
saw it answer. A test finds a stale copy.

Run `python -m infra.aws.openapi` after a route has changed.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer

from functions.shared.runtime.codes import CODES
from functions.shared.runtime.described import PROBLEM, refused
from functions.shared.runtime.http import BEARER, PUBLIC, STORELESS, Api

#: Every module whose `app` has routes.
HANDLERS: Final = (
    "functions.auth.handler", "functions.orders.handler", "functions.risk.handler",
    "functions.ledger.handler", "functions.ledger.notes_handler", "functions.search.handler",
    "functions.market.handler", "functions.audit.handler", "functions.watch.handler",
    "functions.surveillance.handler",
)  # fmt: skip
TARGET: Final = Path(__file__).parents[2] / "functions" / "market" / "openapi.json"
_VERSION: Final = "1.0.0"
#: Powertools describes its own error bodies; ours are problems (RFC 9457).
_POWERTOOLS_ERRORS: Final = {"HTTPValidationError", "ResponseValidationError", "ValidationError"}
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is stable; the list of codes is at /docs.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
#: How any route may refuse, beside its own ways: a caller, a body, a store that is away.
_OF_ALL: Final[Mapping[int, Sequence[str]]] = {400: ["INVALID_REQUEST"]}
_OF_BEARER: Final[Mapping[int, Sequence[str]]] = {
    401: ["TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", "SESSION_ENDED"],
    403: ["ADDRESS_NOT_ALLOWED"],
    421: ["WRONG_REGION"],
}
_OF_SCOPE: Final[Mapping[int, Sequence[str]]] = {403: ["SCOPE_MISSING"]}
_OF_BODY: Final[Mapping[int, Sequence[str]]] = {
    400: ["NOT_JSON", "INVALID_NUMBER"], 413: ["TOO_LARGE"], 415: ["UNSUPPORTED_MEDIA_TYPE"],
}  # fmt: skip
_OF_STORES: Final[Mapping[int, Sequence[str]]] = {
    429: ["TOO_MANY_REQUESTS"], 503: ["UNAVAILABLE"],
}  # fmt: skip
#: Refusals that are the same wherever nothing is added to them, by status.
_SHARED: Final[Mapping[int, Sequence[str]]] = {
    413: _OF_BODY[413], 415: _OF_BODY[415], **_OF_BEARER, **_OF_STORES,
    403: [*_OF_BEARER[403], *_OF_SCOPE[403]],
}  # fmt: skip
_ANY_ERROR: Final[dict[str, Any]] = {
    "description": "Any other refusal or fault: see `code`",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def document() -> dict[str, Any]:
    """The merged OpenAPI 3.1 document. Raises ValueError when two functions claim one name."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    for name in HANDLERS:
        app: Api = import_module(name).app
        part = json.loads(
            app.get_openapi_json_schema(
                title=app.name, version=_VERSION, security_schemes={"bearer": HTTPBearer()}
            )
        )
        for path, operations in _operations(app, part).items():
            for method, operation in operations.items():
                _claim(paths.setdefault(path, {}), method, operation)
        for schema, content in part.get("components", {}).get("schemas", {}).items():
            if schema not in _POWERTOOLS_ERRORS:
                _claim(schemas, schema, content)
    for operations in paths.values():
        for operation in operations.values():
            _give_examples(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Outcry",
            "version": _VERSION,
            "description": "A retail stock brokerage: orders, money, quotes and events. "
            "Prices and amounts are strings; times are RFC 3339 in UTC.",
        },
        "security": [{"bearer": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "schemas": dict(sorted(schemas.items())),
            "responses": {_name(s): refused(codes) for s, codes in _SHARED.items()},
            "examples": _problems(paths),
        },
    }


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _operations(app: Api, part: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The function's operations, each with who may call it and how it refuses."""
    routes = {(r.openapi_path, r.method.lower()): r for r in app.routes()}
    found: dict[str, dict[str, Any]] = {}
    for path, operations in part["paths"].items():
        for method, operation in operations.items():
            route = routes[path, method]
            operation["security"] = route.security
            said = " ".join((route.func.__doc__ or "").split())
            if route.summary is None:  # powertools would only say the route again
                operation["summary"] = said
            elif said:
                operation["description"] = said
            operation.setdefault("tags", [app.name.replace("-", " ").capitalize()])
            answers = {s: _answer(s, a) for s, a in operation["responses"].items()}
            own = {int(s): _codes(a) for s, a in answers.items() if s.isdecimal() and _codes(a)}
            refusals = _merged(own, *_common(path, operation))
            operation["responses"] = {
                **{s: answers[s] for s in sorted(answers) if not _codes(answers[s])},
                **{str(s): _refusal(s, refusals[s]) for s in sorted(refusals)},
                "default": _ANY_ERROR,
            }
            found.setdefault(path, {})[method] = operation
    return found


def _answer(status: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Powertools describes a ready-made `Response[str]` as a JSON string; the only one that says
    no more of itself is this document, and a 204 has nothing."""
    if status == "204":
        return {"description": "Done"}
    media = answer.get("content", {}).get("application/json", {})
    if media.get("schema") == {"type": "string", "title": "Return"}:
        media["schema"] = {"type": "object"}
        media["example"] = {"openapi": "3.1.0"}
    return answer


def _codes(answer: Mapping[str, Any]) -> Sequence[str]:
    """The codes of a refusal; of another answer none."""
    return list(answer.get("content", {}).get(PROBLEM, {}).get("examples", ()))


def _common(path: str, operation: Mapping[str, Any]) -> list[Mapping[int, Sequence[str]]]:
    found = [] if path in STORELESS else [_OF_STORES]
    if operation["security"] != PUBLIC:
        found.append(_OF_BEARER)
    if operation["security"] not in (PUBLIC, BEARER):
        found.append(_OF_SCOPE)
    if "requestBody" in operation:
        found.append(_OF_BODY)
    if "parameters" in operation or "requestBody" in operation:
        found.append(_OF_ALL)
    return found


def _merged(*refusals: Mapping[int, Sequence[str]]) -> dict[int, list[str]]:
    merged: dict[int, list[str]] = {}
    for each in refusals:
        for status, codes in each.items():
            known = merged.setdefault(status, [])
            known.extend(code for code in codes if code not in known)
    return merged


def _refusal(status: int, codes: Sequence[str]) -> Mapping[str, Any]:
    if _SHARED.get(status) == codes:
        return {"$ref": f"#/components/responses/{_name(status)}"}
    return refused(codes)


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _problems(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An example of every code that a route names."""
    statuses = {
        code: status
        for operations in paths.values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        for code in _codes(answer)
    } | {code: str(status) for status, codes in _SHARED.items() for code in codes}
    return {
        code: {
            "value": {
                "type": f"/docs#{code}", "title": CODES[code], "status": int(statuses[code]),
                "code": code, "detail": CODES[code], "request_id": "1c2a4f4e-0b0e-4d44-9d1c",
            }
        }
        for code in sorted(statuses)
    }  # fmt: skip


def _give_examples(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """An example beside each JSON schema of an operation, made of its fields' own."""
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        media = body.get("content", {}).get("application/json")
        if media is not None and "example" not in media:
            media["example"] = example_of(media["schema"], schemas)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """A value that fits. Raises ValueError for a schema that has none to show."""
    if "$ref" in schema and "examples" not in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas)
    match schema:
        case {"examples": [first, *_]}:
            return first
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"anyOf": [first, *_]}:
            return example_of(first, schemas)
        case {"type": "object", "properties": fields}:
            return {name: example_of(field, schemas) for name, field in fields.items()}
        case {"type": "array", "items": items}:
            return [example_of(items, schemas)]
        case {"type": "null"}:
            return None
    raise ValueError(f"no example of {schema}")


def _claim(into: dict[str, Any], name: str, content: Any) -> None:
    if into.setdefault(name, content) != content:
        raise ValueError(f"two functions mean different things by {name}")


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
