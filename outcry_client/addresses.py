"""Where to connect next, out of several addresses of one stream.

Invariant: an address that a connection was lost from is the last to be tried again, and one that
said when to come back is not asked before, while another is free.
"""

import random
from collections.abc import Sequence


class Addresses:
    """What is known of each address. `now` is in monotonic seconds."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lost: dict[str, float] = {}
        self._closed_until: dict[str, float] = {}

    def choose(self, urls: Sequence[str], now: float) -> tuple[str, float]:
        """The address to try, and in how many seconds: 0 when it may be tried at once.

        Among equals one at random, so that a fleet is spread over its nodes from the start. Raises
        ValueError when there is none.
        """
        if not urls:
            raise ValueError("no address to connect to")
        self._lost = {url: at for url, at in self._lost.items() if url in urls}
        self._closed_until = {
            url: until for url, until in self._closed_until.items() if url in urls and until > now
        }

        def rank(url: str) -> tuple[float, float, float]:
            closed = self._closed_until.get(url, now)
            return closed, self._lost.get(url, float("-inf")), self._rng.random()

        url = min(urls, key=rank)
        return url, self._closed_until.get(url, now) - now

    def lost(self, url: str, now: float) -> None:
        """A connection to it ended, or did not come about."""
        self._lost[url] = now

    def refused(self, url: str, until: float) -> None:
        """It lets nobody in before then (503 or 429 with Retry-After)."""
        self._closed_until[url] = until
