"""Secrets in AWS Secrets Manager, under the prefix `outcry/`.

Invariant: as `secrets.Secrets`; what was read is kept for a while, since secrets change by
rotation alone (secret_versions.py).
"""

import math
import time
import uuid
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import Conflict, NotFound, Retryable
from functions.shared.stores.secrets import check_name

_CONFIG: Final = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
_PREFIX: Final = "outcry/"
#: Half as long as a token lives: who signs with a key that was just rotated away stops in time.
_KEPT_SECONDS: Final = 300.0


class AwsSecrets:
    """See `Secrets` for what each method promises."""

    def __init__(self, region: str, endpoint: str | None = None) -> None:
        self._client = boto3.client(
            "secretsmanager", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )
        self._read: dict[str, tuple[str, float]] = {}

    def get(self, name: str) -> str:
        value, read_at = self._read.get(name, ("", -math.inf))
        return value if time.monotonic() - read_at < _KEPT_SECONDS else self.current(name)

    def current(self, name: str) -> str:
        try:
            answer = self._client.get_secret_value(
                SecretId=_PREFIX + check_name(name), VersionStage="AWSCURRENT"
            )
        except self._client.exceptions.ResourceNotFoundException:
            raise NotFound(f"there is no secret {name}") from None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be read: {type(error).__name__}") from error
        value = str(answer["SecretString"])
        self._read[name] = value, time.monotonic()
        return value

    def put_new(self, name: str, value: str) -> None:
        secret, version = _PREFIX + check_name(name), str(uuid.uuid4())
        try:
            try:
                self._client.create_secret(
                    Name=secret, SecretString=value, ClientRequestToken=version
                )
            except self._client.exceptions.ResourceExistsException:
                # By the driver's own retry of an answer that was late, perhaps: then it is ours.
                found = self._client.describe_secret(SecretId=secret)
                if version not in found.get("VersionIdsToStages", {}):
                    raise Conflict("SECRET_EXISTS", f"secret {name} exists") from None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be written: {type(error).__name__}") from error


class AwsVersions:
    """See `SecretVersions` for what each method promises. AWSPENDING is what waits."""

    def __init__(self, region: str, endpoint: str | None = None) -> None:
        self._client = boto3.client(
            "secretsmanager", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )

    def current(self, name: str) -> str:
        found = self._read(name, {"VersionStage": "AWSCURRENT"})
        if found is None:
            raise NotFound(f"there is no secret {name}")
        return found

    def version(self, name: str, version: str) -> str | None:
        return self._read(name, {"VersionId": version})

    def put_by(self, name: str, version: str, value: str) -> None:
        if self.version(name, version) is None:
            self._put(name, value, {"ClientRequestToken": version, "VersionStages": ["AWSPENDING"]})

    def replace(self, name: str, value: str) -> None:
        self._put(name, value, {})

    def promote(self, name: str, version: str) -> None:
        secret = _PREFIX + check_name(name)
        try:
            stages = self._client.describe_secret(SecretId=secret)["VersionIdsToStages"]
            now = next(each for each, names in stages.items() if "AWSCURRENT" in names)
            if now != version:
                self._client.update_secret_version_stage(
                    SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version,
                    RemoveFromVersionId=now,
                )  # fmt: skip
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be promoted: {type(error).__name__}") from error

    def _read(self, name: str, which: dict[str, str]) -> str | None:
        try:
            answer = self._client.get_secret_value(SecretId=_PREFIX + check_name(name), **which)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be read: {type(error).__name__}") from error
        value = answer.get("SecretString")  # a version that was made without a value has none
        return None if value is None else str(value)

    def _put(self, name: str, value: str, which: dict[str, Any]) -> None:
        try:
            self._client.put_secret_value(
                SecretId=_PREFIX + check_name(name), SecretString=value, **which
            )
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be written: {type(error).__name__}") from error
