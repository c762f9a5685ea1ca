"""Trading days and hours."""

from datetime import UTC, date, datetime

import pytest

from functions.shared.domain.calendar import INDIA, Phase, is_trading_day, market_status


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("2026-07-10T09:14:59", Phase.CLOSED),
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
