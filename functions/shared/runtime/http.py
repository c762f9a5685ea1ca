"""From an API Gateway event to an answer: admission, routing, and the one error -> HTTP table.

Invariant: every route declares who may call it: `security=PUBLIC`, `BEARER` or `needs(scope)`; a
function with a route that doesn't won't start. The same declaration writes the OpenAPI document, so
what is said and what is enforced can't differ. The gateway's own authorizer is never the proof.
Every error leaves as `application/problem+json` (RFC 9457) with a stable code.
"""

import base64
import inspect
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

from functions.shared.access.addresses import caller_address
from functions.shared.access.principal import SCOPES, Principal, Scope, require_scopes
from functions.shared.access.throttle import Throttle
from functions.shared.domain.errors import InvariantViolated, Refused, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.logs import logger
from functions.shared.runtime.problems import ERROR_TABLE, Problem, dumps
from functions.shared.runtime.strict_json import BODY_BYTES_MAX, Json, is_storable, read_json

Security = list[dict[str, list[str]]]
#: `security=PUBLIC` on a route: no bearer is asked for.
PUBLIC: Final[Security] = []
#: Public routes that ask no store, and so count nobody either.
STORELESS: Final = frozenset({"/health", "/docs", "/v1/openapi.json"})
#: `security=BEARER`: whoever is signed in, whatever their scopes.
BEARER: Final[Security] = [{"bearer": []}]

#: On every answer. An answer is data: were it opened as a page, it would load and frame nothing.
_SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: Over TLS alone (RFC 6797, section 7.2).
_STRICT_TRANSPORT: Final = "max-age=31536000"


class Api(APIGatewayRestResolver):
    """A function's routes. One invocation at a time a process: Powertools keeps the request in
    class attributes."""

    def __init__(self, name: str) -> None:
        super().__init__(json_body_deserializer=cast(Any, _read_body))  # a body may be any value
        self.name = name
        # Admission comes before validation: a stranger learns nothing from a field's error.
        self.use(
            [
                _admit,
                OpenAPIRequestValidationMiddleware(),  # type: ignore[no-untyped-call]
                OpenAPIResponseValidationMiddleware(has_response_validation_error=True),
            ]
        )
        for kind, answer in ERROR_TABLE.items():
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
        if self.current_event.headers.get("x-forwarded-proto") == "https":
            headers["Strict-Transport-Security"] = [_STRICT_TRANSPORT]
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

    def route(self, *args: Any, **options: Any) -> Any:
        """Declares a route. Raises InvariantViolated, at import, for one that doesn't say who may
        call it."""
        given = inspect.signature(super().route).bind(*args, **options).arguments
        if given.get("security") not in _SECURITIES:
            raise InvariantViolated(f"{given['method']} {given['rule']} says not who may call it")
        return super().route(*args, **options)

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


def needs(scope: Scope) -> Security:
    """`security=needs("trade")` on a route: its caller's session must have the scope (else 403
    SCOPE_MISSING). OpenAPI 3.1 names the roles of any scheme where OAuth names its scopes."""
    return [{"bearer": [scope]}]


_SECURITIES: Final = [PUBLIC, BEARER, *(needs(scope) for scope in SCOPES)]


def new_app(name: str) -> Api:
    """The routes of one function, to be filled with `@app.get(...)` and its siblings."""
    return Api(name)


def respond(
    body: object,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> Response[str]:
    """A JSON answer. `body` holds strings, integers, lists and dicts; money is already text."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=dumps(body),
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
    """The address the request came from: as the gateway saw it, or as a proxy of ours tells it."""
    event = app.current_event
    source = str(event.request_context.identity.get("sourceIp") or "unknown")
    forwarded = event.multi_value_headers.get("x-forwarded-for")
    if not forwarded:
        return source
    return caller_address(source, ",".join(forwarded), composition.stores().proxies)


def request_id(app: Api) -> str:
    return str(app.current_event.request_context.get("requestId") or "")


def _admit(app: Api, next_middleware: NextMiddleware) -> Response[Any]:
    """Everything that is asked of a request before its fields are looked at."""
    route: Route = app.context["_route"]
    event = app.current_event
    if not any(route is known for known in app.routes()):
        raise _unrouted(app)  # Powertools makes up a route for what it can't find
    if route.security:
        app.context["principal"] = _caller(app, route.security[0]["bearer"])
    elif route.path not in STORELESS:
        _count_stranger(app)
    _check_body(app)
    _check_query(route, event.multi_value_query_string_parameters)
    app.context["_route_args"] = {
        name: _decoded(name, text) for name, text in app.context["_route_args"].items()
    }
    return next_middleware(app)


def _caller(app: Api, scopes: list[str]) -> Principal:
    """Who asks, of whom the route needs those scopes."""
    stores, address = composition.stores(), client_address(app)
    try:
        token = bearer_of(app.current_event.headers.get("authorization"))
        caller = stores.verifier.admit(token, address, scopes, stores.call_rates)
    except Refused as refusal:
        if refusal.status == HTTPStatus.UNAUTHORIZED:
            _count_stranger(app)  # who tries tokens is told to wait in the end
        raise
    require_scopes(caller, scopes)
    return caller


def _count_stranger(app: Api) -> None:
    stores = composition.stores()
    for take in stores.call_rates.of_stranger(client_address(app)):
        Throttle(stores.valkey).take(take.limit, take.subject)


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


def _read_body(text: str) -> Json:
    """No route takes a list, and Powertools would take the first of one for the whole of it."""
    value = read_json(text)
    if isinstance(value, list):
        raise _invalid("body", "is one object, not a list")
    return value


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
