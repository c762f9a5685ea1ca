"""What a client gets: a function's answer, or the gateway's own where there is none.

Invariant: a function's answer is passed on only when it has the shape API Gateway asks for;
anything else is a 502 that tells nothing of its cause.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from functions.shared.runtime.codes import CODES
from infra.local.gateway.template import GatewayResponse

#: API Gateway developer guide, "Gateway response types": the status each has by default.
_DEFAULT_STATUS = {
    "UNAUTHORIZED": 401,
    "ACCESS_DENIED": 403,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "REQUEST_TOO_LARGE": 413,
    "AUTHORIZER_FAILURE": 500,
    "INTEGRATION_FAILURE": 502,
    "INTEGRATION_TIMEOUT": 504,
}
#: On what API Gateway would say by the template's own headers, and on what it never says.
_OWN_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "sandbox",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_AUTHORIZER = re.compile(r"\$context\.authorizer\.([A-Za-z0-9_]+)")
#: It speaks plain HTTP on the loopback, where this header must not be sent (RFC 6797, 7.2).
_TLS_ONLY = "strict-transport-security"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class MalformedAnswer(Exception):
    """A function returned something that is no proxy response."""


def function_answer(result: object) -> Answer:
    """A proxy response as an answer. Raises MalformedAnswer."""
    if not isinstance(result, dict):
        raise MalformedAnswer("not an object")
    status, body = result.get("statusCode"), result.get("body")
    body = "" if body is None else body
    if not isinstance(status, int) or not 100 <= status <= 599 or not isinstance(body, str):
        raise MalformedAnswer("statusCode or body")
    headers = [(str(k), str(v)) for k, v in (result.get("headers") or {}).items()]
    for name, values in (result.get("multiValueHeaders") or {}).items():
        headers = [(k, v) for k, v in headers if k.lower() != name.lower()]
        headers += [(str(name), str(value)) for value in values]
    try:
        data = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else None
    except binascii.Error:
        raise MalformedAnswer("body is not base64") from None
    return Answer(status, tuple(headers), body.encode() if data is None else data)


def overloaded(request_id: str) -> Answer:
    """More invocations wait than the bound allows. API Gateway has no such answer."""
    detail = "nothing was done; ask again with the same ids"
    return _problem(503, "UNAVAILABLE", detail, request_id, {"retry-after": "1"})


def method_not_allowed(request_id: str, allowed: Sequence[str]) -> Answer:
    """The path has routes, but none of that method (RFC 9110, 15.5.6). API Gateway can only say
    what it says of a path without any."""
    names = ", ".join(allowed)
    return _problem(405, "METHOD_NOT_ALLOWED", f"use {names}", request_id, {"allow": names})


def _problem(
    status: int, code: str, detail: str, request_id: str, headers: Mapping[str, str]
) -> Answer:
    body = {"type": f"/docs#{code}", "title": CODES[code], "status": status, "code": code,
            "detail": detail, "request_id": request_id}  # fmt: skip
    kind = {"content-type": "application/problem+json", **_OWN_HEADERS}
    return Answer(status, tuple({**kind, **headers}.items()), json.dumps(body).encode())


class OwnAnswers:
    """The gateway's own answers, by the template's GatewayResponses."""

    def __init__(self, responses: Mapping[str, GatewayResponse]) -> None:
        self._responses = responses

    def answer(
        self, kind: str, request_id: str, authorizer: Mapping[str, Any] | None = None
    ) -> Answer:
        """`authorizer`: the context of the policy that denied the call."""
        status = _DEFAULT_STATUS[kind]
        family = self._responses.get(f"DEFAULT_{status // 100}XX")
        response = self._responses.get(kind) or family
        if response is not None and response.status is not None:
            status = response.status
        headers = {"content-type": "application/json", **_OWN_HEADERS}
        body: dict[str, Any] = {"message": HTTPStatus(status).phrase}
        if response is not None:
            headers |= {name.lower(): text for name, text in response.headers.items()}
            headers.pop(_TLS_ONLY, None)
            if response.body is not None:
                told = authorizer or {}
                text = response.body.replace("$context.requestId", request_id)
                text = _AUTHORIZER.sub(
                    lambda name: json.dumps(str(told.get(name[1], "")))[1:-1], text
                )
                body = json.loads(text)
                body.setdefault("status", status)
        return Answer(status, tuple(headers.items()), json.dumps(body).encode())
