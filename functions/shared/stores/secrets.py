"""Secrets: written once, read by name. A folder of 0600 files, or AWS Secrets Manager.

Invariant: a secret that exists is never overwritten; of two writers at once one wins and the other
is told. The value never appears in an error.
"""

import re
from pathlib import Path
from typing import Final, Protocol

from functions.shared.domain.errors import Conflict, NotFound, Retryable
from functions.shared.settings import SettingsError, file_url_path
from functions.shared.stores.write_once import write_once

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Secrets(Protocol):
    """Names are up to 64 of `a-z0-9-` (ValueError otherwise); values are text up to 64 KiB."""

    def get(self, name: str) -> str:
        """Raises NotFound for a secret that was never written, Retryable when out of reach."""

    def current(self, name: str) -> str:
        """As `get`, past whatever was kept of an earlier read."""

    def put_new(self, name: str, value: str) -> None:
        """Raises Conflict (SECRET_EXISTS) when the name is taken, Retryable when out of reach."""


class FileSecrets:
    """One file a secret, 0600 in a folder of 0700, on the disk when `put_new` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        path = self._folder / check_name(name)
        try:
            return path.read_bytes().decode()
        except FileNotFoundError:
            raise NotFound(f"there is no secret {name}") from None
        except OSError as error:
            raise Retryable(f"secret {name} can't be read: {error.strerror}") from error

    def current(self, name: str) -> str:
        return self.get(name)

    def put_new(self, name: str, value: str) -> None:
        path = self._folder / check_name(name)
        try:
            written = write_once(path, value.encode(), 0o600)
        except OSError as error:
            raise Retryable(f"secret {name} can't be written: {error.strerror}") from error
        if not written:
            raise Conflict("SECRET_EXISTS", f"secret {name} exists")


def open_secrets(url: str) -> Secrets:
    """`file:///FOLDER`, or `aws:REGION` (`aws:REGION@ENDPOINT` for a stand-in of AWS).

    Raises SettingsError otherwise.
    """
    folder = file_url_path(url)
    if folder is not None:
        return FileSecrets(folder)
    if url.startswith("aws:"):
        # boto3 takes longer to import than all of a handler; one machine's stack never needs it.
        from functions.shared.stores.aws_secrets import AwsSecrets

        region, _, endpoint = url.removeprefix("aws:").partition("@")
        return AwsSecrets(region, endpoint or None)
    raise SettingsError("OUTCRY_SECRETS_URL: neither file:///FOLDER nor aws:REGION")


def check_name(name: str) -> str:
    """The name itself. Raises ValueError when it can't be a secret's."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a secret's name")
    return name
