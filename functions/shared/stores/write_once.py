"""Files that are written whole, and but for secrets that rotate, once: what secrets and objects are
on one machine.

Invariant: a reader never meets half a file, `write_once` never replaces one, and a file is on the
disk when either returns.
"""

import os
import tempfile
from pathlib import Path


def write_once(path: Path, data: bytes, mode: int) -> bool:
    """Writes a new file, making its folder (0700) if need be; False when the name is taken.

    Raises OSError when the disk refuses.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike a rename, it fails when the name is taken
        except FileExistsError:
            return False
    finally:
        Path(draft).unlink()
    _sync_folder(path.parent)
    return True


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Puts a whole file in another's place, on the disk when it returns. Raises OSError."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
