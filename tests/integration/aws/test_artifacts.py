"""Each built artifact answers its recorded event in a bare Python 3.13, far from any store.

What a bare interpreter lacks, Lambda's runtime lacks too: an import that the build missed, or a
file that a module reads, fails here. The artifacts are those of `make build-functions`: what
another test has built is not built again.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from functions.shared.access.keys import make_keys
from functions.shared.stores.secrets import FileSecrets
from infra.aws.build import build_functions
from infra.aws.libraries import find_python
from infra.aws.template import ROOT, Function, functions_of, load_template
from tests.support.events import EVENTS

# Beside the tests that fill `build`, too: whoever comes later finds it filled.
pytestmark = pytest.mark.xdist_group("artifacts")
FUNCTIONS = {function.folder.name: function for function in functions_of(load_template())}
SEQUENCE_NUMBER = "49680476308547986250673362240635486076129684189490446386"
ENVIRONMENT = {
    # Nothing listens on port 1: a store that is asked is away.
    "OUTCRY_POSTGRES_URLS": "postgresql://u:p@127.0.0.1:1/a,postgresql://u:p@127.0.0.1:1/b",
    "OUTCRY_VALKEY_URL": "redis://127.0.0.1:1/0",
    "OUTCRY_SECRETS_URL": "file:///nowhere",
    "OUTCRY_STREAM_URL": "wss://stream.example/v1/stream",
}
# As Lambda calls it: the module by its dotted name, the event as JSON.
RUNNER = """
import importlib, json, sys
folder, handler, event = sys.argv[1:]
sys.path.insert(0, folder)
module, _, name = handler.rpartition(".")
class Context:
    function_name, memory_limit_in_mb = "test", 1024
    invoked_function_arn, aws_request_id = "arn:aws:lambda:::test", "1"
handle = getattr(importlib.import_module(module), name)
try:
    print(json.dumps(handle(json.load(open(event)), Context())))
except Exception as error:
    print(json.dumps({"raised": str(error)}))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    found = find_python(os.environ.get("PYTHON313"))
    if found is None:
        pytest.skip("no CPython 3.13 here; PYTHON313 may name one")
    return found


@pytest.fixture(scope="module")
def built(python: Path) -> dict[str, Function]:
    functions = build_functions(ROOT / "build", python)
    return {function.folder.name: function for function in functions}


def answer_of(python: Path, function: Function, **variables: str) -> Any:
    event = EVENTS / f"{function.folder.name}.json"
    done = subprocess.run(
        # -I and -S: no site packages, no environment, nothing of this project's folder.
        [python, "-I", "-S", "-c", RUNNER, function.folder, function.handler, event],
        cwd="/",
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_function_has_a_recorded_event() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == FUNCTIONS.keys()


@pytest.mark.parametrize("name", ["orders", "risk", "ledger", "contract-notes"])
def test_a_private_route_refuses_whoever_sends_no_token(
    built: dict[str, Function], python: Path, name: str
) -> None:
    answer = answer_of(python, built[name])

    assert answer["statusCode"] == 401
    assert json.loads(answer["body"])["code"] == "TOKEN_MISSING"


def test_signing_in_refuses_half_a_body(built: dict[str, Function], python: Path) -> None:
    answer = answer_of(python, built["auth"])

    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "NOT_JSON")


def test_the_authorizer_refuses_another_scheme(
    built: dict[str, Function], python: Path, tmp_path: Path
) -> None:
    make_keys(FileSecrets(tmp_path))

    answer = answer_of(python, built["authorizer"], OUTCRY_SECRETS_URL=f"file://{tmp_path}")

    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert answer["context"]["code"] == "TOKEN_MISSING"


def test_a_search_without_words_is_malformed(built: dict[str, Function], python: Path) -> None:
    answer = answer_of(python, built["search"])

    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "INVALID_REQUEST")


def test_the_market_describes_the_api(built: dict[str, Function], python: Path) -> None:
    answer = answer_of(python, built["market"])

    assert answer["statusCode"] == 200
    assert "/v1/orders" in json.loads(answer["body"])["paths"]


@pytest.mark.parametrize(
    ("name", "handed_back"),
    [("apply-execution", [{"itemIdentifier": SEQUENCE_NUMBER}]), ("act-on-triggers", [])],
)
def test_a_report_is_handed_back_while_the_ledger_is_away_and_a_trigger_asked_again(
    built: dict[str, Function], python: Path, name: str, handed_back: list[dict[str, str]]
) -> None:
    answer = answer_of(python, built[name])

    assert answer == {"batchItemFailures": handed_back}


@pytest.mark.parametrize("name", ["settle", "square-off", "renew-orders"])
def test_a_job_fails_aloud_while_the_ledger_is_away(
    built: dict[str, Function], python: Path, name: str
) -> None:
    answer = answer_of(python, built[name])

    assert "did not answer" in answer["raised"]


def test_one_artifact_alone_can_draw_a_pdf(built: dict[str, Function], python: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import functions.ledger.contract_note_pdf"
    folder = built["contract-notes"].folder
    subprocess.run([python, "-I", "-S", "-c", code, folder], cwd="/", check=True)
    carrying = {name for name, function in built.items() if (function.folder / "fpdf").exists()}
    assert carrying == {"contract-notes"}


def test_an_artifact_holds_bytecode_and_nothing_of_the_machine(built: dict[str, Function]) -> None:
    for name, function in built.items():
        files = {path.relative_to(function.folder) for path in function.folder.rglob("*.py")}
        compiled = {path.stem.split(".")[0] for path in function.folder.rglob("*.pyc")}
        assert compiled >= {path.stem for path in files}, name
        assert {path.parts[0] for path in files}.isdisjoint(
            {"edge", "infra", "outcry_client", "tui", "tests"}
        )
