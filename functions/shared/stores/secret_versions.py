"""How a secret changes: a version that waits beside the current one, and takes its place.

Flow: functions/rotation -> a version is put by -> tried -> promoted. Invariant: a reader meets the
old value or the new one, whole; each step taken again does nothing more.
"""

import re
from pathlib import Path
from typing import Final, Protocol

from functions.shared.domain.errors import NotFound, Retryable
from functions.shared.settings import SettingsError, file_url_path
from functions.shared.stores.secrets import check_name
from functions.shared.stores.write_once import replace_file, write_once

_VERSION: Final = re.compile(r"[A-Za-z0-9-]{32,64}")  # as Secrets Manager's ClientRequestToken


class SecretVersions(Protocol):
    """Each raises Retryable when the store is out of reach, ValueError for a malformed name or
    version."""

    def current(self, name: str) -> str:
        """Raises NotFound for a secret that was never written."""

    def version(self, name: str, version: str) -> str | None:
        """The value that was put by under that name; None when there is none, and in a store of
        files also once it was promoted."""

    def put_by(self, name: str, version: str, value: str) -> None:
        """A value that waits. Put by again, the first one stays."""

    def replace(self, name: str, value: str) -> None:
        """Another current value, at once."""

    def promote(self, name: str, version: str) -> None:
        """Makes what was put by the current value; nothing when it is already."""


class FileVersions:
    """Beside `FileSecrets`: what waits is a file whose name no secret can have."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def current(self, name: str) -> str:
        found = self._read(self._folder / check_name(name))
        if found is None:
            raise NotFound(f"there is no secret {name}")
        return found

    def version(self, name: str, version: str) -> str | None:
        return self._read(self._waiting(name, version))

    def put_by(self, name: str, version: str, value: str) -> None:
        try:
            write_once(self._waiting(name, version), value.encode(), 0o600)
        except OSError as error:
            raise Retryable(f"secret {name} can't be written: {error.strerror}") from error

    def replace(self, name: str, value: str) -> None:
        try:
            replace_file(self._folder / check_name(name), value.encode(), 0o600)
        except OSError as error:
            raise Retryable(f"secret {name} can't be written: {error.strerror}") from error

    def promote(self, name: str, version: str) -> None:
        value = self.version(name, version)
        if value is None:
            return
        self.replace(name, value)
        try:
            self._waiting(name, version).unlink()
        except OSError as error:
            raise Retryable(f"secret {name} can't be promoted: {error.strerror}") from error

    def _read(self, path: Path) -> str | None:
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Retryable(f"a secret can't be read: {error.strerror}") from error

    def _waiting(self, name: str, version: str) -> Path:
        if _VERSION.fullmatch(version) is None:
            raise ValueError("not a version's name")
        return self._folder / f".waiting-{check_name(name)}-{version}"


def open_versions(url: str) -> SecretVersions:
    """As `open_secrets`. Raises SettingsError."""
    folder = file_url_path(url)
    if folder is not None:
        return FileVersions(folder)
    if url.startswith("aws:"):
        from functions.shared.stores.aws_secrets import AwsVersions  # as for open_secrets

        region, _, endpoint = url.removeprefix("aws:").partition("@")
        return AwsVersions(region, endpoint or None)
    raise SettingsError("OUTCRY_SECRETS_URL: neither file:///FOLDER nor aws:REGION")
