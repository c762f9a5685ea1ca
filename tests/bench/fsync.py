"""How fast this machine's disk answers: what stands beside every rate of durable commits.

A commit is on disk when fdatasync returns, so one connection commits no faster than this, and a
rate says little without it.
"""

import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

#: A page of PostgreSQL's write-ahead log, the least a commit writes.
_PAGE = b"\x00" * 8192
_FILE_PAGES = 2048
#: Between two looks while something else is measured: seldom enough not to be what is measured.
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Fsync:
    """`per_second` one after the other; `p50_ms` and `p99_ms` of each."""

    per_second: float
    p50_ms: float
    p99_ms: float

    def report(self) -> dict[str, float]:
        """As a stage's report carries it."""
        return {
            "fdatasync_per_second": round(self.per_second, 1),
            "fdatasync_p50_ms": round(self.p50_ms, 3),
            "fdatasync_p99_ms": round(self.p99_ms, 3),
        }


def measure_fsync(seconds: float = 2.0, folder: Path | None = None) -> Fsync:
    """Writes pages over a file made before, as the server does with its log, and syncs each.

    `folder` is on the disk that is meant; the one that benches put their databases on when None.
    """
    with tempfile.TemporaryDirectory(prefix="outcry-fsync-", dir=folder) as place:
        descriptor = os.open(Path(place, "log"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, _PAGE * _FILE_PAGES)
            os.fsync(descriptor)
            taken = _sync_for(descriptor, seconds)
        finally:
            os.close(descriptor)
    taken.sort()
    return Fsync(
        per_second=len(taken) / sum(taken),
        p50_ms=taken[len(taken) // 2] * 1_000,
        p99_ms=taken[len(taken) * 99 // 100] * 1_000,
    )


@contextlib.contextmanager
def watched_disk() -> Iterator[dict[str, float]]:
    """How the disk answers while the block runs: the report, which is filled when it ends.

    The worst of these is the least that the slowest durable order of that time can have taken.
    """
    report: dict[str, float] = {}
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_look_until_told, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield report
        ours.send(None)
        taken: list[float] = sorted(ours.recv())
        report |= {
            f"disk_{name}_ms": round(taken[min(len(taken) - 1, int(len(taken) * share))] * 1_000, 3)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0))
        }
    finally:
        process.kill()
        process.join()


def _look_until_told(told: Connection) -> None:
    taken: list[float] = []
    with tempfile.TemporaryDirectory(prefix="outcry-disk-") as place:
        descriptor = os.open(Path(place, "log"), os.O_RDWR | os.O_CREAT, 0o600)
        while not told.poll(_LOOK_SECONDS) or not taken:
            taken += _sync_for(descriptor, 0.0)
        os.close(descriptor)
    told.send(taken)


def _sync_for(descriptor: int, seconds: float) -> list[float]:
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until or not taken:
        os.pwrite(descriptor, _PAGE, len(taken) % _FILE_PAGES * len(_PAGE))
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - started)
    return taken
