"""The events a function is given: REST proxy (version 1.0), TOKEN authorizer, schedule, as on AWS.

Source: API Gateway developer guide, "Input format of a Lambda function for proxy integration" and
"Input to an API Gateway Lambda authorizer"; EventBridge user guide, "Scheduled events".
Invariant: absent maps are null, not empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from infra.local.gateway.template import Route, Schedule

ACCOUNT, REGION, API_ID, STAGE = "000000000000", "local", "outcry", "live"


@dataclass(frozen=True)
class Request:
    """An HTTP request as the server read it. `path` and `query` are raw; header names as sent."""

    id: str
    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source: str
    received_at: datetime

    def header(self, name: str) -> str | None:
        """The last header of that name, in any case."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return values[-1] if values else None


def method_arn(request: Request) -> str:
    """What an authorizer's policy allows or denies."""
    path = request.path.lstrip("/")
    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}"
    return f"{api}/{STAGE}/{request.method}/{path}"


def authorizer_event(request: Request, token: str) -> dict[str, Any]:
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": method_arn(request)}


def schedule_event(schedule: Schedule, event_id: str, at: datetime) -> dict[str, Any]:
    """The event of a schedule; `at` is the business time it is for."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{schedule.name}"],
        "detail": {},
    }


def proxy_event(
    request: Request,
    route: Route,
    parameters: Mapping[str, str],
    authorizer: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The event of a proxy integration. A body that isn't UTF-8 arrives with U+FFFD in it."""
    query = parse_qsl(request.query, keep_blank_values=True)
    context = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "authorizer": authorizer,
        "httpMethod": request.method,
        "identity": {"sourceIp": request.source, "userAgent": request.header("user-agent")},
        "path": f"/{STAGE}{request.path}",
        "protocol": "HTTP/1.1",
        "requestId": request.id,
        "requestTime": request.received_at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(request.received_at.timestamp() * 1000),
        "resourceId": "local",
        "resourcePath": route.path,
        "stage": STAGE,
    }
    return {
        "resource": route.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers) or None,
        "multiValueHeaders": _grouped(request.headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _grouped(query),
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": context,
        "body": request.body.decode(errors="replace") if request.body else None,
        "isBase64Encoded": False,
    }


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]] | None:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups or None
