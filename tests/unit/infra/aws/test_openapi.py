"""The committed OpenAPI document against the routes, and the routes against template.yaml."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from functions.shared.runtime.codes import CODES
from infra.aws import openapi

ROOT = Path(__file__).parents[4]
_ROUTE = re.compile(r'Method: (\w+), Path: (?:"([^"]+)"|([^,}\s]+))')


def test_the_committed_document_is_current() -> None:
    assert openapi.TARGET.read_text("utf-8") == openapi.text(), "run python -m infra.aws.openapi"


@pytest.mark.parametrize("kind", ["schemas", "responses", "examples"])
def test_every_reference_in_the_document_leads_somewhere(kind: str) -> None:
    document = openapi.document()
    names = set(document["components"][kind])
    used = set(re.findall(rf"#/components/{kind}/([\w-]+)", json.dumps(document)))
    assert used == names


def test_every_json_body_and_answer_has_a_schema_of_its_own_and_an_example_that_fits() -> None:
    document = openapi.document()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = {s: a for s, a in operation["responses"].items() if s.startswith("2")}
            assert answers, path
            for part in (operation.get("requestBody", {}), *answers.values()):
                media = part.get("content", {}).get("application/json")
                if media is None:
                    continue
                if path != "/v1/openapi.json":
                    assert "#/components/schemas/" in json.dumps(media["schema"]), path
                schema = {**media["schema"], "components": document["components"]}
                Draft202012Validator(schema).validate(media["example"])


def test_every_refusal_names_codes_that_are_listed_with_their_status() -> None:
    document = openapi.document()
    for code, example in document["components"]["examples"].items():
        problem = example["value"]
        assert (problem["code"], problem["title"]) == (code, CODES[code])
        Draft202012Validator(document["components"]["schemas"]["Problem"]).validate(problem)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if operation.get("security") != []:
                assert "401" in operation["responses"], path


def test_what_is_asked_of_the_bank_or_the_exchange_is_accepted_not_done() -> None:
    paths = openapi.document()["paths"]
    for path, method in (
        ("/v1/orders", "post"), ("/v1/orders", "delete"), ("/v1/orders/{order_id}", "patch"),
        ("/v1/orders/{order_id}", "delete"), ("/v1/funds/deposits", "post"),
        ("/v1/funds/withdrawals", "post"),
    ):  # fmt: skip
        assert "202" in paths[path][method]["responses"], path


def test_every_route_is_in_the_template_and_every_path_there_has_a_route() -> None:
    served = {
        (method.upper(), path)
        for path, operations in openapi.document()["paths"].items()
        for method in operations
    }
    text = (ROOT / "template.yaml").read_text("utf-8")
    listed = {(method, quoted or bare) for method, quoted, bare in _ROUTE.findall(text)}
    assert {route for route in listed if route[0] != "HEAD"} == served


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
        "/v1/accounts",
        "/v1/accounts/confirmation",
        "/v1/auth/challenge",
        "/v1/auth/login",
        "/v1/auth/password-reset",
        "/v1/auth/refresh",
        "/v1/auth/token",
        "/v1/search",
        "/v1/openapi.json",
        "/docs",
        "/health",
    }
