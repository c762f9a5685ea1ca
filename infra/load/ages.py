"""How old a price is when a client has it, of every price there was, not only of those that came.

A stream of last values hides its own pauses: after one of two seconds it sends the newest price,
which is a millisecond old, and never sends those that it replaced. So each price is timed until it
*or a newer one of its symbol* arrived. How many were left out between two that came is told by
their sequence numbers, and when by spreading them evenly over the time between. This is the
correction for coordinated omission: the market keeps its pace whatever the node does, and so do
the times.

Invariant: a price is counted once for each connection that looks. Times are microseconds; stamps
come in whole milliseconds, so an age is up to one too many.
"""

import re

from infra.load.histogram import Histogram

#: More left out between two than this is a new numbering (ingest's next holder), not a pause.
LEFT_OUT_MOST = 1_000
#: What is kept of a read that ended within an object.
_REST_MOST = 1_024


class Ages:
    """What the looking connections of one process saw, while `counting`."""

    def __init__(self) -> None:
        self.counting = False
        self.begin()

    def begin(self) -> None:
        """Forgets what was counted."""
        self.counted = Histogram()
        self.replaced = 0

    def take(self, age: int, left_out: int, step: int) -> None:
        """A price that came, and those before it that didn't, each `step` older than the next."""
        record = self.counted.record
        record(age)
        for number in range(1, left_out + 1):
            record(age + number * step)
        self.replaced += left_out


class Watch:
    """One connection's prices: which came last of each symbol.

    `pattern` finds the symbol, the sequence number (empty where a server sends every price and
    numbers none) and the stamp in milliseconds of each.
    """

    __slots__ = ("_ages", "_pattern", "_rest", "_seen")

    def __init__(self, pattern: re.Pattern[bytes], ages: Ages) -> None:
        self._pattern, self._ages = pattern, ages
        self._rest = b""
        self._seen: dict[bytes, tuple[int, int]] = {}

    def read(self, data: bytes, now: int) -> None:
        """What was read of the socket at that moment, in microseconds since 1970."""
        data = self._rest + data
        self._rest = data[data.rfind(b"}") + 1 :][-_REST_MOST:]
        ages, seen = self._ages, self._seen
        for symbol, numbered, stamped in self._pattern.findall(data):
            seq, stamp = int(numbered or 0), int(stamped)
            before = seen.get(symbol)
            seen[symbol] = (seq, stamp)
            if not ages.counting:
                continue
            left_out = step = 0
            if before is not None and 1 < seq - before[0] <= LEFT_OUT_MOST:
                left_out = seq - before[0] - 1
                step = max(0, stamp - before[1]) * 1_000 // (left_out + 1)
            ages.take(now - stamp * 1_000, left_out, step)
