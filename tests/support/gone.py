"""Waiting for processes to end. By asking after each, not by a descriptor of it: not every kernel
gives one of a process that is just ending."""

import contextlib
from collections.abc import Sequence

import psutil

from tests.support.eventually import wait_until


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more; one that its parent has not asked after yet doesn't, either."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_gone(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Whether every one of them ended within so many seconds."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: all(map(ended, processes)), seconds)
    return all(map(ended, processes))
