"""The API's one OpenAPI document, made from the routes of every function.

Flow: each function's resolver -> its part of the document -> merged -> functions/market/
openapi.json, which is committed and served. Invariant: what the document says of a route is what
the route enforces, because both read the same declaration; a test finds a stale copy.

Run `python -m infra.aws.openapi` after a route has changed.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from functions.shared.runtime.http import PUBLIC, Api

#: Every module whose `app` has routes.
HANDLERS: Final = (
    "functions.auth.handler", "functions.orders.handler", "functions.risk.handler",
    "functions.ledger.handler", "functions.ledger.notes_handler", "functions.search.handler",
    "functions.market.handler",
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
_ANY_ERROR: Final[dict[str, Any]] = {
    "description": "Refused, not found or not available: see `code`",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def document() -> dict[str, Any]:
    """The merged OpenAPI 3.1 document. Raises ValueError when two functions claim one name."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    for name in HANDLERS:
        app: Api = import_module(name).app
        part = json.loads(app.get_openapi_json_schema(title=app.name, version=_VERSION))
        for path, operations in _operations(app, part).items():
            for method, operation in operations.items():
                _claim(paths.setdefault(path, {}), method, operation)
        for schema, content in part.get("components", {}).get("schemas", {}).items():
            if schema not in _POWERTOOLS_ERRORS:
                _claim(schemas, schema, content)
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
            if route.security == PUBLIC:
                operation["security"] = []
            if route.summary is None:  # powertools would only say the route again
                operation["summary"] = " ".join((route.func.__doc__ or "").split())
            operation.setdefault("tags", [app.name.replace("-", " ").capitalize()])
            operation["responses"] = {
                **{s: _answer(s, a) for s, a in operation["responses"].items()},
                "default": _ANY_ERROR,
            }
            found.setdefault(path, {})[method] = operation
    return found


def _answer(status: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Powertools describes a ready-made `Response[str]` as a JSON string; it is a JSON object,
    and a 204 has nothing."""
    if status == "204":
        return {"description": "Done"}
    media = answer.get("content", {}).get("application/json", {})
    if media.get("schema") == {"type": "string", "title": "Return"}:
        media["schema"] = {"type": "object"}
    return answer


def _claim(into: dict[str, Any], name: str, content: Any) -> None:
    if into.setdefault(name, content) != content:
        raise ValueError(f"two functions mean different things by {name}")


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
