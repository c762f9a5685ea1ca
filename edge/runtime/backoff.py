"""How long to wait before trying again: exponential with full jitter.

Invariant: a wait never exceeds its ceiling, and the first try after a success waits nothing extra.
Full jitter keeps many processes that lost the same server from coming back in step (Brooker,
"Exponential Backoff And Jitter", 2015).
"""

import random
import threading
from collections.abc import Callable


class Backoff:
    """The waits of one thing that is tried again and again. Not shared between threads."""

    def __init__(
        self,
        first_seconds: float = 0.05,
        most_seconds: float = 2.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not 0 < first_seconds <= most_seconds:
            raise ValueError("a back-off needs 0 < first_seconds <= most_seconds")
        self._first = first_seconds
        self._most = most_seconds
        self._uniform = uniform
        self._ceiling = first_seconds

    def next_seconds(self) -> float:
        """The next wait; the ceiling it is drawn under doubles each time."""
        ceiling = self._ceiling
        self._ceiling = min(self._most, ceiling * 2)
        return self._uniform(0.0, ceiling)

    def reset(self) -> None:
        """It worked: the next failure starts from the shortest wait."""
        self._ceiling = self._first

    def wait(self, stop: threading.Event) -> bool:
        """Waits before the next try; True when the process is to stop instead."""
        return stop.wait(self.next_seconds())
