"""Every session ends before the trading day, by the business clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.access.daily_logout import SESSION_LIFETIME, session_end
from functions.shared.clock import INDIA, ClockFile
from functions.shared.domain.calendar import is_trading_day

LEAD = timedelta(hours=2)
WALL = datetime(2026, 7, 10, 1, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Business time goes from `business` at WALL, at `speed`."""

    hours: Literal["nse", "always-open"]
    business: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        return self.business

    def business_at(self, wall: datetime) -> datetime:
        return ClockFile(wall=WALL, business=self.business, speed=self.speed).at(wall)


def india(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "login", "logout"),
    [
        ("nse", "2026-07-10T20:00", "2026-07-13T07:00"),  # a Friday evening: before Monday
        ("nse", "2026-07-13T06:59", "2026-07-13T07:00"),
        ("nse", "2026-07-13T07:00", "2026-07-14T07:00"),  # that moment itself is the next day's
        ("nse", "2026-01-25T20:00", "2026-01-27T07:00"),  # Republic Day
        ("nse", "2026-01-31T20:00", "2026-02-01T07:00"),  # a Sunday that trades
        ("always-open", "2026-07-11T23:59", "2026-07-12T00:00"),
        ("always-open", "2026-07-12T00:00", "2026-07-13T00:00"),
    ],
)
def test_a_session_ends_before_the_next_trading_day(
    hours: Literal["nse", "always-open"], login: str, logout: str
) -> None:
    end = session_end(Clock(hours, india(login)), WALL, LEAD)
    assert end.logout_at == india(logout)
    assert end.expires_at == WALL + min(SESSION_LIFETIME, india(logout) - india(login))


def test_a_clock_that_runs_faster_ends_it_sooner_by_the_wall() -> None:
    clock = Clock("always-open", india("2026-07-11T20:00"), speed=60)
    assert session_end(clock, WALL, LEAD).expires_at == WALL + timedelta(minutes=4)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 1)),
    st.sampled_from(["nse", "always-open"]),
    st.sampled_from([0.5, 1.0, 60.0, 3600.0]),
)
def test_no_session_lives_into_a_trading_day(
    login: datetime, hours: Literal["nse", "always-open"], speed: float
) -> None:
    clock = Clock(hours, login.replace(tzinfo=UTC), speed)
    end = session_end(clock, WALL, LEAD)
    assert WALL < end.expires_at <= WALL + SESSION_LIFETIME
    assert clock.business_at(end.expires_at) <= end.logout_at + timedelta(milliseconds=10)
    if hours == "nse":
        assert is_trading_day(end.logout_at.astimezone(INDIA).date())
