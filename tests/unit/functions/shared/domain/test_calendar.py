"""Trading days and hours, settlement days and dates, and the times of a session."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.calendar import (
    INDIA,
    Hours,
    Phase,
    closed_through,
    is_settlement_day,
    is_trading_day,
    market_status,
    previous_trading_day,
    settlement_date,
    square_off_time,
)
from functions.shared.domain.trading_days import HOLIDAYS, SETTLEMENT_ONLY_HOLIDAYS

DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
HOURS: st.SearchStrategy[Hours] = st.sampled_from(["nse", "always-open"])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("2026-07-10T08:59:59", Phase.CLOSED),
        ("2026-07-10T09:14:59", Phase.PRE_OPEN_MATCH),
        ("2026-07-10T09:15:00", Phase.OPEN),
        ("2026-07-10T15:29:59", Phase.OPEN),
        ("2026-07-10T15:30:00", Phase.CLOSED),
        ("2026-07-11T12:00:00", Phase.CLOSED),  # Saturday
        ("2026-01-26T12:00:00", Phase.CLOSED),  # Republic Day
        ("2026-02-01T12:00:00", Phase.OPEN),  # Budget Sunday
    ],
)
def test_nse_is_open_in_its_hours_on_its_days(moment: str, phase: Phase) -> None:
    assert market_status(at(moment), "nse").phase is phase


def test_the_trade_date_is_indias() -> None:
    late = datetime(2026, 7, 10, 19, 0, tzinfo=UTC)  # half past midnight in India
    assert market_status(late, "nse").trade_date == date(2026, 7, 11)


def test_always_open_closes_for_the_last_minute_of_each_day() -> None:
    assert market_status(at("2026-07-11T23:58:59"), "always-open").phase is Phase.OPEN
    assert market_status(at("2026-07-11T23:59:00"), "always-open").phase is Phase.CLOSED
    assert market_status(at("2026-07-12T00:00:00"), "always-open").phase is Phase.OPEN


def test_a_year_that_is_not_loaded_is_said_to_be_provisional() -> None:
    assert not market_status(at("2026-07-10T12:00:00"), "nse").provisional
    assert market_status(at("2027-07-12T12:00:00"), "nse").provisional


def test_no_holiday_falls_on_a_weekend() -> None:
    days = [date(2026, 1, 1).toordinal() + n for n in range(365)]
    trading = [d for d in map(date.fromordinal, days) if is_trading_day(d)]
    assert len(trading) == 261 - 16 + 1


@pytest.mark.parametrize(
    ("traded", "settles"),
    [
        (date(2026, 7, 9), date(2026, 7, 10)),
        (date(2026, 7, 10), date(2026, 7, 13)),  # over a weekend
        (date(2026, 2, 18), date(2026, 2, 20)),  # the 19th trades and doesn't settle
        (date(2026, 2, 19), date(2026, 2, 20)),
        (date(2026, 3, 18), date(2026, 3, 20)),
        (date(2026, 3, 31), date(2026, 4, 2)),  # a holiday's neighbour settles nothing either
        (date(2026, 8, 25), date(2026, 8, 27)),
        (date(2026, 1, 30), date(2026, 2, 2)),
        (date(2026, 2, 1), date(2026, 2, 2)),  # the Budget Sunday settles on Monday
        (date(2026, 11, 23), date(2026, 11, 25)),  # Guru Nanak Jayanti
    ],
)
def test_a_trade_settles_on_the_next_settlement_day(traded: date, settles: date) -> None:
    assert settlement_date(traded, "nse") == settles


@given(DAYS)
def test_always_open_settles_on_the_next_calendar_day(day: date) -> None:
    assert settlement_date(day, "always-open") == day + timedelta(days=1)
    assert previous_trading_day(day, "always-open") == day - timedelta(days=1)


@given(DAYS)
def test_no_settlement_day_lies_between_a_trade_and_its_settlement(day: date) -> None:
    settles = settlement_date(day, "nse")
    between = [day + timedelta(days=n) for n in range(1, (settles - day).days)]
    assert is_settlement_day(settles)
    assert not any(map(is_settlement_day, between))


@given(DAYS, DAYS, HOURS)
def test_an_earlier_trade_never_settles_later(one: date, other: date, hours: Hours) -> None:
    first, second = sorted((one, other))
    assert first < settlement_date(first, hours) <= settlement_date(second, hours)


@given(DAYS)
def test_the_previous_trading_day_is_the_nearest_one(day: date) -> None:
    previous = previous_trading_day(day, "nse")
    assert is_trading_day(previous)
    assert not any(
        is_trading_day(previous + timedelta(days=n)) for n in range(1, (day - previous).days)
    )


@given(DAYS)
def test_a_day_that_settles_trades_too(day: date) -> None:
    assert is_trading_day(day) or not is_settlement_day(day)


def test_settlement_only_holidays_are_trading_days() -> None:
    assert all(map(is_trading_day, SETTLEMENT_ONLY_HOLIDAYS))
    assert not SETTLEMENT_ONLY_HOLIDAYS & HOLIDAYS


@given(DAYS, HOURS)
def test_positions_are_squared_off_while_the_market_is_open(day: date, hours: Hours) -> None:
    moment = square_off_time(day, hours)
    status = market_status(moment, hours)
    assert status.trade_date == day
    assert moment.utcoffset() == timedelta(0)
    if hours == "always-open" or is_trading_day(day):
        assert status.phase is Phase.OPEN


def test_square_off_begins_at_ten_past_three() -> None:
    assert square_off_time(date(2026, 7, 10), "nse") == at("2026-07-10T15:10:00")
    assert square_off_time(date(2026, 7, 11), "always-open") == at("2026-07-11T23:49:00")


def test_a_day_before_the_first_row_has_no_square_off_time() -> None:
    with pytest.raises(LookupError):
        square_off_time(date(2024, 12, 31), "nse")


@pytest.mark.parametrize(
    ("moment", "hours", "past"),
    [
        ("2026-07-10T15:09:59", "nse", False),
        ("2026-07-10T15:10:00", "nse", True),
        ("2026-07-10T23:48:59", "always-open", False),
        ("2026-07-10T23:49:00", "always-open", True),
        ("2026-07-11T00:00:00", "always-open", False),
    ],
)
def test_the_status_says_when_intraday_orders_are_no_longer_taken(
    moment: str, hours: Hours, past: bool
) -> None:
    assert market_status(at(moment), hours).past_cut_off is past


@pytest.mark.parametrize(
    ("moment", "hours", "through"),
    [
        ("2026-07-10T15:59:59", "nse", date(2026, 7, 9)),  # the post-close session trades too
        ("2026-07-10T16:00:00", "nse", date(2026, 7, 10)),
        ("2026-07-11T16:00:00", "nse", date(2026, 7, 11)),
        ("2026-07-10T23:58:59", "always-open", date(2026, 7, 9)),
        ("2026-07-10T23:59:00", "always-open", date(2026, 7, 10)),
    ],
)
def test_a_day_is_over_at_its_last_close(moment: str, hours: Hours, through: date) -> None:
    assert closed_through(at(moment), hours) == through
