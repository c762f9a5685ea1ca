"""From a method and a raw path to a route and its path parameters, as API Gateway chooses.

Invariant: a literal segment wins over a parameter, a parameter over `{proxy+}`; parameters are
handed on undecoded, as LocalStack and API Gateway do, and decoded in one place of the functions.
"""

from collections.abc import Iterable

from infra.local.gateway.template import Route, TemplateError


class Router:
    """All routes, found segment by segment."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self._methods: set[str] = set()
        for route in routes:
            self._add(route)

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a path without its query, and its parameters; None when there is none."""
        found = _descend(self._root, raw_path.strip("/").split("/"), 0, method)
        if found is None:
            return None
        route, values = found
        names = [s.strip("{}").rstrip("+") for s in route.path.split("/") if s.startswith("{")]
        return route, dict(zip(names, reversed(values), strict=True))

    def methods(self, raw_path: str) -> list[str]:
        """Those of the nearest resource that the path names; none when there is no such path."""
        paths = {m: found[0].path for m in self._methods if (found := self.find(m, raw_path))}
        nearest = min(paths.values(), key=lambda path: path.count("{"), default="")
        return sorted(method for method, path in paths.items() if path == nearest)

    def _add(self, route: Route) -> None:
        self._methods.add(route.method)
        node = self._root
        for segment in route.path.strip("/").split("/"):
            if segment.startswith("{") and segment.endswith("+}"):
                node.rest = node.rest or _Node()
                node = node.rest
            elif segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        if route.method in node.routes:
            raise TemplateError(f"{route.method} {route.path} is in the template twice")
        node.routes[route.method] = route


class _Node:
    __slots__ = ("literals", "parameter", "rest", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.rest: _Node | None = None
        self.routes: dict[str, Route] = {}

    def route(self, method: str) -> Route | None:
        return self.routes.get(method) or self.routes.get("ANY")


def _descend(
    node: _Node, segments: list[str], at: int, method: str
) -> tuple[Route, list[str]] | None:
    """The route, and its parameters from the last to the first."""
    if at == len(segments):
        route = node.route(method)
        return (route, []) if route else None
    segment = segments[at]
    if segment in node.literals:
        found = _descend(node.literals[segment], segments, at + 1, method)
        if found:
            return found
    if node.parameter is not None and segment:
        found = _descend(node.parameter, segments, at + 1, method)
        if found:
            found[1].append(segment)
            return found
    route = node.rest.route(method) if node.rest is not None and segment else None
    return (route, ["/".join(segments[at:])]) if route else None
