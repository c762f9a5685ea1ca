"""Whether the prices shown are those of the market now, and telling those who watch.

Invariant: a client is told when a symbol that it watches goes stale and when it is live again, and
on subscribing to one that is stale. What ingest says holds for as long as it goes on
saying it: when nothing has come for SILENCE_SECONDS, every price is stale.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from edge.fanout.hub import GROUPS, TICK_SECONDS, Hub
from edge.runtime.log import logger
from functions.shared.wire.feed_state import FeedState
from functions.shared.wire.quotes import PARTITIONS, partition_of_symbol

#: With ingest's own limit of as much it takes less than 2 s until users know.
SILENCE_SECONDS: Final = 1.5
LOOK_SECONDS: Final = 0.1
_ALL: Final = frozenset(range(PARTITIONS))


class Freshness:
    """Of all partitions, on one hub."""

    def __init__(self, hub: Hub, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._hub, self._monotonic = hub, monotonic
        self._heard_at = monotonic()
        self._fence = 0
        self._said: frozenset[int] = frozenset()

    def take(self, state: FeedState) -> None:
        """What ingest says. One that has been replaced is not heeded while its successor speaks."""
        if state.fence >= self._fence or self._is_silent():
            self._fence, self._said = state.fence, state.stale
            self._heard_at = self._monotonic()

    def look(self) -> frozenset[int]:
        """Judges anew; the partitions that went stale or came back since the last look."""
        stale = _ALL if self._is_silent() else self._said
        changed = stale ^ self._hub.stale
        if changed:
            logger(__name__).warning("stale prices", partitions=sorted(stale))
            self._hub.stale = stale
        return changed

    def tell(self, group: int, changed: frozenset[int]) -> None:
        """Tells a group's clients of the symbols they watch in these partitions."""
        for client in self._hub.group(group):
            symbols = (view.symbol for view in client.views)
            watched = [symbol for symbol in symbols if partition_of_symbol(symbol) in changed]
            stale = set(self._hub.stale_of(watched))
            for mark in (True, False):
                marked = [symbol for symbol in watched if (symbol in stale) is mark]
                if marked:
                    client.tell({"type": "stale", "symbols": marked, "stale": mark})

    async def run(self) -> None:
        """Looks and tells, group by group as quotes are, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            changed = self.look()
            for group in range(GROUPS if changed else 0):
                self.tell(group, changed)
                await asyncio.sleep(TICK_SECONDS)

    def _is_silent(self) -> bool:
        return self._monotonic() - self._heard_at > SILENCE_SECONDS
