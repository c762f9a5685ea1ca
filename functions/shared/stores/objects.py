"""Write-once objects: statements, archives, evidence. A folder of files, or S3 with Object Lock.

Invariant: an object is written once and whole; writing the same bytes under its key again is no
error, other bytes are refused.
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

OBJECT_BYTES_MAX: Final = 64 * 1024 * 1024
_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_KEY_CHARACTERS_MAX: Final = 512
_CONFIG: Final = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 3})


class Objects(Protocol):
    """Keys are paths of `A-Za-z0-9._-`, no part of which begins with a dot."""

    def put_new(self, key: str, data: bytes) -> None:
        """Raises Conflict (OBJECT_EXISTS) when other bytes have the key, Retryable."""

    def get(self, key: str) -> bytes:
        """Raises NotFound, Retryable."""


class FileObjects:
    """One read-only file an object, on the disk when `put_new` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_new(self, key: str, data: bytes) -> None:
        path = self._folder / _checked(key, data)
        try:
            if not write_once(path, data, 0o400) and path.read_bytes() != data:
                raise Conflict("OBJECT_EXISTS", f"object {key} exists")
        except OSError as error:
            raise Retryable(f"object {key} can't be written: {error.strerror}") from error

    def get(self, key: str) -> bytes:
        try:
            return (self._folder / _checked(key)).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound(f"there is no object {key}") from None
        except OSError as error:
            raise Retryable(f"object {key} can't be read: {error.strerror}") from error


class S3Objects:
    """A bucket; its Object Lock configuration says how long nothing may be deleted."""

    def __init__(self, bucket: str, endpoint: str | None = None) -> None:
        self._bucket = bucket
        self._client = boto3.client("s3", endpoint_url=endpoint, config=_CONFIG)

    def put_new(self, key: str, data: bytes) -> None:
        try:
            # A conditional write: of two at once, S3 takes one and answers the other 412 or 409.
            self._client.put_object(
                Bucket=self._bucket,
                Key=_checked(key, data),
                Body=data,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in {
                "PreconditionFailed",
                "ConditionalRequestConflict",
            }:
                raise Retryable(f"object {key} can't be written: {_code(error)}") from error
            if self.get(key) != data:
                raise Conflict("OBJECT_EXISTS", f"object {key} exists") from None
        except BotoCoreError as error:
            raise Retryable(f"object {key} can't be written: {type(error).__name__}") from error

    def get(self, key: str) -> bytes:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=_checked(key))
            data: bytes = answer["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise NotFound(f"there is no object {key}") from None
            raise Retryable(f"object {key} can't be read: {_code(error)}") from error
        except BotoCoreError as error:
            raise Retryable(f"object {key} can't be read: {type(error).__name__}") from error
        return data


def open_objects(url: str) -> Objects:
    """`file:///FOLDER`, or `s3://BUCKET` (`s3://BUCKET@ENDPOINT` for a stand-in of AWS).

    Raises SettingsError otherwise.
    """
    folder = file_url_path(url)
    if folder is not None:
        return FileObjects(folder)
    if url.startswith("s3://"):
        bucket, _, endpoint = url.removeprefix("s3://").partition("@")
        return S3Objects(bucket, endpoint or None)
    raise SettingsError("OUTCRY_OBJECTS_URL: neither file:///FOLDER nor s3://BUCKET")


def _checked(key: str, data: bytes = b"") -> str:
    if len(key) > _KEY_CHARACTERS_MAX or _KEY.fullmatch(key) is None:
        raise ValueError(f"{key[:80]!r} is not an object's key")
    if len(data) > OBJECT_BYTES_MAX:
        raise ValueError(f"object {key} is larger than {OBJECT_BYTES_MAX} bytes")
    return key


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
