"""The business clock moves as its file says, and the hours are those of the market."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.exchange.clock import BusinessClock, ClockError

WALL = datetime(2026, 11, 23, 6, tzinfo=UTC)


class Times:
    """Wall and monotonic time that the test moves."""

    def __init__(self) -> None:
        self.s = 0.0

    def wall(self) -> datetime:
        return WALL + timedelta(seconds=self.s)

    def monotonic(self) -> float:
        return self.s


def write(path: Path, business: str, hours: str = "nse", speed: float = 1.0) -> None:
    setting = {"version": 1, "hours": hours, "wall": WALL.isoformat(), "business": business}
    path.write_text(json.dumps(setting | {"speed": speed}))


def clock_at(path: Path, times: Times) -> BusinessClock:
    return BusinessClock(path, wall=times.wall, monotonic=times.monotonic)


def test_business_time_runs_at_its_speed(tmp_path: Path) -> None:
    path, times = tmp_path / "clock", Times()
    write(path, "2026-11-23T04:00:00Z", speed=60.0)
    clock = clock_at(path, times)
    times.s = 10
    assert clock.read().now == datetime(2026, 11, 23, 4, 10, tzinfo=UTC)


def test_the_hours_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    write(path, "2026-11-23T04:00:00Z", "always-open")
    assert clock_at(path, Times()).read().hours == "always-open"


def test_a_changed_file_is_seen_after_at_most_200_ms(tmp_path: Path) -> None:
    path, times = tmp_path / "clock", Times()
    write(path, "2026-11-23T04:00:00Z")
    clock = clock_at(path, times)
    fresh = tmp_path / "fresh"
    write(fresh, "2026-11-25T04:00:00Z")
    fresh.replace(path)
    times.s = 0.1
    assert clock.read().now.day == 23
    times.s = 0.2
    assert clock.read().now.day == 25


def test_a_file_that_broke_keeps_the_last_good_setting_and_is_counted(tmp_path: Path) -> None:
    path, times = tmp_path / "clock", Times()
    write(path, "2026-11-23T04:00:00Z")
    clock = clock_at(path, times)
    path.unlink()
    times.s = 1.0
    assert clock.read().now.day == 23
    assert clock.errors == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2, "hours": "nse"}'])
def test_a_bad_file_at_the_start_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clock"
    path.write_text(text)
    with pytest.raises(ClockError):
        BusinessClock(path)
