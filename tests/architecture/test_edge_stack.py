"""infra/aws/edge.yaml keeps its promises: every process with what it reads, few rights, the door's
figures, a drain that nothing cuts short. ECS can't be had here, so it is held against the code.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from edge.fanout.hub import HEARTBEAT_TICKS, TICK_SECONDS
from edge.fanout.limits import Limits
from functions.shared.settings import VARIABLES, Settings, split_address
from functions.shared.stores.kinesis import open_kinesis
from functions.shared.wire.commands import orders_stream
from functions.shared.wire.events import LEDGER_EVENTS_STREAM
from functions.shared.wire.executions import executions_stream
from functions.shared.wire.trigger_commands import commands_stream
from infra.aws.template import ROOT, load_template

STACK = load_template(ROOT / "infra/aws/edge.yaml")
RESOURCES: dict[str, Any] = STACK["Resources"]
SERVICES = {
    name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == "AWS::ECS::Service"
}
EVERY_SERVICE = pytest.mark.parametrize("name", SERVICES)
DRAINS = STACK["Parameters"]["DrainSeconds"]["AllowedValues"]
#: What an NLB keeps a silent flow of a TLS listener for; it can't be set.
TLS_IDLE_SECONDS = 350
#: What a process may be allowed; nothing else creates, deletes or reads.
MAY_DO = {
    "dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:UpdateItem",
    "elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite",
    "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
    "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:PutRecords",
    "secretsmanager:GetSecretValue",
}  # fmt: skip


def task(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[SERVICES[name]["TaskDefinition"]["Ref"]]["Properties"]
    return found


def container(name: str) -> dict[str, Any]:
    (only,) = task(name)["ContainerDefinitions"]
    return dict(only)


def told(name: str) -> dict[str, str]:
    """The variables of the service's process: a parameter by its default, the rest as text."""
    variables = {one["Name"]: _text(one["Value"]) for one in container(name)["Environment"]}
    for one in container(name)["Secrets"]:
        chosen = one["Fn::If"][1] if "Fn::If" in one else one
        variables[chosen["Name"]] = "x"
    return variables


def settings_of(name: str) -> Settings:
    (module,) = container(name)["Command"]
    kinds = [
        kind
        for kind in vars(import_module(module)).values()
        if isinstance(kind, type) and issubclass(kind, Settings) and kind.__module__ == module
    ]
    (kind,) = kinds
    found: Settings = kind.from_environment(told(name))
    return found


def statements(role: str) -> Iterator[dict[str, Any]]:
    for policy in RESOURCES[role]["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def attributes(resource: str, key: str) -> Mapping[str, Any]:
    return {one["Key"]: one["Value"] for one in RESOURCES[resource]["Properties"][key]}


def alarms() -> dict[str, dict[str, Any]]:
    kind = "AWS::CloudWatch::Alarm"
    return {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == kind}


def test_cfn_lint_has_nothing_to_say() -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [lint, "infra/aws/edge.yaml"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_no_alias_which_cloudformation_does_not_read() -> None:
    text = (ROOT / "infra/aws/edge.yaml").read_text()

    assert not re.findall(r"(?:^|[\s\[{,])[&*]\w+\s*$", text, re.MULTILINE)


def test_every_process_of_the_edge_is_a_service() -> None:
    processes = {f"edge.{path.parent.name}.main" for path in (ROOT / "edge").glob("*/main.py")}
    services = [container(name)["Command"] for name in SERVICES]

    assert {module for (module,) in services} == processes


@EVERY_SERVICE
def test_a_process_is_told_all_it_needs_and_only_what_settings_know(name: str) -> None:
    assert told(name).keys() <= VARIABLES.keys()
    settings = settings_of(name)
    _, port = split_address(settings.health)  # type: ignore[attr-defined]

    assert f"'127.0.0.1', {port}" in container(name)["HealthCheck"]["Command"][-1]
    assert "OUTCRY_INSTANCE" not in told(name)  # two tasks would hold each other's leases


@EVERY_SERVICE
def test_a_container_can_write_nowhere_and_do_nothing_as_root(name: str) -> None:
    own = container(name)

    assert own["ReadonlyRootFilesystem"] is True
    assert own["User"] == "10001:10001"
    assert own["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert "@${ImageDigest}" in own["Image"]["Fn::Sub"]
    assert SERVICES[name]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == (
        "DISABLED"
    )


@EVERY_SERVICE
def test_the_check_of_ecs_passes_for_any_answer_and_compiles(name: str) -> None:
    """A process that is cut off from a store answers 503, and is not replaced for it."""
    code = container(name)["HealthCheck"]["Command"][-1]

    compile(code, name, "exec")
    assert "status" not in code


@EVERY_SERVICE
def test_a_process_logs_to_a_group_that_forgets(name: str) -> None:
    group = container(name)["LogConfiguration"]["Options"]["awslogs-group"]["Ref"]

    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    arn = {"Fn::GetAtt": [group, "Arn"]}
    (writing,) = (s for s in statements("ExecutionRole") if "logs:PutLogEvents" in s["Action"])
    assert arn in writing["Resource"]


def test_a_process_may_do_only_what_is_listed_by_name() -> None:
    roles = {
        r for n in SERVICES if (r := task(n).get("TaskRoleArn", {}).get("Fn::GetAtt", [""])[0])
    }
    for role in roles:
        for statement in statements(role):
            actions = statement["Action"]
            assert set([actions] if isinstance(actions, str) else actions) <= MAY_DO
            assert "*" not in _texts(statement["Resource"])
    secrets = [r for r in roles if "secretsmanager" in str(list(statements(r)))]

    assert roles == {"FanoutRole", "GatewayRole", "RelayRole", "TriggersRole"}
    assert secrets == ["FanoutRole"]
    assert "token-verifying-key" in str(list(statements("FanoutRole")))


def test_the_streams_are_those_that_the_code_names() -> None:
    streams = {
        one["Properties"]["Name"]
        for one in RESOURCES.values()
        if one["Type"] == "AWS::Kinesis::Stream"
    }
    sessions = int(told("Relay")["OUTCRY_ORDER_SESSIONS"])

    assert streams == {orders_stream(n) for n in range(sessions)}
    for role in ("RelayRole", "TriggersRole"):  # template.yaml has it: a function reads it, too
        assert f"stream/{LEDGER_EVENTS_STREAM}" in str(list(statements(role)))
    assert told("Gateway")["OUTCRY_ORDER_SESSIONS"] == str(sessions)
    assert executions_stream(0) in str(list(statements("GatewayRole")))
    assert commands_stream(0) in str(list(statements("TriggersRole")))
    for name in ("Gateway", "Triggers"):  # Kinesis spreads keys over its own shards
        assert told(name)["OUTCRY_EXECUTION_PARTITIONS"] == "1"
    table = open_kinesis("ap-south-1")._positions.table
    assert RESOURCES["StreamPositions"]["Properties"]["TableName"] == table


def test_the_two_of_ingest_log_on_by_names_of_their_own() -> None:
    first, second = settings_of("IngestA"), settings_of("IngestB")
    names = [
        {one.feed_first_session + n for n in range(one.feed_sessions)}  # type: ignore[attr-defined]
        for one in (first, second)
    ]

    assert not names[0] & names[1]
    for name in ("IngestA", "IngestB"):  # one is stopped before the next one starts
        assert SERVICES[name]["DesiredCount"] == 1
        assert SERVICES[name]["DeploymentConfiguration"]["MaximumPercent"] == 100


@pytest.mark.parametrize("name", ["Gateway", "Relay", "Triggers"])
def test_a_holder_and_a_standby_run_and_an_update_leaves_one(name: str) -> None:
    deployment = SERVICES[name]["DeploymentConfiguration"]

    assert SERVICES[name]["DesiredCount"] == 2
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (50, 100)


def test_a_dead_node_is_out_after_three_misses_five_seconds_apart() -> None:
    target = RESOURCES["FanoutTargets"]["Properties"]
    _, health = split_address(told("Fanout")["OUTCRY_HEALTH"])
    _, stream = split_address(told("Fanout")["OUTCRY_LISTEN"])

    assert target["HealthCheckIntervalSeconds"] == 5
    assert target["UnhealthyThresholdCount"] == 3
    assert target["HealthCheckTimeoutSeconds"] < 5
    assert (target["HealthCheckProtocol"], target["HealthCheckPath"]) == ("HTTP", "/health")
    assert target["Matcher"] == {"HttpCode": "200"}
    assert (target["HealthCheckPort"], target["Port"]) == (str(health), stream)


def test_an_outage_that_every_node_feels_does_not_cut_every_client_at_once() -> None:
    state = "target_health_state.unhealthy"
    target = attributes("FanoutTargets", "TargetGroupAttributes")

    assert target[f"{state}.connection_termination.enabled"] == "false"
    assert int(target[f"{state}.draining_interval_seconds"]) >= 300
    assert SERVICES["Fanout"]["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100


def test_clients_keep_their_address_and_no_silence_of_theirs_ends_a_flow_early() -> None:
    listener = RESOURCES["DoorListener"]["Properties"]

    assert attributes("FanoutTargets", "TargetGroupAttributes")["preserve_client_ip.enabled"] == (
        "true"
    )
    assert (listener["Protocol"], listener["Port"]) == ("TLS", 443)
    assert attributes("Door", "LoadBalancerAttributes")["load_balancing.cross_zone.enabled"]
    assert Limits().silence_seconds < TLS_IDLE_SECONDS
    assert HEARTBEAT_TICKS * TICK_SECONDS * 10 < TLS_IDLE_SECONDS


@pytest.mark.parametrize("seconds", DRAINS)
def test_a_drain_is_cut_short_neither_by_ecs_nor_by_the_balancer(seconds: str) -> None:
    target = attributes("FanoutTargets", "TargetGroupAttributes")
    drain = {"Ref": "DrainSeconds"}
    variables = {one["Name"]: one["Value"] for one in container("Fanout")["Environment"]}

    assert variables["OUTCRY_FANOUT_DRAIN_SECONDS"] == drain
    assert target["deregistration_delay.timeout_seconds"] == drain
    assert target["deregistration_delay.connection_termination.enabled"] == "false"
    patience = STACK["Mappings"]["Stopping"][seconds]["Seconds"]
    assert float(seconds) + Limits().worker_stop_seconds < patience <= 120
    assert container("Fanout")["StopTimeout"] == {"Fn::FindInMap": ["Stopping", drain, "Seconds"]}


def test_a_node_has_room_for_a_neighbours_clients_and_for_their_sockets() -> None:
    limits = Limits.from_environment(told("Fanout"))
    (files,) = container("Fanout")["Ulimits"]
    aim = STACK["Parameters"]["ConnectionsPerWorker"]
    of_alarm = alarms()["ConnectionsAlarm"]["Threshold"]

    assert aim["Default"] * 2 <= limits.connections
    assert aim["MaxValue"] < of_alarm < limits.connections
    assert files["HardLimit"] > limits.connections + limits.openings_per_second
    assert "DesiredCount" not in SERVICES["Fanout"]


def test_the_scaling_counts_the_lines_that_workers_write() -> None:
    source = (ROOT / "edge/fanout/figures.py").read_text()
    for name, field in (("FanoutConnections", "connections"), ("FanoutLag", "lag_ms")):
        one = RESOURCES[name]["Properties"]
        (metric,) = one["MetricTransformations"]
        assert one["FilterPattern"] == '{ $.event = "stream figures" }'
        assert metric["MetricValue"] == f"$.{field}"
        assert "DefaultValue" not in metric  # other lines would count as 0 in the average
        assert f"{field}=" in source
    assert '"stream figures"' in source
    assert Limits().figures_seconds * 2 <= 60  # each minute has a line, or the series has holes
    tracked = RESOURCES["FanoutByConnections"]["Properties"][
        "TargetTrackingScalingPolicyConfiguration"
    ]
    assert tracked["CustomizedMetricSpecification"]["MetricName"] == "FanoutConnections"
    assert tracked["ScaleInCooldown"] > tracked["ScaleOutCooldown"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [("MemoryShort", "memory runs short"), ("Leftovers", "swept for leftovers")],
)
def test_a_metric_finds_what_upkeep_logs(metric: str, message: str) -> None:
    assert message in RESOURCES[metric]["Properties"]["FilterPattern"]
    assert f'"{message}"' in (ROOT / "edge/fanout/upkeep.py").read_text()


def test_somebody_is_told_of_lag_connections_dead_nodes_and_memory() -> None:
    tell = {name: one for name, one in alarms().items() if name != "FanoutBehind"}

    assert all(one["AlarmActions"] == [{"Ref": "AlarmTopic"}] for one in tell.values())
    assert tell["LagAlarm"]["Threshold"] == 1000
    assert tell["UnhealthyAlarm"]["MetricName"] == "UnHealthyHostCount"
    assert tell["FanoutMemoryAlarm"]["Threshold"] == Limits().memory_alarm_percent
    counted = {n for n, one in tell.items() if one["MetricName"] == "RunningTaskCount"}
    assert counted == {f"{name}MissingAlarm" for name in SERVICES if name != "Fanout"}
    for name in counted:
        service = SERVICES[name.removesuffix("MissingAlarm")]
        assert tell[name]["Threshold"] == service["DesiredCount"]


def test_every_parameter_says_what_it_is() -> None:
    for name, parameter in STACK["Parameters"].items():
        assert parameter.get("Description"), name


def _text(value: object) -> str:
    match value:
        case {"Ref": name}:
            return str(STACK["Parameters"].get(name, {}).get("Default", "x"))
        case {"Fn::Sub": text}:
            return str(text)
    return str(value)


def _texts(node: object) -> list[str]:
    return [one for one in (node if isinstance(node, list) else [node]) if isinstance(one, str)]
