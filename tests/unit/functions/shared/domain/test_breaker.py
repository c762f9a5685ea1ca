"""The circuit breaker's table, and the levels that it is computed from."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.breaker import BREAKER_RULES, breaker_rules
from functions.shared.domain.calendar import INDIA

RULES = breaker_rules(date(2026, 11, 23))
CLOSE = 241_988_500  # 24,198.85
REST_OF_DAY = "rest of the day"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{text}+05:30")


@pytest.mark.parametrize(
    ("percent", "time", "expected"),
    [
        (10, "09:15:00", 45), (10, "12:59:59.999999", 45),
        (10, "13:00:00", 15), (10, "14:29:59", 15),
        (10, "14:30:00", None), (10, "15:29:59", None),
        (15, "09:15:00", 105), (15, "12:59:59", 105),
        (15, "13:00:00", 45), (15, "13:59:59", 45),
        (15, "14:00:00", REST_OF_DAY), (15, "15:29:59", REST_OF_DAY),
        (20, "09:15:00", REST_OF_DAY), (20, "13:30:00", REST_OF_DAY),
        (20, "15:29:59", REST_OF_DAY),
    ],
)  # fmt: skip
def test_each_cell_of_the_table(percent: int, time: str, expected: int | str | None) -> None:
    row = RULES.brought_about(percent, at(time))
    if expected is None:
        assert row is None
        return
    assert row is not None
    stop = REST_OF_DAY if row.stop is None else row.stop // timedelta(minutes=1)
    assert (stop, row.auction) == (expected, timedelta(minutes=15))


@pytest.mark.parametrize(
    ("percent", "points"), [(10, 16_887_500), (15, 25_331_000), (20, 33_774_500)]
)
def test_levels_in_points_are_those_that_nse_published_for_16887_35(
    percent: int, points: int
) -> None:
    assert RULES.points(168_873_500, percent) == points


@given(close=st.integers(1, 10**10), percent=st.sampled_from([10, 15, 20]), down=st.booleans())
def test_a_level_is_reached_at_its_points_in_either_direction_and_not_a_tick_before(
    close: int, percent: int, down: bool
) -> None:
    way = -1 if down else 1
    points = RULES.points(close, percent)
    exact = close * percent
    assert abs(points * 100 - exact) * 2 <= RULES.tick * 100
    if close + way * points > 0 and points > RULES.tick:
        assert RULES.reached(close + way * points, close) >= percent
        assert RULES.reached(close + way * (points - RULES.tick), close) < percent


def test_without_a_previous_close_no_level_is_reached() -> None:
    assert RULES.reached(CLOSE, 0) == RULES.reached(0, CLOSE) == 0


def test_the_rows_are_dated_and_before_them_nothing_is_guessed() -> None:
    assert breaker_rules(date(2013, 10, 1)) is BREAKER_RULES[0]
    with pytest.raises(LookupError):
        breaker_rules(date(2013, 9, 30))
    assert INDIA.key == "Asia/Kolkata"
