"""Turns at what is dear: routes whose function hashes a password hold 19 MiB and a core each time.

Invariant: at most `at_once` hold a turn, so that a storm of logins leaves workers to everybody else
and the memory it takes is at_once x 19 MiB; at most `waiting_most` wait, first come, first served,
and the next is turned away with a 503 and a Retry-After.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.local.gateway.pool import Overloaded


class Turns:
    """A bounded queue before a bounded number of places."""

    def __init__(self, at_once: int, waiting_most: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting_most = waiting_most
        self._waiting = 0

    @property
    def waiting(self) -> int:
        return self._waiting

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Waits for a turn and holds it. Raises Overloaded at once when too many wait."""
        if self._places.locked() and self._waiting >= self._waiting_most:
            raise Overloaded
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
