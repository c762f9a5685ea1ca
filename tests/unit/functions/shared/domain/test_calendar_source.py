"""The calendar's rows beside what others have of NSE: the weekdays that pandas_market_calendars
(5.5.0, frozen here; read anew where it is installed) has closed, and the venue's own list."""

from datetime import UTC, date, time, timedelta

import pytest

from functions.shared.domain.calendar import (
    INDIA,
    continuous_trading,
    is_trading_day,
    square_off_time,
)
from functions.shared.domain.sessions import SecurityClass
from functions.shared.domain.trading_days import HOLIDAYS, LOADED_YEARS, SPECIAL_SESSIONS
from infra.exchange.schedule import Schedule, read_holidays

CLOSED_WEEKDAYS = frozenset(
    date(year, month, day)
    for year, days in {
        2025: (
            (2, 26), (3, 14), (3, 31), (4, 10), (4, 14), (4, 18), (5, 1), (8, 15), (8, 27), (10, 2),
            (10, 22), (11, 5), (12, 25),
        ),
        2026: (
            (1, 15), (1, 26), (3, 3), (3, 26), (3, 31), (4, 3), (4, 14), (5, 1), (5, 28), (6, 26),
            (9, 14), (10, 2), (10, 20), (11, 10), (11, 24), (12, 25),
        ),
    }.items()
    for month, day in days
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


def test_the_venue_keeps_the_same_days_and_hours() -> None:
    venue = read_holidays()
    assert {day for day, each in venue.items() if each.kind != "open"} == HOLIDAYS
    special = {day: each.hours for day, each in venue.items() if each.kind != "closed"}
    assert special == SPECIAL_SESSIONS


def test_venue_and_calendar_open_and_close_a_short_session_at_the_same_time() -> None:
    muhurat = date(2025, 10, 21)
    schedule = Schedule("nse", 1).day(muhurat)
    opened = continuous_trading(muhurat, "nse", SecurityClass.OTHER)
    changes = [each.at for each in schedule if each.phases and not each.new_day]
    assert opened is not None
    assert [each.astimezone(UTC) for each in changes] == list(opened)
    assert opened[0].astimezone(INDIA).time() == time(13, 45)
    assert square_off_time(muhurat, "nse") == opened[1] - timedelta(minutes=20)
