"""template.yaml as the embedded gateway needs it: routes, authorizers, streams, schedules, answers.

Invariant: nothing here names a route or a function; a route added to the template works here with
no second list. What the template says in a way this reader doesn't know stops the start.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"
#: As on LocalStack: conditions for AWS alone are false.
_PARAMETERS = {"Target": "localstack"}
_FUNCTION = "AWS::Serverless::Function"
_NO_AUTHORIZER = "NONE"
_DEFAULT_TIMEOUT_SECONDS = 3  # AWS Lambda's own
#: EventBridge takes the singular for one alone.
_RATE = re.compile(r"rate\((?:(1) minute|([2-9]|[1-9][0-9]{1,3}) minutes)\)")


class TemplateError(Exception):
    """The template says something this reader doesn't know, or contradicts itself."""


@dataclass(frozen=True)
class Function:
    """A Lambda function: `handler` is MODULE.NAME."""

    logical_id: str
    handler: str
    timeout_seconds: float
    reserved_concurrency: int | None


@dataclass(frozen=True)
class Route:
    """One method of one path. `authorizer` is asked first; None lets everybody in.
    `hashes_password`: the function's metadata lists it among its PasswordRoutes."""

    method: str
    path: str
    function: Function
    authorizer: Function | None
    hashes_password: bool = False


@dataclass(frozen=True)
class StreamSource:
    """A function that is handed a stream's records in batches."""

    function: Function
    stream: str
    batch_size: int


@dataclass(frozen=True)
class Schedule:
    """A function that is called each `minutes` minutes of the business clock."""

    name: str
    function: Function
    minutes: int


@dataclass(frozen=True)
class GatewayResponse:
    """What the gateway answers by itself: `body` holds $context.requestId."""

    status: int | None
    headers: Mapping[str, str]
    body: str | None


@dataclass(frozen=True)
class Template:
    functions: tuple[Function, ...]
    routes: tuple[Route, ...]
    streams: tuple[StreamSource, ...]
    schedules: tuple[Schedule, ...]
    responses: Mapping[str, GatewayResponse]


def read_template(path: Path = TEMPLATE) -> Template:
    """Raises TemplateError naming what isn't understood, OSError when there is no such file."""
    document = yaml_parse(path.read_text())
    resolver = _Resolver(document)
    defaults = resolver.plain(document.get("Globals", {}).get("Function", {}))
    resources: dict[str, Any] = document["Resources"]
    functions = {
        name: _function(name, {**defaults, **resolver.plain(resource["Properties"])})
        for name, resource in resources.items()
        if resource["Type"] == _FUNCTION
    }
    api = _api_properties(resources, resolver)
    routes: list[Route] = []
    streams: list[StreamSource] = []
    schedules: list[Schedule] = []
    for name, function in functions.items():
        events = resolver.plain(resources[name]["Properties"].get("Events", {}))
        dear = set(resources[name].get("Metadata", {}).get("PasswordRoutes", []))
        if unknown := dear - events.keys():
            raise TemplateError(f"{name}: PasswordRoutes names {min(unknown)}, which is no event")
        for event_name, event in events.items():
            properties = event["Properties"]
            match event["Type"]:
                case "Api":
                    route = _route(function, properties, api, functions)
                    routes.append(replace(route, hashes_password=event_name in dear))
                case "Kinesis":
                    streams.append(_stream(function, properties, resources))
                case "Schedule":
                    schedule = _schedule(f"{name}.{event_name}", function, properties)
                    if properties.get("State") != "DISABLED":
                        schedules.append(schedule)
                case other:
                    raise TemplateError(f"{name}.{event_name}: no {other} events are served here")
    return Template(
        functions=tuple(functions.values()),
        routes=tuple(routes),
        streams=tuple(streams),
        schedules=tuple(schedules),
        responses=_responses(api),
    )


class _Resolver:
    """Intrinsic functions, as far as the routes and streams depend on them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        defined = document.get("Parameters", {})
        self._parameters = {name: spec.get("Default") for name, spec in defined.items()}
        self._parameters |= {k: v for k, v in _PARAMETERS.items() if k in defined}
        self._conditions = document.get("Conditions", {})

    def plain(self, node: Any) -> Any:
        """The node with If decided and references replaced by names or defaults."""
        if isinstance(node, list):
            return [self.plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, value), *_ = node.items()
            if key == "Ref":
                return self._parameters.get(value, value)
            if key == "Fn::GetAtt":
                return value[0]
            if key == "Fn::If":
                return self.plain(value[1] if self._holds(value[0]) else value[2])
            if key == "Fn::Join":
                return value[0].join(map(str, self._items(value[1])))
        return {key: self.plain(value) for key, value in node.items()}

    def _items(self, node: Any) -> list[Any]:
        value = self.plain(node)
        return value if isinstance(value, list) else [value]

    def _holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self._holds(self._conditions[condition])
        (key, value), *_ = condition.items()
        match key:
            case "Condition":
                return self._holds(value)
            case "Fn::Equals":
                return bool(self.plain(value[0]) == self.plain(value[1]))
            case "Fn::Not":
                return not self._holds(value[0])
            case "Fn::And":
                return all(map(self._holds, value))
            case "Fn::Or":
                return any(map(self._holds, value))
        raise TemplateError(f"no condition {key} is known here")


def _function(name: str, properties: Mapping[str, Any]) -> Function:
    return Function(
        logical_id=name,
        handler=properties["Handler"],
        timeout_seconds=float(properties.get("Timeout", _DEFAULT_TIMEOUT_SECONDS)),
        reserved_concurrency=properties.get("ReservedConcurrentExecutions"),
    )


def _api_properties(resources: Mapping[str, Any], resolver: _Resolver) -> Mapping[str, Any]:
    apis = [r for r in resources.values() if r["Type"] == "AWS::Serverless::Api"]
    if len(apis) != 1:
        raise TemplateError(f"the template has {len(apis)} APIs; one is served here")
    properties: Mapping[str, Any] = resolver.plain(apis[0]["Properties"])
    return properties


def _route(
    function: Function,
    properties: Mapping[str, Any],
    api: Mapping[str, Any],
    functions: Mapping[str, Function],
) -> Route:
    auth = api.get("Auth", {})
    asked = properties.get("Auth", {}).get("Authorizer", auth.get("DefaultAuthorizer"))
    authorizer = None
    if asked not in (None, _NO_AUTHORIZER):
        definition = auth.get("Authorizers", {}).get(asked)
        if definition is None or definition["FunctionArn"] not in functions:
            raise TemplateError(f"{properties['Path']}: there is no authorizer {asked}")
        authorizer = functions[definition["FunctionArn"]]
    method = str(properties["Method"]).upper()
    return Route(method, properties["Path"], function, authorizer)


def _stream(
    function: Function, properties: Mapping[str, Any], resources: Mapping[str, Any]
) -> StreamSource:
    resource = resources.get(properties["Stream"], {})
    if resource.get("Type") != "AWS::Kinesis::Stream":
        raise TemplateError(f"{function.logical_id}: {properties['Stream']} is no stream")
    name = resource["Properties"]["Name"]
    return StreamSource(function, name, int(properties.get("BatchSize", 100)))


def _schedule(name: str, function: Function, properties: Mapping[str, Any]) -> Schedule:
    unknown = properties.keys() - {"Schedule", "Description", "State"}
    if unknown:
        raise TemplateError(f"{name}: {', '.join(sorted(unknown))} of a schedule is not known here")
    rate = _RATE.fullmatch(str(properties["Schedule"]))
    if rate is None:
        raise TemplateError(
            f"{name}: {properties['Schedule']} is neither rate(1 minute) nor rate(N minutes)"
        )
    return Schedule(name, function, int(rate[1] or rate[2]))


def _responses(api: Mapping[str, Any]) -> dict[str, GatewayResponse]:
    found: dict[str, GatewayResponse] = {}
    for kind, spec in api.get("GatewayResponses", {}).items():
        headers = spec.get("ResponseParameters", {}).get("Headers", {})
        status = spec.get("StatusCode")
        found[kind] = GatewayResponse(
            status=None if status is None else int(status),
            headers={name: str(text).strip("'") for name, text in headers.items()},
            body=spec.get("ResponseTemplates", {}).get("application/json"),
        )
    return found
