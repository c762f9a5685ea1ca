"""Trading days and hours: is the market open at this moment?

Invariant: the answer comes from dated rows; a year that isn't loaded is said to be provisional,
never guessed in silence.

Sources: NSE CMTR71775 of 12 December 2025 (2026 trading holidays), the 15 January 2026 addition,
CMTR72349 (Sunday 1 February 2026 full session); hours 09:15-15:30, NSE market timings.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final, Literal
from zoneinfo import ZoneInfo

INDIA: Final = ZoneInfo("Asia/Kolkata")
LOADED_YEARS: Final = frozenset({2026})
HOLIDAYS: Final = frozenset(
    date(2026, month, day)
    for month, day in (
        (1, 15), (1, 26), (3, 3), (3, 26), (3, 31), (4, 3), (4, 14), (5, 1), (5, 28),
        (6, 26), (9, 14), (10, 2), (10, 20), (11, 10), (11, 24), (12, 25),
    )
)  # fmt: skip
SPECIAL_SESSIONS: Final = frozenset({date(2026, 2, 1)})
_OPENS, _CLOSES = time(9, 15), time(15, 30)
_ALWAYS_OPEN_CLOSES = time(23, 59)


class Phase(StrEnum):
    """What the market takes now."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """`provisional`: the year's holidays are not loaded, weekdays are assumed."""

    phase: Phase
    trade_date: date
    provisional: bool


def is_trading_day(day: date) -> bool:
    """Whether NSE trades equities that day."""
    return day in SPECIAL_SESSIONS or (day.weekday() < 5 and day not in HOLIDAYS)


def market_status(now: datetime, hours: Literal["nse", "always-open"]) -> MarketStatus:
    """The phase at a business time. `always-open` has a session each day until 23:59 IST."""
    local = now.astimezone(INDIA)
    day, moment = local.date(), local.time()
    if hours == "always-open":
        phase = Phase.OPEN if moment < _ALWAYS_OPEN_CLOSES else Phase.CLOSED
        return MarketStatus(phase, day, provisional=False)
    is_open = is_trading_day(day) and _OPENS <= moment < _CLOSES
    provisional = day.year not in LOADED_YEARS
    return MarketStatus(Phase.OPEN if is_open else Phase.CLOSED, day, provisional)
