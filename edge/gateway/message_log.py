"""Every FIX message in and out, kept for audit: append-only files, by session and day.

A line is the wall-clock time, `IN` or `OUT`, and the message; a line break or backslash inside one
is escaped. What the engine drops before the application sees it is not here: garbled messages,
which FIX ignores, and those it was told before.

Invariant: a message is in its file before it is sent, or before anything is made of it, so a killed
process loses none; it is on the disk within SYNC_SECONDS. Without the log nothing is traded: a file
that can't be written ends the process.
"""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from edge.runtime.log import logger

SYNC_SECONDS = 0.2
#: A day's file past this is continued in another: `2026-11-23.log`, `2026-11-23.1.log`, ...
FILE_BYTES: Final = 256 * 1024 * 1024
#: All files of a session; beyond it the oldest go. Copies for the years that regulators ask for are
#: taken from the closed files, which nothing writes any more.
SESSION_BYTES: Final = 4 * 1024 * 1024 * 1024

Way = Literal["IN", "OUT"]


class MessageLog:
    """The files of all sessions under one folder. Raises OSError when one can't be written."""

    def __init__(
        self,
        folder: Path,
        names: Iterable[str],
        wall: Callable[[], datetime],
        *,
        file_bytes: int = FILE_BYTES,
        session_bytes: int = SESSION_BYTES,
    ) -> None:
        self._files = {
            name: _SessionFile(folder / name, wall, file_bytes, session_bytes) for name in names
        }

    def write(self, name: str, way: Way, message: str) -> None:
        """Appends one message of a session. Safe from any thread."""
        self._files[name].write(way, message)

    def run(self, stop: threading.Event) -> None:
        """Brings what was written to the disk, in batches, until `stop`."""
        while not stop.wait(SYNC_SECONDS):
            self.sync()
        self.sync()

    def sync(self) -> None:
        for file in self._files.values():
            file.sync()

    def close(self) -> None:
        for file in self._files.values():
            file.close()


class _SessionFile:
    """The file that one session writes now, and those before it."""

    def __init__(
        self, folder: Path, wall: Callable[[], datetime], file_bytes: int, session_bytes: int
    ) -> None:
        self._folder = folder
        self._wall = wall
        self._file_bytes = file_bytes
        self._session_bytes = session_bytes
        self._lock = threading.Lock()
        self._day = ""
        self._descriptor = -1
        self._size = 0
        self._unsynced = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, way: Way, message: str) -> None:
        moment = self._wall().isoformat(timespec="microseconds").removesuffix("+00:00")
        text = message.replace("\\", "\\\\").replace("\n", "\\n")
        line = f"{moment}Z {way} {text}\n".encode(errors="surrogateescape")
        with self._lock:
            day = moment[:10]
            if day != self._day or self._size >= self._file_bytes:
                self._open(day)
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError(f"{self._folder}: {written} of {len(line)} bytes were written")
            self._size += written
            self._unsynced = True

    def sync(self) -> None:
        with self._lock:
            if not self._unsynced:
                return
            self._unsynced = False
            descriptor = os.dup(self._descriptor)  # so that nobody waits for the disk
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _open(self, day: str) -> None:
        """The day's last file, or another when that is full or there is none yet."""
        self._close()
        numbers = [n for d, n in map(_place, self._folder.glob("*.log")) if d == day]
        path = self._path(day, max(numbers, default=0))
        self._size = path.stat().st_size if path.exists() else 0
        if self._size >= self._file_bytes:
            path, self._size = self._path(day, max(numbers) + 1), 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._day = day
        self._drop_oldest(path)

    def _path(self, day: str, number: int) -> Path:
        return self._folder / (f"{day}.{number}.log" if number else f"{day}.log")

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self._day = ""

    def _drop_oldest(self, current: Path) -> None:
        kept = 0
        for path in reversed(log_files(self._folder)):
            size = path.stat().st_size
            kept += size
            if kept > self._session_bytes and path != current:
                path.unlink()
                logger(__name__).warning("FIX log dropped", file=str(path), bytes=size)


def log_files(folder: Path) -> list[Path]:
    """A session's files, oldest first."""
    return sorted(folder.glob("*.log"), key=_place)


def _place(path: Path) -> tuple[str, int]:
    """A file's day and its number in the day."""
    day, _, number = path.stem.partition(".")
    return day, int(number or 0)
