"""Twenty days of minutes become one day's curve: which days count, and what they weigh."""

import itertools
from datetime import date, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.calendar import Hours, is_trading_day
from functions.shared.domain.sessions import SecurityClass
from functions.shared.domain.slicing import apportion
from functions.shared.domain.volume_history import (
    Session,
    average_day,
    recorded_whole,
    session_of,
    sessions_like,
)

AUCTION, OTHER = SecurityClass.CLOSING_AUCTION, SecurityClass.OTHER
DAYS = 20


def like(day: date, hours: Hours = "nse", security: SecurityClass = OTHER) -> list[Session]:
    today = session_of(day, hours, security)
    assert today is not None
    return sessions_like(today, hours, security, DAYS)


def whole(sessions: list[Session]) -> set[int]:
    return {each.first + n for each in sessions for n in range(each.minutes)}


def test_a_session_is_its_continuous_trading_and_a_holiday_has_none() -> None:
    session = session_of(date(2026, 11, 23), "nse", OTHER)
    assert session is not None
    assert (session.begins, session.minutes) == (time(9, 15), 375)
    auction = session_of(date(2026, 11, 23), "nse", AUCTION)
    assert auction is not None
    assert auction.minutes == 360  # the last prices of the day are made in the closing auction
    assert session_of(date(2026, 11, 24), "nse", OTHER) is None
    assert session_of(date(2026, 11, 22), "nse", OTHER) is None
    always = session_of(date(2026, 11, 22), "always-open", OTHER)
    assert always is not None
    assert (always.begins, always.minutes) == (time(0, 0), 1_439)


def test_the_days_before_are_trading_days_newest_first_over_holidays_and_weekends() -> None:
    days = [each.day for each in like(date(2026, 11, 23))]
    assert days[:2] == [date(2026, 11, 20), date(2026, 11, 19)]
    assert date(2026, 11, 10) not in days  # a holiday
    assert all(is_trading_day(day) for day in days)
    assert days == sorted(days, reverse=True)
    assert len(days) == 2 * DAYS
    open_days = [each.day for each in like(date(2026, 11, 23), "always-open")]
    assert open_days == [date(2026, 11, 23) - timedelta(days=n) for n in range(1, 2 * DAYS + 1)]


def test_days_of_longer_hours_are_cut_to_todays_and_shorter_ones_are_left_out() -> None:
    """The closing auction, since 3 August, took a quarter of an hour from continuous trading."""
    before = like(date(2026, 8, 3), security=AUCTION)
    assert {(each.begins, each.minutes) for each in before} == {(time(9, 15), 360)}
    assert len(before) == 2 * DAYS
    longer = session_of(date(2026, 7, 31), "nse", AUCTION)
    assert longer is not None
    assert longer.minutes == 375
    later = Session(date(2026, 8, 5), longer.first + 5 * 1_440, 375)
    days = [each.day for each in sessions_like(later, "nse", AUCTION, DAYS)]
    assert days[0] == date(2026, 7, 31)


def test_a_day_that_was_not_recorded_or_was_cut_short_is_passed_over() -> None:
    sessions = like(date(2026, 11, 23))
    recorded = whole(sessions)
    half, away, enough = sessions[0], sessions[3], sessions[5]
    recorded -= {half.first + n for n in range(200, 375)}
    recorded -= {away.first + n for n in range(375)}
    recorded -= {enough.first + n for n in range(100, 137)}  # a tenth, all but
    chosen = recorded_whole(sessions, recorded, DAYS)
    assert len(chosen) == DAYS
    assert half not in chosen
    assert away not in chosen
    assert enough in chosen
    assert chosen == [each for each in sessions if each not in (half, away)][:DAYS]


def test_each_day_weighs_the_same_however_much_was_traded() -> None:
    sessions = [Session(date(2026, 1, n), n * 1_440, 4) for n in (3, 2, 1)]
    quiet, busy = {1_440: 10, 1_441: 30}, {2_880: 3_000, 2_883: 1_000}
    average = average_day(sessions, quiet | busy)  # nobody traded on the third
    assert average.days == (date(2026, 1, 1), date(2026, 1, 2))
    assert sum(average.volumes) == (40 + 4_000) // 2
    assert average.volumes == (1_010, 758, 0, 252)


def test_a_symbol_without_a_trade_has_no_average() -> None:
    assert average_day(like(date(2026, 11, 23)), {}).days == ()
    assert average_day([], {5: 1}).volumes == ()


VOLUMES = st.dictionaries(st.integers(0, 5 * 30 - 1), st.integers(1, 10**9), max_size=80)


@given(VOLUMES, st.integers(1, 500), st.integers(1, 30))
def test_a_curve_only_rises_from_nothing_to_the_day_and_shares_a_quantity_to_the_last_share(
    volumes: dict[int, int], lots: int, slices: int
) -> None:
    sessions = [Session(date(2026, 1, n + 1), n * 30, 30) for n in range(5)]
    average = average_day(sessions, volumes)
    traded = {at // 30 for at in volumes}
    assert len(average.days) == len(traded)
    if not traded:
        return
    assert len(average.volumes) == 30
    assert min(average.volumes) >= 0
    assert abs(sum(average.volumes) * len(traded) - sum(volumes.values())) <= len(traded)
    cuts = [30 * n // slices for n in range(slices + 1)]
    weights = [sum(average.volumes[a:b]) for a, b in itertools.pairwise(cuts)]
    parts = apportion(lots * 25, weights, 25)
    assert sum(parts) == lots * 25
    assert min(parts) >= 0
