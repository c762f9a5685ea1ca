"""Choosing a route."""

import pytest

from infra.local.gateway.routing import Router
from infra.local.gateway.template import Function, Route, TemplateError

FUNCTION = Function("F", "f.handler", 3, None)


def router(*paths: str) -> Router:
    return Router(
        Route(method, path, FUNCTION, None) for method, path in (text.split(" ") for text in paths)
    )


def test_a_literal_segment_wins_over_a_parameter() -> None:
    routes = router("POST /orders/{id}", "POST /orders/preview")
    found = routes.find("POST", "/orders/preview")
    assert found is not None
    assert found[0].path == "/orders/preview"


def test_a_literal_that_leads_nowhere_gives_way_to_the_parameter() -> None:
    routes = router("POST /orders/preview", "GET /orders/{id}")
    found = routes.find("GET", "/orders/preview")
    assert found is not None
    assert found[1] == {"id": "preview"}


def test_parameters_are_handed_on_undecoded_each_under_its_name() -> None:
    found = router("GET /a/{first}/b/{second}").find("GET", "/a/M%26M/b/NIFTY%2050")
    assert found is not None
    assert found[1] == {"first": "M%26M", "second": "NIFTY%2050"}


def test_a_greedy_parameter_takes_the_rest_of_the_path() -> None:
    found = router("ANY /files/{proxy+}").find("PUT", "/files/a/b/c")
    assert found is not None
    assert found[1] == {"proxy": "a/b/c"}


@pytest.mark.parametrize("path", ["/", "/orders", "/orders/", "/orders/1/2", "/other"])
def test_a_path_of_no_route_is_not_found(path: str) -> None:
    assert router("GET /orders/{id}").find("GET", path) is None


def test_a_method_of_no_route_is_not_found() -> None:
    routes = router("GET /orders", "POST /orders/preview", "DELETE /orders/{id}")
    assert routes.find("OPTIONS", "/orders") is None
    assert routes.methods("/orders") == ["GET"]
    assert routes.methods("/orders/preview") == ["POST"]
    assert routes.methods("/orders/7") == ["DELETE"]
    assert routes.methods("/other") == []


def test_the_same_route_twice_stops_the_start() -> None:
    with pytest.raises(TemplateError, match="twice"):
        router("GET /orders/{id}", "GET /orders/{order}")
