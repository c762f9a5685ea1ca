"""Deploys template.yaml to LocalStack beside the running stack: `make deploy-local ENDPOINT=...`.

Build -> zip files in its S3 -> the running stack's store addresses and secrets in its Secrets
Manager -> CloudFormation. The functions there then serve the same users from the same PostgreSQL
and Valkey. Invariant: run twice it updates; and it copies secrets to this machine alone.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
import platformdirs
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import NotFound
from functions.shared.settings import Settings, SettingsError
from functions.shared.stores.secrets import FileSecrets, Secrets
from infra.aws.artifacts import upload, upload_artifact
from infra.aws.build import build_functions, digest_of
from infra.aws.imports import BuildError
from infra.aws.libraries import find_python
from infra.aws.stack import DeployError, deploy_stack
from infra.aws.template import ROOT, functions_of, load_template

STACK = "outcry"
STAGE = "live"
REGION = "ap-south-1"
_BUCKET = "outcry-artifacts"
_STORES_SECRET = "outcry/stores"  # noqa: S105 - the secret's name
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_READABLE_SECRET = re.compile(r":secret:(outcry/[a-z0-9-]+)-\*")
_HEALTH_SECONDS = 20.0
# LocalStack creates a stage a second time instead of pointing it at the new deployment.
_NOT_UPDATABLE = frozenset({"AWS::ApiGateway::Stage"})


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """Store addresses in `run/stack.json`, as far as functions use them."""

    postgres_app: list[str]
    valkey: str


class RunningStack(msgspec.Struct, frozen=True, kw_only=True):
    """`run/stack.json`: the part of it that a deployment copies. `supervisor` is the process that
    keeps the stack alive; containers have none."""

    supervisor: int | None = None
    stream: str
    bank: str
    clock: str
    stores: Stores


class DeploySettings(Settings, frozen=True, kw_only=True):
    """Which stack to stand beside."""

    home: str = platformdirs.user_data_dir("outcry")


def deploy_local(endpoint: str, home: Path, build: Path) -> str:
    """Builds, deploys beside the stack of that home, and returns the API's address once it answers.

    Raises DeployError when it doesn't, BuildError when there is nothing to deploy.
    """
    if urlsplit(endpoint).hostname not in _LOOPBACK:
        raise DeployError(f"{endpoint} is not on this machine, and secrets would be copied to it")
    running = read_running_stack(home)
    build_functions(build, find_python())
    # LocalStack takes any credentials; these are of no use anywhere else.
    session = boto3.Session("local", "local", region_name=REGION)
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)

    template = load_template()
    template_url = _upload(client("s3"), endpoint, template)
    secrets = client("secretsmanager")
    _copy_secrets(secrets, FileSecrets(home / "secrets"), template)
    parameters = {
        "Target": "localstack",
        "StoresSecret": _STORES_SECRET,
        "StoresSecretVersion": _put_stores(secrets, running),
        "StreamUrl": running.stream,
        "Clock": running.clock,
        # A supervised stack anchors into its own store; containers leave it to the functions.
        "Anchors": "yes" if running.supervisor is None else "no",
    }
    outputs = deploy_stack(
        client("cloudformation"), STACK, template_url, parameters, _NOT_UPDATABLE
    )
    address = f"{endpoint.rstrip('/')}/_aws/execute-api/{outputs['ApiId']}/{STAGE}"
    _await_health(address)
    return address


def read_running_stack(home: Path) -> RunningStack:
    """The stack that runs in this home. Raises DeployError when none does."""
    path = home / "run" / "stack.json"
    try:
        running = msgspec.json.decode(path.read_bytes(), type=RunningStack)
        if running.supervisor is not None:
            os.kill(running.supervisor, 0)
    except (OSError, msgspec.MsgspecError) as error:
        raise DeployError(f"no stack runs in {home}; start it with `outcry up`") from error
    return running


def _upload(s3: Any, endpoint: str, template: dict[str, Any]) -> str:
    """Puts the artifacts and the template that names them into S3. Returns the template's URL."""
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # from the deployment before
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for function in functions_of(template):
        properties = template["Resources"][function.logical_id]["Properties"]
        digest = digest_of(function.folder)
        properties["CodeUri"] = upload_artifact(s3, _BUCKET, function.folder, digest)
    body = json.dumps(template, separators=(",", ":")).encode()
    key = f"template-{hashlib.sha256(body).hexdigest()[:32]}.json"
    upload(s3, _BUCKET, key, lambda: body)
    return f"{endpoint.rstrip('/')}/{_BUCKET}/{key}"


def _readable_secrets(node: object) -> Iterator[str]:
    """Names of the secrets that the template lets some function read."""
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _readable_secrets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _readable_secrets(value)
    elif isinstance(node, str):
        yield from _READABLE_SECRET.findall(node)


def _copy_secrets(manager: Any, source: Secrets, template: Mapping[str, Any]) -> None:
    for name in sorted(set(_readable_secrets(template))):
        try:
            value = source.get(name.removeprefix("outcry/"))
        except NotFound as error:
            raise DeployError(f"the running stack has no secret {name}") from error
        _put_secret(manager, name, value)


def _put_stores(manager: Any, running: RunningStack) -> str:
    """Writes the secret the template resolves. Returns its version, which moves with its text."""
    value = {
        "postgres_urls": ",".join(running.stores.postgres_app),
        "valkey_url": running.stores.valkey,
        "bank_url": running.bank,
        "kyc_url": running.bank,
    }
    return _put_secret(manager, _STORES_SECRET, json.dumps(value))


def _put_secret(manager: Any, name: str, value: str) -> str:
    """Creates the secret, or adds a version when its text differs. Returns the version."""
    try:
        return str(manager.create_secret(Name=name, SecretString=value)["VersionId"])
    except manager.exceptions.ResourceExistsException:
        current = manager.get_secret_value(SecretId=name)
    if current["SecretString"] == value:
        return str(current["VersionId"])
    return str(manager.put_secret_value(SecretId=name, SecretString=value)["VersionId"])


def _await_health(address: str) -> None:
    """Waits for the first answer of /health. Raises DeployError with what came instead."""
    deadline = time.monotonic() + _HEALTH_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=_HEALTH_SECONDS):
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read(500).decode(errors='replace')}"
        except OSError as error:
            answer = str(error)
        if time.monotonic() > deadline:
            raise DeployError(f"{address}/health: {answer}")
        time.sleep(0.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploys and prints the API's address as the last line. Exit 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(prog="deploy-local", description=__doc__)
    parser.add_argument("endpoint", help="LocalStack's address, as http://127.0.0.1:4566")
    options = parser.parse_args(arguments)
    try:
        home = Path(DeploySettings.from_environment().home).absolute()
        address = deploy_local(options.endpoint, home, ROOT / "build")
    except (BuildError, DeployError, SettingsError) as error:
        sys.stderr.write(f"deploy-local: {error}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"deploy-local: LocalStack refused: {error}\n")
        return 1
    sys.stdout.write(f"{address}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
