"""One load from its first connection to its report, in this process, on a core of its own.

Invariant: it ends. Opening, warming and measuring each have their seconds.
"""

import asyncio
import gc
import os
import resource
from collections.abc import Callable

import uvloop

from infra.load.generator import Generator, Load
from infra.load.node import Node
from infra.load.report import Report, make_report

#: After the last connection is in, before anything is measured.
WARM_SECONDS = 3.0
#: And at most until the server says that it has done all that they brought with them.
SETTLE_SECONDS = 30.0
_LOOK_SECONDS = 0.5


def run_load(
    load: Load, seconds: float, core: int | None, node_pid: int | None = None,
    settled: Callable[[], bool] = lambda: True,
) -> Report:  # fmt: skip
    """The report. The process stays on `core` from then on, and may have as many files open as
    the system lets it. `node_pid` is the server's, where its use is to be told, too; nothing is
    measured before it has `settled`, or SETTLE_SECONDS are over.

    Raises OSError for a core that there is not.
    """
    raise_open_files()
    if core is not None:
        pin(os.getpid(), core)
    return uvloop.run(_run(load, seconds, node_pid, settled))


async def _run(
    load: Load, seconds: float, node_pid: int | None, settled: Callable[[], bool]
) -> Report:
    generator = Generator(load, None if node_pid is None else Node(node_pid))
    try:
        opened = await generator.open()
        gc.collect()
        gc.freeze()  # what is there stays: no collection in the window has to look at it
        await asyncio.sleep(WARM_SECONDS)
        for _ in range(round(SETTLE_SECONDS / _LOOK_SECONDS)):
            if await asyncio.to_thread(settled):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        window = await generator.measure(seconds)
    finally:
        await generator.close()
    return make_report(load.connections, opened, window)


def raise_open_files() -> None:
    """A socket a client."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cores() -> list[int]:
    """The cores that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def pin(pid: int, *on: int) -> None:
    """Keeps a process, and what it starts from then on, on these cores."""
    os.sched_setaffinity(pid, on)
