"""Waiting for something another task or process does, with a limit."""

import asyncio
import time
from collections.abc import Callable

#: How long anything is waited for before a test fails. It comes within milliseconds, or seconds for
#: a process; a machine may be many times slower than that.
WAIT_SECONDS = 120.0


async def until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Returns once the condition holds. Raises TimeoutError when it does not come to."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what it waits for has no event to set
            await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """As `until`, for a test that is no task. Raises TimeoutError when it does not come to."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
