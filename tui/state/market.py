"""The market's own clock, as the broker last told it and as it has run since.

Invariant: a reading moves the clock at once; its speed follows only when two readings in a row
agree on one, because a clock that was moved by hand looks for one reading like a very fast one.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from tui.client.market_status import MarketStatus

RATE_TOLERANCE = 0.02
"""Two readings a second apart agree on their rate to well within this part of it."""


@dataclass(frozen=True, slots=True)
class MarketClock:
    """`status` as it was read when the terminal's own clock showed `read_at`; business seconds pass
    `speed` times as fast as the wall's. `rate` is the speed between the last two readings."""

    status: MarketStatus
    read_at: datetime
    speed: float = 1.0
    rate: float | None = None

    def at(self, now: datetime) -> datetime:
        """Business time when the terminal's own clock shows `now`."""
        return self.status.time + (now - self.read_at) * self.speed

    @property
    def is_steady(self) -> bool:
        """Whether the last two readings bear the speed out."""
        return self.rate is not None and math.isclose(self.rate, self.speed, rel_tol=RATE_TOLERANCE)


def read_clock(known: MarketClock | None, status: MarketStatus, now: datetime) -> MarketClock:
    """Take a reading made when the terminal's own clock shows `now`."""
    if known is None:
        return MarketClock(status, now)
    elapsed = (status.wall_time - known.status.wall_time).total_seconds()
    if elapsed <= 0:
        return MarketClock(status, now, known.speed, known.rate)
    rate = (status.time - known.status.time).total_seconds() / elapsed
    is_borne_out = known.rate is not None and math.isclose(rate, known.rate, rel_tol=RATE_TOLERANCE)
    return MarketClock(status, now, rate if is_borne_out else known.speed, rate)
