from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tui.client.market_status import MarketStatus
from tui.state.market import MarketClock, read_clock

START = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
HERE = datetime(2026, 7, 10, 6, 45, tzinfo=UTC)
"""The terminal's own clock, which need not be right."""


def _read(known: MarketClock | None, wall_s: float, business_s: float) -> MarketClock:
    status = MarketStatus(
        phase="OPEN",
        trade_date=date(2026, 7, 10),
        time=START + timedelta(seconds=business_s),
        wall_time=START + timedelta(seconds=wall_s),
    )
    return read_clock(known, status, HERE + timedelta(seconds=wall_s))


def _shown(clock: MarketClock, wall_s: float) -> float:
    return (clock.at(HERE + timedelta(seconds=wall_s)) - START).total_seconds()


@given(st.floats(0.01, 100_000))
def test_the_clock_runs_at_its_own_speed_once_two_readings_agree(speed: float) -> None:
    clock = _read(_read(_read(None, 0, 0), 1, speed), 2, 2 * speed)

    assert clock.is_steady
    assert abs(_shown(clock, 12) - 12 * speed) <= 1e-4 * speed + 1e-3


def test_a_clock_moved_by_hand_jumps_and_then_runs_on_as_before() -> None:
    day = 86_400.0
    steady = _read(_read(_read(None, 0, 0), 1, 1), 2, 2)
    moved = _read(steady, 3, day + 3)

    assert not moved.is_steady
    assert _shown(moved, 4) == day + 4
    after = _read(moved, 4, day + 4)
    assert _shown(after, 5) == day + 5
    assert after.is_steady


def test_a_reading_that_another_worker_made_earlier_changes_no_speed() -> None:
    steady = _read(_read(_read(None, 0, 0), 1, 60), 2, 120)

    assert _read(steady, 2, 120).speed == steady.speed
    assert _read(steady, 1.9, 114).speed == steady.speed
