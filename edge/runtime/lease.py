"""A process's hold on the work that it alone does: it waits for it, keeps it, or learns it lost it.

    take (waits) -> keep (renews, on a thread) -> Fenced, or the end of the process

Invariant: `held` is said only within the time that the database has surely granted, counted on this
machine from before it was asked. A process that was stopped past that time finds `held` false when
it goes on; where it was stopped between that look and a write, the write's own fence refuses it.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import Fenced, Retryable
from functions.shared.stores.leases import Leases


class LeaseTimes(NamedTuple):
    """How long a lease is granted for, how often its holder renews it, and how often others look,
    in seconds. By these defaults a standby has it in time to be at work within five."""

    lease: float = 3.0
    renew: float = 1.0
    look: float = 0.2


USUAL: Final = LeaseTimes()


def always() -> bool:
    """Fit for the work whenever the lease is to be had."""
    return True


def holder_of(instance: str | None) -> str:
    """Who a process is in leases: the name its supervisor gave, of which one runs at a time; or
    one that no other process will ever have."""
    return instance or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Lease:
    """Of one or more names, all held or none. `take` and `keep` belong to one thread at a time."""

    def __init__(
        self,
        leases: Leases,
        names: Sequence[str],
        holder: str,
        monotonic: Callable[[], float] = time.monotonic,
        times: LeaseTimes = USUAL,
    ) -> None:
        self._leases = leases
        self._times = times
        self._names = tuple(names)
        self._holder = holder
        self._monotonic = monotonic
        self._fence: int | None = None
        self._until = float("-inf")
        self._trouble = "the lease has not been asked for yet"

    @property
    def fence(self) -> int:
        """What this holder's writes name. Raises Fenced before it was taken."""
        if self._fence is None:
            raise Fenced(f"{', '.join(self._names)}: never taken")
        return self._fence

    @property
    def taken(self) -> bool:
        """Whether this holder ever had it."""
        return self._fence is not None

    def held(self) -> bool:
        """Whether nobody else can have taken it yet. Safe from any thread."""
        return self._monotonic() < self._until

    def state(self) -> tuple[bool, str]:
        """Before it is taken: a standby is ready when it can ask."""
        return not self._trouble, self._trouble

    def take(self, stop: threading.Event, fit: Callable[[], bool] = always) -> bool:
        """Waits until it is taken; False when the process is to stop instead. It is asked for only
        while this process is `fit` for the work: another may be."""
        backoff = Backoff()
        while not stop.is_set():
            if not fit():
                self._trouble = "not fit for the work"
                stop.wait(self._times.look)
                continue
            asked_at = self._monotonic()
            try:
                self._fence = self._leases.take(self._names, self._holder, self._times.lease)
            except Retryable as error:
                self._trouble = str(error)
                backoff.wait(stop)
                continue
            if self._fence is not None:
                self._until = asked_at + self._times.lease
                self._trouble = ""
                logger(__name__).info("lease taken", leases=self._names, fence=self._fence)
                return True
            if self._trouble:
                logger(__name__).info("standing by", leases=self._names)
            self._trouble = ""
            backoff.reset()
            stop.wait(self._times.look)
        return False

    def keep(self, stop: threading.Event, fit: Callable[[], bool] = always) -> None:
        """Renews until `stop`, or while this process is `fit` for the work. While the database is
        away the lease runs out here, and is held again when it is back and nobody took it. Raises
        Fenced when one did."""
        while not stop.wait(self._times.renew) and fit():
            asked_at = self._monotonic()
            try:
                renewed = self._leases.renew(self._names, self.fence, self._times.lease)
            except Retryable as error:
                logger(__name__).warning("lease not renewed", detail=str(error))
                continue
            if not renewed:
                self._until = float("-inf")
                raise Fenced(f"{', '.join(self._names)}: taken by another process")
            self._until = asked_at + self._times.lease

    def give_up(self) -> None:
        """The next holder need not wait. Call it when no write of this one can follow."""
        self._until = float("-inf")
        try:
            self._leases.release(self._names, self.fence)
        except Retryable as error:
            logger(__name__).warning("lease not given up", detail=str(error))
