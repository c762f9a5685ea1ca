"""The least time from one batch to the next of a loop that is never out of work.

Invariant: whatever comes after a quiet moment goes at once; only what follows it closely waits, for
those that come meanwhile to share a batch's cost with it.
"""

import threading
import time
from collections.abc import Callable


class Pace:
    """For one thread. `seconds`: how far apart two batches begin."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._next_at = float("-inf")

    def wait(self, stop: threading.Event) -> None:
        """Until the next batch may begin, or `stop`."""
        left = self._next_at - self._monotonic()
        if left > 0:
            stop.wait(left)

    def begin(self) -> None:
        """A batch that is not empty begins."""
        self._next_at = self._monotonic() + self._seconds
