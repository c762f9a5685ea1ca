"""A request's way: route, authorizer, function, answer. The ASGI application of the gateway.

Invariant: a request is answered by the invocation made for it or by the gateway itself, never by
another's; a route with an authorizer reaches its function only with an explicit Allow.
"""

import fnmatch
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import msgspec

from edge.runtime.log import logger
from functions.shared.clock import wall_now
from infra.local.gateway.answers import (
    Answer,
    MalformedAnswer,
    OwnAnswers,
    function_answer,
    method_not_allowed,
    overloaded,
)
from infra.local.gateway.events import Request, authorizer_event, method_arn, proxy_event
from infra.local.gateway.pool import (
    FunctionFailed,
    FunctionTimedOut,
    Overloaded,
    Pool,
    Worker,
)
from infra.local.gateway.routing import Router
from infra.local.gateway.template import Route, Template
from infra.local.gateway.turns import Turns
from infra.local.gateway.worker import UNAUTHORIZED

#: Lambda's limit on an event; the functions allow far less.
BODY_MOST = 6 * 1024 * 1024

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class BodyTooLarge(Exception):
    """The request's body is over BODY_MOST."""


class Refusal(Exception):
    """The gateway answers by itself; `kind` is a gateway response type, `context` what the
    authorizer said with its Deny."""

    def __init__(self, kind: str, context: Mapping[str, Any] | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.context = context


class Gateway:
    """The ASGI application."""

    def __init__(self, template: Template, pool: Pool, passwords: Turns) -> None:
        self._router = Router(template.routes)
        self._own = OwnAnswers(template.responses)
        self._pool = pool
        self._passwords = passwords

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the API speaks http, not {scope['type']}")
        request_id = str(uuid.uuid4())
        try:
            answer = await self._answer(await _read(scope, receive, request_id))
        except BodyTooLarge:
            answer = self._own.answer("REQUEST_TOO_LARGE", request_id)
        except Refusal as refusal:
            answer = self._own.answer(refusal.kind, request_id, refusal.context)
        await _send(send, answer, request_id)

    async def _answer(self, request: Request) -> Answer:
        found = self._router.find(request.method, request.path)
        if found is None:
            if allowed := self._router.methods(request.path):
                return method_not_allowed(request.id, allowed)
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        route, parameters = found
        try:
            async with self._turn(route), self._pool.lease() as worker:
                authorizer = await self._authorize(worker, route, request)
                event = proxy_event(request, route, parameters, authorizer)
                result = await worker.invoke(route.function, request.id, msgspec.json.encode(event))
            return function_answer(msgspec.json.decode(result))
        except Overloaded:
            return overloaded(request.id)
        except (FunctionFailed, FunctionTimedOut, MalformedAnswer) as error:
            logger(__name__).error(
                "an invocation failed",
                function=route.function.logical_id,
                request_id=request.id,
                error=type(error).__name__,
                detail=str(error),
            )
            raise Refusal("INTEGRATION_FAILURE") from None

    def _turn(self, route: Route) -> AbstractAsyncContextManager[None]:
        """What the route waits for before it is given a worker."""
        return self._passwords.take() if route.hashes_password else nullcontext()

    async def _authorize(
        self, worker: Worker, route: Route, request: Request
    ) -> dict[str, Any] | None:
        """The authorizer's context for the function. Raises Refusal when it says no."""
        if route.authorizer is None:
            return None
        token = request.header("authorization")
        if not token:
            raise Refusal("UNAUTHORIZED")
        event = msgspec.json.encode(authorizer_event(request, token))
        try:
            verdict = msgspec.json.decode(await worker.invoke(route.authorizer, request.id, event))
        except FunctionFailed as error:
            kind = "UNAUTHORIZED" if error.message == UNAUTHORIZED else "AUTHORIZER_FAILURE"
            raise Refusal(kind) from None
        except FunctionTimedOut:
            raise Refusal("AUTHORIZER_FAILURE") from None
        if not allows(verdict, method_arn(request)):
            context = verdict.get("context") if isinstance(verdict, dict) else None
            raise Refusal("ACCESS_DENIED", context)
        return {**verdict.get("context", {}), "principalId": verdict["principalId"]}


def allows(verdict: object, arn: str) -> bool:
    """Whether the policy allows the call: some statement does, and none denies it."""
    if not isinstance(verdict, dict) or not verdict.get("principalId"):
        return False
    effects: set[str] = set()
    for statement in verdict.get("policyDocument", {}).get("Statement", []):
        resources = statement.get("Resource", [])
        patterns = [resources] if isinstance(resources, str) else resources
        # IAM's wildcards are * and ? alone; a bracket stands for itself.
        if any(fnmatch.fnmatchcase(arn, each.replace("[", "[[]")) for each in patterns):
            effects.add(statement.get("Effect"))
    return "Allow" in effects and "Deny" not in effects


async def _read(scope: Scope, receive: Receive, request_id: str) -> Request:
    headers = _headers(scope["headers"])
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_MOST:
            raise BodyTooLarge
    client = scope.get("client") or ("", 0)
    return Request(
        id=request_id,
        method=scope["method"],
        path=scope["raw_path"].decode("ascii", "replace").partition("?")[0],
        query=scope["query_string"].decode("ascii", "replace"),
        headers=headers,
        body=bytes(body),
        source=client[0],
        received_at=wall_now(),
    )


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


async def _send(send: Send, answer: Answer, request_id: str) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"x-amzn-requestid", request_id.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
