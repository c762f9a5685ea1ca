"""What a node of this machine uses while it is under load: processor time and memory."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import psutil


class Used(NamedTuple):
    """Of all its processes together: user and system seconds so far, and bytes resident now."""

    processor_seconds: float
    resident_bytes: int


class Node:
    """A server's process and those that it started, as they are now. One that ends counts no
    more."""

    def __init__(self, pid: int) -> None:
        parent = psutil.Process(pid)
        self.processes: Sequence[psutil.Process] = [parent, *parent.children(recursive=True)]

    def used(self) -> Used:
        seconds, resident = 0.0, 0
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                times = process.cpu_times()
                seconds += times.user + times.system
                resident += process.memory_info().rss
        return Used(seconds, resident)
