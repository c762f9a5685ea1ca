"""Secrets: written once, read by name. A folder of 0600 files, or AWS Secrets Manager.

Invariant: a secret that exists is never overwritten; of two writers at once one wins and the other
is told. The value never appears in an error.
"""

import re
from pathlib import Path
from typing import Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import Conflict, NotFound, Retryable
from functions.shared.settings import SettingsError, file_url_path
from functions.shared.stores.write_once import write_once

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_CONFIG: Final = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})


class Secrets(Protocol):
    """Names are up to 64 of `a-z0-9-`; values are text of at most 64 KiB."""

    def get(self, name: str) -> str:
        """Raises NotFound for a secret that was never written, Retryable when out of reach."""

    def put_new(self, name: str, value: str) -> None:
        """Raises Conflict (SECRET_EXISTS) when the name is taken, Retryable when out of reach."""


class FileSecrets:
    """One file a secret, 0600 in a folder of 0700, on the disk when `put_new` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        path = self._path(name)
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            raise NotFound(f"there is no secret {name}") from None
        except OSError as error:
            raise Retryable(f"secret {name} can't be read: {error.strerror}") from error

    def put_new(self, name: str, value: str) -> None:
        path = self._path(name)
        try:
            written = write_once(path, value.encode(), 0o600)
        except OSError as error:
            raise Retryable(f"secret {name} can't be written: {error.strerror}") from error
        if not written:
            raise Conflict("SECRET_EXISTS", f"secret {name} exists")

    def _path(self, name: str) -> Path:
        return self._folder / _checked(name)


class AwsSecrets:
    """Secrets Manager, under the prefix `outcry/`. What was read is kept: a secret never changes."""

    _PREFIX: Final = "outcry/"

    def __init__(self, region: str, endpoint: str | None = None) -> None:
        self._client = boto3.client(
            "secretsmanager", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )
        self._read: dict[str, str] = {}

    def get(self, name: str) -> str:
        known = self._read.get(name)
        if known is not None:
            return known
        try:
            answer = self._client.get_secret_value(SecretId=self._PREFIX + _checked(name))
        except self._client.exceptions.ResourceNotFoundException:
            raise NotFound(f"there is no secret {name}") from None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be read: {type(error).__name__}") from error
        return self._read.setdefault(name, str(answer["SecretString"]))

    def put_new(self, name: str, value: str) -> None:
        try:
            self._client.create_secret(Name=self._PREFIX + _checked(name), SecretString=value)
        except self._client.exceptions.ResourceExistsException:
            raise Conflict("SECRET_EXISTS", f"secret {name} exists") from None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be written: {type(error).__name__}") from error


def open_secrets(url: str) -> Secrets:
    """`file:///FOLDER`, or `aws:REGION` (`aws:REGION@ENDPOINT` for a stand-in of AWS).

    Raises SettingsError otherwise.
    """
    folder = file_url_path(url)
    if folder is not None:
        return FileSecrets(folder)
    if url.startswith("aws:"):
        region, _, endpoint = url.removeprefix("aws:").partition("@")
        return AwsSecrets(region, endpoint or None)
    raise SettingsError("OUTCRY_SECRETS_URL: neither file:///FOLDER nor aws:REGION")


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a secret's name")
    return name
