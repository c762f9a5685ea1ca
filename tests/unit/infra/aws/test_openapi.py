"""The committed OpenAPI document against the routes, and the routes against template.yaml."""

import json
import re
from pathlib import Path

from infra.aws import openapi

ROOT = Path(__file__).parents[4]
_ROUTE = re.compile(r'Method: (\w+), Path: (?:"([^"]+)"|([^,}\s]+))')


def test_the_committed_document_is_current() -> None:
    assert openapi.TARGET.read_text("utf-8") == openapi.text(), "run python -m infra.aws.openapi"


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = openapi.document()
    names = set(document["components"]["schemas"])
    used = set(re.findall(r"#/components/schemas/([\w-]+)", json.dumps(document)))
    assert used == names


def test_every_route_is_in_the_template_and_every_path_there_has_a_route() -> None:
    served = {
        (method.upper(), path)
        for path, operations in openapi.document()["paths"].items()
        for method in operations
    }
    text = (ROOT / "template.yaml").read_text("utf-8")
    assert {(method, quoted or bare) for method, quoted, bare in _ROUTE.findall(text)} == served


def test_every_route_is_explained_in_words_under_a_heading() -> None:
    for path, operations in openapi.document()["paths"].items():
        for operation in operations.values():
            assert operation["tags"], path
            assert operation["summary"], path
            assert path not in operation["summary"]


def test_only_these_routes_ask_for_no_bearer() -> None:
    public = {
        path
        for path, operations in openapi.document()["paths"].items()
        for operation in operations.values()
        if operation.get("security") == []
    }
    assert public == {
        "/v1/auth/login",
        "/v1/auth/refresh",
        "/v1/search",
        "/v1/openapi.json",
        "/docs",
        "/health",
    }
