"""Artifacts as zip files in S3, named by what they were built of.

Invariant: an unchanged function keeps its key, so an update leaves it alone and nothing is packed;
and the same folder gives the same bytes.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


def zip_folder(folder: Path) -> bytes:
    """The folder's files, sorted, without times or owners. Stored as they are: they go no farther
    than this machine, and packing eighteen artifacts took longer than all else of a deployment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = _MODE
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def upload_artifact(s3: Any, bucket: str, folder: Path, digest: str) -> str:
    """Puts the folder's zip in the bucket unless one of that digest, the build's, is there.
    Returns its s3:// address."""
    return upload(s3, bucket, f"{folder.name}-{digest[:32]}.zip", lambda: zip_folder(folder))


def upload(s3: Any, bucket: str, key: str, make: Callable[[], bytes]) -> str:
    """Puts what `make` gives under the key, which names it, unless it is there. Returns the
    s3:// address."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount", 0)
    if not found:
        s3.put_object(Bucket=bucket, Key=key, Body=make())
    return f"s3://{bucket}/{key}"
