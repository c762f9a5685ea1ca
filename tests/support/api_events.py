"""API Gateway events (REST, payload 1.0) as a function gets them, and its answers read back."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.api_document import check_answer

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def api_event(
    method: str,
    target: str,
    body: object = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    address: str = "203.0.113.7",
) -> dict[str, Any]:
    """`target` is a path with an optional query. A `body` that isn't text is sent as JSON."""
    parts = urlsplit(target)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return {
        "resource": parts.path,
        "path": parts.path,
        "httpMethod": method,
        "headers": sent or None,
        "multiValueHeaders": {name: [value] for name, value in sent.items()} or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "test",
            "path": parts.path,
            "requestId": "request-1",
            "httpMethod": method,
            "identity": {"sourceIp": address},
        },
        "body": text,
        "isBase64Encoded": False,
    }


class Answer:
    """A function's answer: `status`, `headers` (lower-case names) and the JSON `body`."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.status: int = raw["statusCode"]
        self.headers = {n.lower(): v[0] for n, v in raw["multiValueHeaders"].items()}
        kind = self.headers.get("content-type", "")
        self.body: Any = json.loads(raw["body"]) if "json" in kind else raw["body"]


def call(handler: Handler, event: dict[str, Any]) -> Answer:
    """The handler's answer, which must be as the API's document describes it."""
    answer = Answer(handler(event, None))
    kind = answer.headers.get("content-type", "")
    check_answer(event["httpMethod"], event["path"], answer.status, kind, answer.body)
    return answer
