"""The business clock: a file moves it, and a broken file stops the process by name."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.clock import (
    FileClock,
    RealClock,
    from_micros,
    micros,
    open_clock,
    trade_date,
)
from functions.shared.settings import SettingsError

WALL = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)


def write(path: Path, business: str, speed: float = 1.0) -> None:
    text = (
        f'{{"version": 1, "hours": "always-open", "wall": "2026-07-10T06:30:00Z",'
        f' "business": "{business}", "speed": {speed}}}'
    )
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


class Ticks:
    """A monotonic clock and a wall clock in a test's hands."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return WALL + timedelta(seconds=self.seconds)


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def test_business_time_runs_from_where_the_file_says(tmp_path: Path, ticks: Ticks) -> None:
    path = tmp_path / "clock.json"
    write(path, "2030-01-01T00:00:00Z", speed=60)
    clock = FileClock(path, ticks.wall, ticks.monotonic)
    ticks.seconds = 2
    assert clock.now() == datetime(2030, 1, 1, 0, 2, tzinfo=UTC)
    assert clock.hours == "always-open"


def test_a_moved_clock_is_seen_within_200_ms(tmp_path: Path, ticks: Ticks) -> None:
    path = tmp_path / "clock.json"
    write(path, "2030-01-01T00:00:00Z")
    clock = FileClock(path, ticks.wall, ticks.monotonic)
    assert clock.now().year == 2030
    write(path, "2031-01-01T00:00:00Z")
    ticks.seconds = 0.1
    assert clock.now().year == 2030  # the file is not looked at before each answer
    ticks.seconds = 0.3
    assert clock.now().year == 2031


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"version": 2}'])
def test_a_broken_clock_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="OUTCRY_CLOCK"):
        FileClock(path)


def test_the_setting_names_a_clock() -> None:
    assert isinstance(open_clock("real"), RealClock)
    for setting in ("", "fake", "http://x", "file:///nowhere/clock.json"):
        with pytest.raises(SettingsError, match="OUTCRY_CLOCK"):
            open_clock(setting)


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact_both_ways(moment: datetime) -> None:
    assert from_micros(micros(moment)) == moment


def test_a_trade_date_is_the_day_in_india() -> None:
    assert trade_date(datetime(2026, 7, 10, 18, 29, tzinfo=UTC)) == date(2026, 7, 10)
    assert trade_date(datetime(2026, 7, 10, 18, 30, tzinfo=UTC)) == date(2026, 7, 11)
