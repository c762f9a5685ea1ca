"""The clock file of a home, and who may move it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from functions.shared.clock import ClockFile, wall_now
from infra.local.clock_file import ClockRefused, advance_clock, parse_span, read_clock, set_clock
from infra.local.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def test_a_new_home_is_always_open_from_now(home: Home) -> None:
    clock = set_clock(home, None)
    assert (clock.hours, clock.speed, clock.business) == ("always-open", 1.0, clock.wall)


def test_a_moved_clock_stays_moved_over_a_restart(home: Home) -> None:
    set_clock(home, None)
    advance_clock(home, timedelta(days=2))
    for choice in (None, "always-open", "speed=60"):
        clock = set_clock(home, choice)
        assert clock.at(wall_now()) - wall_now() > timedelta(days=1, hours=23)


def test_a_clock_ahead_can_not_become_the_real_one(home: Home) -> None:
    set_clock(home, "real")
    advance_clock(home, timedelta(hours=1))
    with pytest.raises(ClockRefused, match="can't go back"):
        set_clock(home, "real")


def test_a_clock_file_that_turns_time_back_is_refused(home: Home, tmp_path: Path) -> None:
    set_clock(home, None)
    past = datetime(2020, 1, 1, tzinfo=UTC)
    file = tmp_path / "past.json"
    file.write_bytes(msgspec.json.encode(ClockFile(wall=wall_now(), business=past)))
    with pytest.raises(ClockRefused, match="back"):
        set_clock(home, str(file))


def test_advancing_keeps_the_hours_and_the_speed(home: Home) -> None:
    set_clock(home, "speed=10")
    advance_clock(home, timedelta(days=1))
    clock = read_clock(home)
    assert clock is not None
    assert clock.speed == 10


@pytest.mark.parametrize("choice", ["speed=0", "speed=-1", "speed=x", "speed=1e9", "no-such-file"])
def test_a_setting_that_is_none_is_refused(home: Home, choice: str) -> None:
    with pytest.raises(ClockRefused):
        set_clock(home, choice)


def test_spans_are_days_hours_and_minutes() -> None:
    assert parse_span("1d12h30m") == timedelta(days=1, hours=12, minutes=30)
    assert parse_span("2h") == timedelta(hours=2)


@pytest.mark.parametrize("text", ["", "1", "1h1d", "-1d", "1s", "99999d"])
def test_another_text_is_no_span(text: str) -> None:
    with pytest.raises(ClockRefused):
        parse_span(text)
