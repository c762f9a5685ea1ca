"""What the market takes now, as `GET /v1/market/status` tells it.

Invariant: times are aware, and the business clock's but `wall_time`; what the terminal doesn't use
is not read.
"""

from datetime import date, datetime

import msgspec


class MarketHalt(msgspec.Struct, frozen=True, kw_only=True):
    """A halt of the whole market: HALTED, then REOPENING. `level`: the circuit breaker's percent, 0
    for none; `resumes_at` and `opens_at`: when a call auction begins and ends, None when nobody has
    said."""

    phase: str
    level: int
    source: str
    since: datetime
    resumes_at: datetime | None = None
    opens_at: datetime | None = None
    text: str = ""


class MarketStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the market takes now (`phase`), by business time; `wall_time` is the broker's wall clock
    at the same moment."""

    phase: str
    trade_date: date
    time: datetime
    wall_time: datetime
    halt: MarketHalt | None = None
