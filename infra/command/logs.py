"""`outcry logs PART`: what a part wrote, and what it writes next. `--fix`: the FIX messages."""

import heapq
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edge.gateway.message_log import log_files
from infra.command.exits import DONE, WRONG_USAGE, Failure
from infra.local.home import Home

_POLL_SECONDS = 0.2


def print_log(home: Home, part: str, follow: bool) -> int:
    """Prints the log of a part that has ever run here; with `follow`, until interrupted."""
    known = sorted(path.stem for path in home.logs.glob("*.log"))
    if part not in known:
        there = ", ".join(known) or "none"
        raise Failure(f"there is no log of {part!r}; there is {there}", WRONG_USAGE)
    path = home.log(part)
    try:
        file: BinaryIO = path.open("rb")
        while True:
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            if not follow:
                return DONE
            time.sleep(_POLL_SECONDS)
            file = _reopened(file, path)
    except (KeyboardInterrupt, BrokenPipeError):  # the reader has seen enough
        return DONE


def print_fix_log(home: Home) -> int:
    """Prints the FIX messages of all sessions in the order of their times, `|` between fields."""
    sessions = [folder for folder in home.fix_log.glob("*") if folder.is_dir()]
    if not sessions:
        raise Failure("no FIX message has been sent from here yet", WRONG_USAGE)
    try:
        for line in heapq.merge(*map(_lines, sessions)):
            sys.stdout.buffer.write(line.replace(b"\x01", b"|"))
        sys.stdout.buffer.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # the reader has seen enough
        pass
    return DONE


def _lines(session: Path) -> Iterator[bytes]:
    for path in log_files(session):
        with path.open("rb") as file:
            yield from file


def _reopened(file: BinaryIO, path: Path) -> BinaryIO:
    """The same file, or the new one when the log was set aside meanwhile."""
    if path.exists() and path.stat().st_ino != Path(f"/proc/self/fd/{file.fileno()}").stat().st_ino:
        file.close()
        return path.open("rb")
    return file
