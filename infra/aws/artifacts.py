"""Artifacts as zip files in S3, named by what is in them.

Invariant: the same folder gives the same bytes, so an unchanged function keeps its key and an
update leaves it alone.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


def zip_folder(folder: Path) -> bytes:
    """The folder's files, sorted, without times or owners."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = _MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def upload_artifact(s3: Any, bucket: str, folder: Path) -> str:
    """Puts the folder's zip in the bucket unless it is there. Returns its s3:// address."""
    data = zip_folder(folder)
    return upload(s3, bucket, f"{folder.name}-{hashlib.sha256(data).hexdigest()[:32]}.zip", data)


def upload(s3: Any, bucket: str, key: str, data: bytes) -> str:
    """Puts the bytes under the key, which names their content. Returns the s3:// address."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount", 0)
    if not found:
        s3.put_object(Bucket=bucket, Key=key, Body=data)
    return f"s3://{bucket}/{key}"
