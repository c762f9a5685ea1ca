"""How far a FIX session's reports are applied in the ledger. Pure but for its lock.

Invariant: `through` passes a position only when it is settled: it was administrative, it told the
ledger nothing, or the ledger has applied it. Everything beyond `through` can be asked for again.
"""

import heapq
import threading
from collections.abc import Iterable

#: Reports that wait that long while nothing moves were lost on the way: ask the venue again.
STALL_SECONDS = 5.0
#: Each time asking again brings nothing either, the patience doubles, up to this.
STALL_SECONDS_MOST = 60.0


class Positions:
    """One session's MsgSeqNums. Safe for the thread that publishes and the one that keeps count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbering = ""
        self._through = 0
        self._settled: list[tuple[int, int]] = []  # a heap of ranges, first to last
        self._applied: set[int] = set()
        self._published: set[int] = set()
        self._moved_at = 0.0
        self._patience = STALL_SECONDS

    @property
    def numbering(self) -> str:
        """What the ledger calls the numbers that these are of."""
        return self._numbering

    @property
    def through(self) -> int:
        """Every position at or below is settled."""
        return self._through

    @property
    def outstanding(self) -> int:
        """How many published reports are not known to be applied."""
        return len(self._published)

    def restart(self, numbering: str, through: int, now: float) -> None:
        """A new connection begins after `through`; what lies beyond will be told again."""
        with self._lock:
            if numbering != self._numbering or through > self._through:
                self._patience = STALL_SECONDS
            self._numbering = numbering
            self._through = through
            self._settled.clear()
            self._applied.clear()
            self._published.clear()
            self._moved_at = now

    def settle(self, first: int, last: int) -> None:
        """Positions `first` to `last` carry nothing the ledger must apply."""
        with self._lock:
            heapq.heappush(self._settled, (first, last))

    def publish(self, positions: Iterable[int], now: float) -> None:
        """The reports at these positions are in the stream to the ledger."""
        with self._lock:
            if not self._published:
                self._moved_at = now
            self._published.update(p for p in positions if p > self._through)

    def advance(self, applied: Iterable[int], now: float) -> bool:
        """Moves `through` over what is settled or applied in the ledger; True if it moved."""
        with self._lock:
            for position in applied:
                if position > self._through and position not in self._applied:
                    self._applied.add(position)
                    heapq.heappush(self._settled, (position, position))
            before = self._through
            while self._settled and self._settled[0][0] <= self._through + 1:
                self._through = max(self._through, heapq.heappop(self._settled)[1])
            if self._through == before:
                return False
            self._applied = {p for p in self._applied if p > self._through}
            self._published = {p for p in self._published if p > self._through}
            self._moved_at = now
            self._patience = STALL_SECONDS
            return True

    def stalled(self, now: float) -> bool:
        """Whether published reports have waited too long. Saying yes doubles the patience."""
        with self._lock:
            if not self._published or now - self._moved_at <= self._patience:
                return False
            self._patience = min(STALL_SECONDS_MOST, self._patience * 2)
            self._moved_at = now
            return True
