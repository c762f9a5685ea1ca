"""template.yaml keeps its promises: least privilege, limits, logs, and names the code knows."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from functions.shared.runtime.codes import CODES
from functions.shared.runtime.http import PUBLIC, Api
from functions.shared.settings import VARIABLES, StoreSettings
from functions.shared.wire.events import LEDGER_EVENTS_STREAM
from functions.shared.wire.executions import executions_stream
from functions.shared.wire.trigger_commands import commands_stream
from infra.aws.template import FUNCTION, ROOT, functions_of, load_template

TEMPLATE = load_template()
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == FUNCTION}
GLOBALS: dict[str, Any] = TEMPLATE["Globals"]["Function"]
EVERY_FUNCTION = pytest.mark.parametrize("name", FUNCTIONS)
# What a function may be allowed, and on which resources; nothing deletes or overwrites.
MAY_DO = {
    "secretsmanager:GetSecretValue": r":secret:outcry/[a-z-]+-\*$",
    "secretsmanager:DescribeSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue"
    " secretsmanager:UpdateSecretVersionStage": r":secret:outcry/token-signing-key-\*$",
    "secretsmanager:GetSecretValue secretsmanager:PutSecretValue": r"verifying-key-\*$",
    "ses:SendEmail": r":identity/\*$",
    "s3:GetObject s3:PutObject": r"^\$\{Objects\.Arn\}/[a-z-]+/\*$",
}
# What `max_connections` of a shard is asked to be; the template's comment says the same.
CONNECTIONS_OF_A_SHARD = 400


def api_events(name: str) -> Iterator[dict[str, Any]]:
    for event in FUNCTIONS[name].get("Events", {}).values():
        if event["Type"] == "Api":
            yield event["Properties"]


def statements(name: str) -> list[dict[str, Any]]:
    return [one for policy in FUNCTIONS[name].get("Policies", ()) for one in policy["Statement"]]


def test_cfn_lint_has_nothing_to_say() -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [lint, "template.yaml"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_sam_has_nothing_to_say(tmp_path: Path) -> None:
    sam = ROOT / "build/sam/bin/sam"
    if not sam.exists():
        pytest.skip("SAM is not installed here; `make sam-validate` installs and runs it")
    environment = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "ap-south-1"}
    done = subprocess.run(
        [sam, "validate", "--lint"],
        cwd=ROOT,
        env={**environment, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@EVERY_FUNCTION
def test_a_handler_is_a_function_of_the_module_it_names(name: str) -> None:
    module, _, function = FUNCTIONS[name]["Handler"].rpartition(".")
    tree = ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text())

    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_function_has_an_artifact_of_its_own() -> None:
    folders = [function.folder for function in functions_of(TEMPLATE)]

    assert len(set(folders)) == len(folders)
    assert {folder.parent for folder in folders} == {ROOT / "build"}


def test_no_layer_is_used_because_localstack_ignores_them() -> None:
    assert not [r for r in RESOURCES.values() if "Layer" in r["Type"]]
    assert not [name for name, properties in FUNCTIONS.items() if "Layers" in properties]


@EVERY_FUNCTION
def test_a_function_is_told_only_what_settings_know_and_all_it_needs(name: str) -> None:
    own = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
    told = {*GLOBALS["Environment"]["Variables"], *own}

    assert told <= VARIABLES.keys()
    known = StoreSettings.from_environment(
        {variable: "INFO" if variable.endswith("LEVEL") else "x" for variable in told}
    )
    assert known.postgres_urls == ("x",)


@EVERY_FUNCTION
def test_a_function_may_do_only_what_is_listed_by_name(name: str) -> None:
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        action = statement["Action"]
        resources = MAY_DO[action if isinstance(action, str) else " ".join(action)]
        for resource in _texts(statement["Resource"]):
            assert re.search(resources, resource), resource


@pytest.mark.parametrize("secret", ["identity-key", "directory-key", "token-signing-key"])
def test_only_signing_in_reads_the_keys_that_make_identities(secret: str) -> None:
    readers = {name for name in FUNCTIONS if secret in json.dumps(statements(name))}

    others = {"token-signing-key": {"Rotation"}, "identity-key": {"VerifyPeople"}}
    assert readers == {"Auth"} | others.get(secret, set())


def test_only_the_anchors_job_reads_the_key_that_signs_anchors() -> None:
    readers = {name for name in FUNCTIONS if "anchor-signing-key" in json.dumps(statements(name))}

    assert readers == {"Anchor"}


def test_what_is_anchored_can_be_deleted_by_nobody_for_seven_years() -> None:
    bucket = RESOURCES["Objects"]["Properties"]
    on_aws = bucket["ObjectLockConfiguration"]["Fn::If"][1]

    assert bucket["ObjectLockEnabled"] is True
    assert on_aws["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Years": 7}


@EVERY_FUNCTION
def test_a_function_logs_to_a_group_that_forgets(name: str) -> None:
    group = RESOURCES[FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]]

    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_invocation_at_once_stays_under_a_shards_connections() -> None:
    total = sum(properties["ReservedConcurrentExecutions"] for properties in FUNCTIONS.values())

    assert total < CONNECTIONS_OF_A_SHARD


@EVERY_FUNCTION
def test_no_route_outlives_the_gateways_own_timeout(name: str) -> None:
    if list(api_events(name)):
        assert FUNCTIONS[name].get("Timeout", GLOBALS["Timeout"]) < 29


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if list(api_events(name))])
def test_the_authorizer_guards_exactly_the_routes_that_ask_for_a_bearer(name: str) -> None:
    app = import_module(FUNCTIONS[name]["Handler"].rpartition(".")[0]).app
    assert isinstance(app, Api)
    open_in_code = {
        (route.method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        for route in app.routes()
        if route.security == PUBLIC
    }
    open_in_template = {
        (event["Method"], event["Path"])
        for event in api_events(name)
        if event.get("Auth") == {"Authorizer": "NONE"} and event["Method"] != "HEAD"
    }

    assert open_in_template == open_in_code


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if list(api_events(name))])
def test_every_get_route_has_its_head(name: str) -> None:
    routes = {"GET": [], "HEAD": []}
    for event in api_events(name):
        if event["Method"] in routes:
            routes[event["Method"]].append((event["Path"], event.get("Auth")))

    assert routes["HEAD"] == routes["GET"]


def test_the_authorizer_serves_no_route_and_is_never_cached() -> None:
    bearer = RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"]["Bearer"]

    assert bearer["FunctionArn"] == {"Fn::GetAtt": ["Authorizer", "Arn"]}
    assert bearer["Identity"]["ReauthorizeEvery"] == 0
    assert not FUNCTIONS["Authorizer"].get("Events")


def test_executions_are_retried_in_part_split_and_never_lost_in_silence() -> None:
    mapping = FUNCTIONS["ApplyExecution"]["Events"]["Executions"]["Properties"]
    letters = mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    stream = RESOURCES["Executions"]["Properties"]

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRecordAgeInSeconds"] < stream["RetentionPeriodHours"] * 3600
    alarms = [r["Properties"] for r in RESOURCES.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    assert any(letters in json.dumps(alarm.get("Dimensions", [])) for alarm in alarms)
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)


def test_the_streams_have_the_names_the_edge_appends_to() -> None:
    assert RESOURCES["Executions"]["Properties"]["Name"] == executions_stream(0)
    assert RESOURCES["Commands"]["Properties"]["Name"] == commands_stream(0)
    assert RESOURCES["LedgerEvents"]["Properties"]["Name"] == LEDGER_EVENTS_STREAM


@pytest.mark.parametrize(
    ("metric", "module"),
    [
        ("ExecutionsParked", "functions/ledger/apply_execution.py"),
        ("PaymentsStuck", "functions/ledger/pay.py"),
    ],
)
def test_a_metric_finds_what_the_function_logs(metric: str, module: str) -> None:
    pattern = RESOURCES[metric]["Properties"]["FilterPattern"]
    source = (ROOT / module).read_text()

    for message in re.findall(r'\$\.message = "([^"]+)"', pattern):
        assert f'error("{message}"' in re.sub(r"\(\s+", "(", source)


def test_what_the_gateway_answers_itself_has_the_codes_of_the_list() -> None:
    for kind, answer in RESOURCES["Api"]["Properties"]["GatewayResponses"].items():
        told = answer["ResponseTemplates"]["application/json"]
        told = told.replace("$context.authorizer.title", CODES["TOKEN_EXPIRED"])
        told = told.replace("$context.authorizer.code", "TOKEN_EXPIRED")
        problem = json.loads(told.replace("$context.requestId", "id"))
        assert problem["title"] == CODES[problem["code"]], kind
        assert problem["type"] == f"/docs#{problem['code']}"
        assert problem["status"] == answer["StatusCode"]


def _texts(node: object) -> Iterator[str]:
    """Each resource of a statement, as the text behind its `!Sub`."""
    for one in node if isinstance(node, list) else [node]:
        yield one["Fn::Sub"] if isinstance(one, dict) else one
