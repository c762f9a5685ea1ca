"""What a local deployment copies, and where it refuses to copy it."""

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.aws import deploy_local
from infra.aws.stack import DeployError
from infra.aws.template import load_template


@pytest.fixture
def manager(aws: str) -> Any:
    return boto3.client("secretsmanager", region_name=aws)


def home(path: Path, supervisor: int | None) -> Path:
    (path / "run").mkdir()
    stack = {
        "supervisor": supervisor, "stream": "ws://127.0.0.1:7401/v1/stream", "clock": "real",
        "bank": "http://127.0.0.1:9879",
        "stores": {"postgres_app": ["postgresql://a", "postgresql://b"], "valkey": "redis://c"},
        "parts": [],
    }  # fmt: skip
    (path / "run/stack.json").write_text(json.dumps(stack))
    return path


@pytest.mark.parametrize(
    "endpoint", ["https://secretsmanager.ap-south-1.amazonaws.com", "http://10.0.0.1:4566", "x"]
)
def test_secrets_are_copied_to_this_machine_alone(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="not on this machine"):
        deploy_local.deploy_local(endpoint, home(tmp_path, os.getpid()), tmp_path)


def test_a_stack_is_read_while_its_supervisor_lives(tmp_path: Path) -> None:
    running = deploy_local.read_running_stack(home(tmp_path, os.getpid()))

    assert running.stores.postgres_app == ["postgresql://a", "postgresql://b"]


@pytest.mark.parametrize("supervisor", [2**22 + 1, None])
def test_a_stack_without_its_supervisor_is_no_stack_unless_it_never_had_one(
    tmp_path: Path, supervisor: int | None
) -> None:
    folder = home(tmp_path, supervisor)

    if supervisor is None:
        assert deploy_local.read_running_stack(folder).clock == "real"
    else:
        with pytest.raises(DeployError, match="outcry up"):
            deploy_local.read_running_stack(folder)


def test_a_home_where_nothing_ever_ran_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=str(tmp_path)):
        deploy_local.read_running_stack(tmp_path)


def test_the_secrets_copied_are_those_the_template_lets_functions_read() -> None:
    assert set(deploy_local._readable_secrets(load_template())) == {
        "outcry/token-signing-key",
        "outcry/token-verifying-key",
        "outcry/identity-key",
        "outcry/directory-key",
        "outcry/anchor-signing-key",
        "outcry/bank-token",
        "outcry/kyc-token",
    }


def test_a_secret_gets_another_version_only_when_its_text_differs(manager: Any) -> None:
    def put(valkey: str) -> str:
        stores = deploy_local.Stores(postgres_app=["postgresql://a"], valkey=valkey)
        stack = deploy_local.RunningStack(
            stream="ws://s", bank="http://d", clock="real", stores=stores
        )
        return deploy_local._put_stores(manager, stack)

    first, again, other = put("redis://b"), put("redis://b"), put("redis://c")

    assert first == again != other
    told = json.loads(manager.get_secret_value(SecretId="outcry/stores")["SecretString"])
    assert told == {
        "postgres_urls": "postgresql://a",
        "valkey_url": "redis://c",
        "bank_url": "http://d",
        "kyc_url": "http://d",
    }
