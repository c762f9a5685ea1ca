"""The one table from errors to answers, as problems (RFC 9457) with a stable code.

Invariant: what is refused on purpose says why; a fault of ours says nothing but the request's id.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)

from functions.shared.domain.errors import Conflict, NotFound, Refused, Retryable
from functions.shared.runtime.codes import CODES

_VALIDATION_ERRORS_MAX: Final = 20


class Problem:
    """An error as the client gets it. `extra` members stand beside the standard ones."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: dict[str, str] | None = None,
        **extra: object,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra

    def body(self, request: str) -> dict[str, object]:
        """The problem as JSON."""
        return {
            "type": f"/docs#{self.code}",
            "title": CODES.get(self.code, HTTPStatus(self.status).phrase),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request,
            **self.extra,
        }

    def response(self, request: str) -> Response[str]:
        return Response(
            status_code=self.status,
            content_type="application/problem+json",
            body=dumps(self.body(request)),
            headers=cast(Any, self.headers),
        )


def problem_of(error: Conflict | Refused | Retryable, request: str) -> dict[str, object]:
    """The problem that would be the answer to a request of its own, for an answer about many."""
    return ERROR_TABLE[type(error)](error).body(request)


def _refused(error: Refused) -> Problem:
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_seconds" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after_seconds"])
    if error.code == "METHOD_NOT_ALLOWED":
        headers["Allow"] = ", ".join(cast("list[str]", error.extra["allow"]))
    return Problem(error.status, error.code, str(error), headers, **error.extra)


def _unavailable(error: Retryable) -> Problem:
    wait = error.retry_after_seconds
    return Problem(
        503,
        "UNAVAILABLE",
        "nothing was lost; ask again with the same ids",
        {"Retry-After": str(wait)},
        retry_after_seconds=wait,
    )


def _malformed(error: RequestValidationError) -> Problem:
    of_field: dict[str, dict[str, None]] = {}  # a field that may be one of two types breaks both
    for e in error.errors()[:_VALIDATION_ERRORS_MAX]:
        of_field.setdefault(_field_of(e["loc"]), {})[_message_of(e)] = None
    errors = [{"field": field, "message": " or ".join(texts)} for field, texts in of_field.items()]
    detail = "; ".join(f"{e['field']}: {e['message']}" for e in errors)
    return Problem(400, "INVALID_REQUEST", detail[:1000], errors=errors)


def _field_of(location: tuple[Any, ...]) -> str:
    """`("body", "price")` is `price`, `("query", "from", "date")` is `from`, which was read as a
    date; the body itself is `body`."""
    parts = [str(part) for part in (location[:2] if location[0] == "query" else location)]
    return ".".join(parts[1:] if len(parts) > 1 else parts)[:120]


def _message_of(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a field of this request"
    return str(error["msg"]).removeprefix("Value error, ")[:200]


def _internal(_: Exception) -> Problem:
    return Problem(500, "INTERNAL", "tell us the request_id")


#: The one table from errors to answers; the nearest class in an error's ancestry is taken.
ERROR_TABLE: Final[dict[type[Exception], Callable[[Any], Problem]]] = {
    NotFound: lambda e: Problem(404, "NOT_FOUND", str(e)),
    Conflict: lambda e: Problem(409, e.code, str(e)),
    Refused: _refused,
    Retryable: _unavailable,
    RequestValidationError: _malformed,
    ResponseValidationError: _internal,
    Exception: _internal,
}


def dumps(body: object) -> str:
    """JSON as every answer has it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
