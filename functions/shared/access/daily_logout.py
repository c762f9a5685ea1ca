"""How long a session lives: until the daily logout before the next trading day, and never longer
than SESSION_LIFETIME (ASVS 5.0, 7.3.2).

Invariant: the logout is a moment of the business clock, and is kept as one for every renewal; what
a token and its list say is the wall clock's moment that it falls on, by how the clock goes now.
Source: SEBI, 4 February 2025 (retail algo): every session is logged out before the trading day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from functions.shared.clock import Clock
from functions.shared.domain.calendar import next_session_start

SESSION_LIFETIME: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """`expires_at` by the wall clock, `logout_at` by the business clock."""

    expires_at: datetime
    logout_at: datetime


def session_end(clock: Clock, now: datetime, lead: timedelta) -> SessionEnd:
    """The end of a session that opens at wall time `now`; `lead`: how long before the trading day
    the logout is."""
    business = clock.business_at(now)
    logout_at = next_session_start(business, clock.hours, lead)
    longest = now + SESSION_LIFETIME
    if clock.business_at(longest) <= logout_at:
        return SessionEnd(longest, logout_at)
    # The clock goes evenly, so that the part of the twelve hours is the same on both.
    share = (logout_at - business) / (clock.business_at(longest) - business)
    return SessionEnd(now + share * SESSION_LIFETIME, logout_at)
