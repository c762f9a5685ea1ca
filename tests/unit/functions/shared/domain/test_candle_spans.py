"""Weeks out of days."""

from datetime import date, timedelta

from functions.shared.domain.candle_spans import DayBar, weeks_of


def test_days_make_weeks_from_monday_on_the_last_as_far_as_it_went() -> None:
    thursday = date(2026, 7, 9)
    days = [
        DayBar(thursday, 10, 15, 8, 12, 100),
        DayBar(thursday + timedelta(days=1), 12, 13, 7, 9, 50),
        DayBar(thursday + timedelta(days=5), 9, 20, 9, 19, 30),  # Tuesday; Monday was a holiday
    ]
    assert list(weeks_of(days)) == [
        DayBar(date(2026, 7, 6), 10, 15, 7, 9, 150),
        DayBar(date(2026, 7, 13), 9, 20, 9, 19, 30),
    ]
    assert list(weeks_of([])) == []
