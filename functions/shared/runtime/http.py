"""From an API Gateway event to an answer: admission, routing, and the one error -> HTTP table.

Invariant: a route needs a verified bearer unless it is declared with `security=PUBLIC`; the same
declaration writes the OpenAPI document, so what is said and what is enforced can't differ. The
gateway's own authorizer is never the proof. Every error leaves as `application/problem+json`
(RFC 9457) with a stable code.
"""

import base64
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
    OpenAPIResponseValidationMiddleware,
)
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)

from functions.shared.access.principal import Principal
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Refused, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.codes import CODES
from functions.shared.runtime.logs import logger
from functions.shared.runtime.strict_json import BODY_BYTES_MAX, is_storable, read_json

#: `security=PUBLIC` on a route: no bearer is asked for.
PUBLIC: Final[list[dict[str, list[str]]]] = []

_SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
}
_VALIDATION_ERRORS_MAX: Final = 20


class Api(APIGatewayRestResolver):
    """A function's routes. One invocation at a time a process: Powertools keeps the request in
    class attributes."""

    def __init__(self, name: str) -> None:
        super().__init__(json_body_deserializer=cast(Any, read_json))  # a body may be any value
        self.name = name
        # Admission comes before validation: a stranger learns nothing from a field's error.
        self.use(
            [
                _admit,
                OpenAPIRequestValidationMiddleware(),  # type: ignore[no-untyped-call]
                OpenAPIResponseValidationMiddleware(has_response_validation_error=True),
            ]
        )
        for kind, answer in _ERROR_TABLE.items():
            self.exception_handler(kind)(self._answering(answer))

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        """The gateway's answer to its event, with the common headers and one log line. A HEAD is a
        GET whose answer has no body (RFC 9110, section 9.3.2)."""
        started = time.perf_counter()
        method = str(event.get("httpMethod"))
        asked = {**event, "httpMethod": "GET"} if method == "HEAD" else event
        answer = super().resolve(asked, context)
        if method == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        headers = answer.setdefault("multiValueHeaders", {})
        for header, value in _SECURITY_HEADERS.items():
            headers.setdefault(header, [value])
        headers["X-Request-Id"] = [request_id(self)]
        logger().info(
            "request",
            function=self.name,
            method=method,
            resource=event.get("resource"),
            status=answer["statusCode"],
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
            request_id=request_id(self),
        )
        return answer

    def routes(self) -> list[Route]:
        """Every route of the function. (Powertools has no public list of them.)"""
        return [*self._static_routes, *self._dynamic_routes]

    def _answering(
        self, answer: Callable[[Any], "Problem"]
    ) -> Callable[[Exception], Response[str]]:
        def handle(error: Exception) -> Response[str]:
            problem = answer(error)
            if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._log_fault(error, problem.code)
            return problem.response(request_id(self))

        return handle

    def _log_fault(self, error: Exception, code: str) -> None:
        """One line for what was refused on purpose, with the trace for what nobody foresaw."""
        if isinstance(error, Retryable | Refused):
            logger().warning(
                "unavailable", why=str(error), function=self.name, code=code,
                request_id=request_id(self),
            )  # fmt: skip
        else:
            logger().error(
                "fault", exc_info=error, function=self.name, code=code,
                request_id=request_id(self),
            )  # fmt: skip


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
            body=_dumps(self.body(request)),
            headers=cast(Any, self.headers),
        )


def new_app(name: str) -> Api:
    """The routes of one function, to be filled with `@app.get(...)` and its siblings."""
    return Api(name)


def problem_of(error: Conflict | Refused | Retryable, request: str) -> dict[str, object]:
    """The problem that would be the answer to a request of its own, for an answer about many."""
    return _ERROR_TABLE[type(error)](error).body(request)


def respond(
    body: object,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> Response[str]:
    """A JSON answer. `body` holds strings, integers, lists and dicts; money is already text."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=_dumps(body),
        headers=cast(Any, headers or {}),
    )


def respond_file(data: bytes, content_type: str, name: str) -> Response[str]:
    """A document, which API Gateway takes as base64 and hands on as bytes."""
    answer = Response(
        status_code=HTTPStatus.OK,
        content_type=content_type,
        body=base64.b64encode(data).decode(),
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )
    answer.base64_encoded = True
    return answer


def no_content() -> Response[str]:
    """204: done, nothing to say."""
    return Response(status_code=HTTPStatus.NO_CONTENT, body="")


def principal(app: Api) -> Principal:
    """Who asks: the bearer of the current request, verified at admission."""
    found = app.context.get("principal")
    if not isinstance(found, Principal):
        raise InvariantViolated("a public route asked who calls it")
    return found


def client_address(app: Api) -> str:
    """The address the request came from, as the gateway saw it."""
    return str(app.current_event.request_context.identity.get("sourceIp") or "unknown")


def request_id(app: Api) -> str:
    return str(app.current_event.request_context.get("requestId") or "")


def _admit(app: Api, next_middleware: NextMiddleware) -> Response[Any]:
    """Everything that is asked of a request before its fields are looked at."""
    route: Route = app.context["_route"]
    event = app.current_event
    if not any(route is known for known in app.routes()):
        raise _unrouted(app)  # Powertools makes up a route for what it can't find
    if route.security != PUBLIC:
        token = bearer_of(event.headers.get("authorization"))
        app.context["principal"] = composition.stores().verifier.verify(token)
    _check_body(app)
    _check_query(route, event.multi_value_query_string_parameters)
    app.context["_route_args"] = {
        name: _decoded(name, text) for name, text in app.context["_route_args"].items()
    }
    return next_middleware(app)


def bearer_of(header: str | None) -> str:
    """The token of an Authorization header (RFC 6750). Raises Refused 401."""
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401, "TOKEN_MISSING", "send Authorization: Bearer TOKEN")
    return token.strip()


def _check_body(app: Api) -> None:
    event = app.current_event
    if not event.body:
        return
    if len(event.body) > 2 * BODY_BYTES_MAX:  # base64 grows a body by a third
        raise Refused(413, "TOO_LARGE", f"the body is larger than {BODY_BYTES_MAX} bytes")
    kind = (event.headers.get("content-type") or "application/json").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", f"{kind[:80]} is not application/json")
    try:
        text = event.decoded_body or ""
    except ValueError:  # neither base64 nor UTF-8
        raise Refused(400, "NOT_JSON", "the body is not UTF-8") from None
    if len(text.encode(errors="replace")) > BODY_BYTES_MAX:
        raise Refused(413, "TOO_LARGE", f"the body is larger than {BODY_BYTES_MAX} bytes")


def _check_query(route: Route, query: dict[str, list[str]]) -> None:
    known = {field.alias for field in route.dependant.query_params}
    for name, values in query.items():
        if name not in known:
            raise _invalid(name, "is not a parameter of this route")
        if len(values) > 1:
            raise _invalid(name, "is given more than once")
        if not all(is_storable(value) for value in values):
            raise _invalid(name, "has a character that can't be stored")


def _decoded(name: str, text: str) -> str:
    """A path parameter as it was meant: gateways hand it on percent-encoded (`M%26M`)."""
    try:
        value = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _invalid(name, "is not UTF-8") from None
    if not is_storable(value):
        raise _invalid(name, "has a character that can't be stored")
    return value


def _invalid(field: str, message: str) -> Refused:
    return Refused(
        400,
        "INVALID_REQUEST",
        f"{field[:80]}: {message}",
        errors=[{"field": field[:80], "message": message}],
    )


def _unrouted(app: Api) -> Refused:
    path = str(app.context["_path"])
    allowed = sorted({route.method for route in app.routes() if route.rule.match(path)})
    if allowed:
        return Refused(405, "METHOD_NOT_ALLOWED", f"use {', '.join(allowed)}", allow=allowed)
    return Refused(404, "NOT_FOUND", f"there is no {path[:200]}")


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
_ERROR_TABLE: Final[dict[type[Exception], Callable[[Any], Problem]]] = {
    NotFound: lambda e: Problem(404, "NOT_FOUND", str(e)),
    Conflict: lambda e: Problem(409, e.code, str(e)),
    Refused: _refused,
    Retryable: _unavailable,
    RequestValidationError: _malformed,
    ResponseValidationError: _internal,
    Exception: _internal,
}


def _dumps(body: object) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
