"""The calendar's rows beside what others have of NSE: the weekdays that pandas_market_calendars
(5.5.0, frozen here; read anew where it is installed) has closed, and the venue's own list."""

from datetime import date, timedelta

import pytest

from functions.shared.domain.calendar import (
    HOLIDAYS,
    LOADED_YEARS,
    SPECIAL_SESSIONS,
    is_trading_day,
)
from infra.exchange.schedule import read_holidays

CLOSED_WEEKDAYS = frozenset(
    date(2026, month, day)
    for month, day in (
        (1, 15), (1, 26), (3, 3), (3, 26), (3, 31), (4, 3), (4, 14), (5, 1), (5, 28), (6, 26),
        (9, 14), (10, 2), (10, 20), (11, 10), (11, 24), (12, 25),
    )
)  # fmt: skip


def weekdays() -> list[date]:
    """Every weekday of the loaded years."""
    first, last = date(min(LOADED_YEARS), 1, 1), date(max(LOADED_YEARS), 12, 31)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def test_the_closed_weekdays_are_those_that_were_frozen() -> None:
    assert {day for day in weekdays() if not is_trading_day(day)} == CLOSED_WEEKDAYS


def test_the_frozen_days_are_what_the_library_says() -> None:
    library = pytest.importorskip("pandas_market_calendars")
    days = weekdays()
    schedule = library.get_calendar("NSE").schedule(days[0].isoformat(), days[-1].isoformat())
    assert set(days) - {moment.date() for moment in schedule.index} == CLOSED_WEEKDAYS


def test_the_venue_keeps_the_same_days() -> None:
    venue = read_holidays()
    assert {day for day, kind in venue.items() if kind == "closed"} == HOLIDAYS
    assert {day for day, kind in venue.items() if kind == "open"} == SPECIAL_SESSIONS
