"""The sessions of a day follow the rule set of its date, and a clock that jumps misses none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.clock import IST
from infra.exchange.phases import Phase
from infra.exchange.schedule import Boundary, Schedule, SecurityClass

CAS, OTHER = SecurityClass.CLOSING_AUCTION, SecurityClass.OTHER


def ist(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def phase(text: str, kind: SecurityClass = OTHER, hours: str = "nse") -> Phase:
    return Schedule(hours, 1).in_force(ist(text)).phases[kind]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-07-31 08:59:59", Phase.CLOSED),
        ("2026-07-31 09:06:59", Phase.PRE_OPEN),
        ("2026-07-31 09:08:00", Phase.PRE_OPEN_MATCH),
        ("2026-07-31 09:15:00", Phase.CONTINUOUS),
        ("2026-07-31 15:29:59", Phase.CONTINUOUS),
        ("2026-07-31 15:30:00", Phase.CLOSED),
        ("2026-07-31 15:40:00", Phase.POST_CLOSE),
        ("2026-07-31 16:00:00", Phase.CLOSED),
        ("2026-09-07 09:05:00", Phase.PRE_OPEN_LIMIT),
        ("2026-09-07 09:10:00", Phase.PRE_OPEN_MATCH),
        ("2026-09-04 09:05:00", Phase.PRE_OPEN),
        ("2026-08-03 15:29:59", Phase.CONTINUOUS),
        ("2026-08-03 15:50:00", Phase.POST_CLOSE),
        ("2026-11-22 11:00:00", Phase.CLOSED),
        ("2026-11-24 11:00:00", Phase.CLOSED),
        ("2026-02-01 11:00:00", Phase.CONTINUOUS),
    ],
)
def test_a_share_without_derivatives_has_the_phases_of_its_date(at: str, expected: Phase) -> None:
    assert phase(at) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-07-31 15:20:00", Phase.CONTINUOUS),
        ("2026-08-03 15:14:59", Phase.CONTINUOUS),
        ("2026-08-03 15:15:00", Phase.CLOSING_REFERENCE),
        ("2026-08-03 15:20:00", Phase.CLOSING),
        ("2026-08-03 15:25:00", Phase.CLOSING_LIMIT),
        ("2026-08-03 15:30:00", Phase.CLOSING_MATCH),
        ("2026-08-03 15:35:00", Phase.CLOSED),
        ("2026-08-03 15:50:00", Phase.POST_CLOSE),
    ],
)
def test_a_share_with_derivatives_has_a_closing_auction_since_august(
    at: str, expected: Phase
) -> None:
    assert phase(at, CAS) is expected


def test_always_open_trades_continuously_until_23_59_each_day() -> None:
    assert phase("2026-11-22 00:00:00", hours="always-open") is Phase.CONTINUOUS
    assert phase("2026-11-22 23:58:59", hours="always-open") is Phase.CONTINUOUS
    assert phase("2026-11-22 23:59:00", hours="always-open") is Phase.CLOSED


def test_an_auction_ends_at_a_random_second_of_its_window_that_the_seed_decides() -> None:
    def end(seed: int) -> datetime:
        day = Schedule("nse", seed).day(ist("2026-11-23 00:00").date())
        return next(b.at for b in day if b.phases.get(CAS) is Phase.PRE_OPEN_MATCH)

    assert end(1) == end(1)
    ends = {end(seed) for seed in range(50)}
    assert len(ends) > 10
    assert all(ist("2026-11-23 09:08") <= at < ist("2026-11-23 09:10") for at in ends)


def passed(schedule: Schedule, instants: list[datetime]) -> list[Boundary]:
    """Walk from instant to instant, as a venue that looks at the clock then."""
    at, walked = instants[0], []
    for now in instants[1:]:
        while (boundary := schedule.next_after(at, now)) is not None:
            walked.append(boundary)
            at = boundary.at
    return walked


@given(
    st.lists(st.integers(0, 2 * 86_400 - 1), max_size=20), st.sampled_from(["nse", "always-open"])
)
def test_however_the_clock_jumps_each_boundary_is_passed_once_and_in_order(
    seconds: list[int], hours: str
) -> None:
    start = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
    last = start + timedelta(days=2, seconds=-1)
    ends = [start + timedelta(seconds=s) for s in sorted(seconds)] + [last]
    schedule = Schedule(hours, 3)
    once_a_day = passed(schedule, [start, start + timedelta(days=1), last])
    walked = passed(schedule, [start, *ends])
    assert [b.at for b in walked] == [b.at for b in once_a_day]


def test_days_that_the_clock_passed_over_are_left_out() -> None:
    walked = passed(Schedule("nse", 1), [ist("2026-11-18 16:30"), ist("2026-11-23 08:00")])
    assert [b.at for b in walked] == [ist("2026-11-23 00:00")]
    assert walked[0].new_day
