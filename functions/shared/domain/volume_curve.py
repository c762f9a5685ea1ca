"""How a symbol's volume is spread over a day: what a VWAP is planned by.

Invariant: a curve is a dated row of averages that somebody stands for (its source says of which
days, or what is assumed and not observed) and that is never changed, so its date names it; the
volume of a window is the sum of what it cuts out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from functions.shared.domain.calendar import INDIA


@dataclass(frozen=True, slots=True)
class VolumeCurve:
    """`volumes` in shares, by buckets of that many `minutes` from `begins` on, India's time."""

    begins: time
    minutes: int
    volumes: Sequence[int]
    source: str
    valid_from: date

    @property
    def name(self) -> str:
        """What a plan says that it goes by."""
        return f"{self.source} (since {self.valid_from})"

    def expected(self, start: datetime, end: datetime) -> int:
        """The shares from one moment to another of a day; of a bucket that they cut, the part by
        time, rounded down."""
        opens = datetime.combine(start.astimezone(INDIA).date(), self.begins, INDIA)
        first, last = (int((at - opens).total_seconds()) for at in (start, end))
        bucket = self.minutes * 60
        cut = (
            volume * max(0, min(last, (n + 1) * bucket) - max(first, n * bucket))
            for n, volume in enumerate(self.volumes)
        )
        return sum(cut) // bucket
