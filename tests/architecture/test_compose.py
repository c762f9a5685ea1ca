"""localstack-compose.yml against the Compose specification, the settings and the images."""

import importlib.util
import json
import re
from importlib import import_module
from typing import Any

import pytest
import yaml

from functions.shared.settings import VARIABLES, Settings, split_address
from infra.aws.template import ROOT, load_template
from infra.bank.main import parse_arguments as parse_bank_arguments
from infra.exchange.main import parse_arguments
from infra.images.prepare import PrepareSettings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "localstack-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "infra/images/Dockerfile").read_text()
# What each server answers on inside its container.
PORTS = {
    "postgres": 5432,
    "valkey": 6379,
    "streams": 6379,
    "opensearch": 9200,
    "clickhouse": 8123,
    "localstack": 4566,
}
SETTINGS = {
    "edge.gateway.main": "GatewaySettings",
    "edge.ingest.main": "IngestSettings",
    "edge.relay.main": "RelaySettings",
    "edge.fanout.main": "FanoutSettings",
    "edge.triggers.main": "TriggerSettings",
    "infra.local.consumer": "ConsumerSettings",
    "infra.images.prepare": "PrepareSettings",
}
EVERY_SERVICE = pytest.mark.parametrize("name", SERVICES)
# Both are told by arguments alone, and their image has no other process.
OUTSIDERS = {"exchange": "infra.exchange", "bank": "infra.bank"}
EVERY_PROCESS = pytest.mark.parametrize("name", [name for name in OURS if name not in OUTSIDERS])


def variables(name: str) -> dict[str, str]:
    return dict(OURS[name].get("environment", {}))


def settings_of(name: str) -> Settings:
    (module,) = OURS[name]["command"]
    kind: type[Settings] = getattr(import_module(module), SETTINGS[module])
    return kind.from_environment(variables(name))


def test_it_follows_the_compose_specification() -> None:
    if importlib.util.find_spec("compose_spec") is None:
        pytest.skip("compose_spec, which knows the specification, is not installed")
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", json.dumps(COMPOSE))  # as Compose interpolates
    known = import_module("compose_spec").PyCompose.from_json(text)

    assert set(known.service_names()) == SERVICES.keys()


def test_the_stack_is_complete() -> None:
    assert SERVICES.keys() == {
        *("localstack", "postgres", "valkey", "streams", "opensearch", "clickhouse"),
        *("prepare", "exchange", "bank", "gateway", "ingest", "relay", "fanout"),
        *("triggers", "ledger", "surveillance"),
    }
    assert SERVICES["localstack"]["image"] == "localstack/localstack:4.14.0"


@EVERY_PROCESS
def test_each_variable_is_one_the_settings_know_and_none_is_missing(name: str) -> None:
    settings = settings_of(name)

    assert variables(name).keys() <= VARIABLES.keys()
    if name not in {"ledger", "surveillance"}:  # their handlers read the rest
        fields = {f"OUTCRY_{field.upper()}" for field in settings.__struct_fields__}
        assert variables(name).keys() <= fields


def test_the_exchange_understands_its_command_line() -> None:
    settings = parse_arguments(OURS["exchange"]["command"])

    assert variables("gateway")["OUTCRY_VENUE_ORDERS"] == f"127.0.0.1:{settings.orders_port}"
    assert variables("ingest")["OUTCRY_VENUE_FEED"] == f"127.0.0.1:{settings.feed_port}"
    assert variables("ingest")["OUTCRY_VENUE_FEED_B"] == f"127.0.0.1:{settings.feed_port_b}"
    assert int(variables("gateway")["OUTCRY_ORDER_SESSIONS"]) == settings.order_sessions
    assert int(variables("relay")["OUTCRY_ORDER_SESSIONS"]) == settings.order_sessions
    assert int(variables("ingest")["OUTCRY_FEED_SESSIONS"]) == settings.feed_sessions


def test_the_bank_understands_its_command_line() -> None:
    settings = parse_bank_arguments(OURS["bank"]["command"])

    assert (
        variables("prepare")["OUTCRY_BANK_URL"]
        == f"http://bank:{split_address(settings.listen)[1]}"
    )
    assert settings.token_file.name == "bank-token"


@EVERY_SERVICE
def test_a_published_port_is_this_machines_alone_and_the_servers_own(name: str) -> None:
    for published in SERVICES[name].get("ports", ()):
        address, _, inside = published.rsplit(":", 2)
        own = PORTS.get(name) or split_address(variables(name)["OUTCRY_LISTEN"])[1]
        assert address == "127.0.0.1"
        assert int(inside) == own


def test_no_two_services_publish_the_same_port() -> None:
    ports = [p.rsplit(":", 1)[0] for s in SERVICES.values() for p in s.get("ports", ())]

    assert len(set(ports)) == len(ports)


@EVERY_PROCESS
def test_each_address_leads_to_a_service_on_its_own_port(name: str) -> None:
    for value in variables(name).values():
        for host, port in re.findall(r"(?:@|redis://)([a-z]+):(\d+)", value):
            assert int(port) == PORTS[host], value


@pytest.mark.parametrize("name", OURS)
def test_an_image_has_a_stage_that_carries_what_the_process_is(name: str) -> None:
    build = OURS[name]["build"]
    stage = DOCKERFILE.split(f" AS {build['target']}\n")[1].split("\nFROM")[0]
    module = OUTSIDERS.get(name) or OURS[name]["command"][0]
    copied = re.findall(r"^COPY (\S+)", stage, re.MULTILINE)

    assert (ROOT / build["dockerfile"]).is_file()
    assert all((ROOT / path).exists() for path in copied)
    assert any(module.replace(".", "/").startswith(path) for path in copied)


@pytest.mark.parametrize("name", OURS)
def test_a_process_of_ours_has_no_privileges(name: str) -> None:
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["read_only"] is True
    assert "privileged" not in OURS[name]


def test_what_waits_for_another_waits_for_a_service_that_is_there() -> None:
    for service in SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            assert other in SERVICES
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]


def test_named_volumes_are_declared() -> None:
    used = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())}

    assert {v for v in used if not v.startswith((".", "/"))} == COMPOSE["volumes"].keys()


def test_prepare_reads_what_the_containers_are_told() -> None:
    assert isinstance(settings_of("prepare"), PrepareSettings)


def test_sams_local_api_is_told_what_the_functions_read_from_the_same_stores() -> None:
    told = json.loads((ROOT / "infra/aws/sam-env.json").read_text())["Parameters"]
    named = load_template()["Globals"]["Function"]["Environment"]["Variables"]

    assert told.keys() == {*named, "OUTCRY_STREAM_URL", "OUTCRY_BANK_URL"}
    assert told["OUTCRY_BANK_URL"] == variables("prepare")["OUTCRY_BANK_URL"]
    assert told["OUTCRY_POSTGRES_URLS"] == variables("ledger")["OUTCRY_POSTGRES_URLS"]
    assert told["OUTCRY_VALKEY_URL"] == variables("ledger")["OUTCRY_VALKEY_URL"]
