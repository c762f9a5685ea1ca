"""What a curve expects of a window is what the window cuts out of the day."""

from datetime import date, datetime, time, timedelta

import pytest

from functions.shared.domain.calendar import INDIA
from functions.shared.domain.volume_curve import VolumeCurve

CURVE = VolumeCurve(time(9, 15), 15, [300, 150, 90], "assumed", date(2026, 1, 1))
OPENS = datetime(2026, 7, 10, 9, 15, tzinfo=INDIA)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 45, 540), (0, 15, 300), (10, 20, 150), (-30, 0, 0), (45, 400, 0), (15, 15, 0)],
)
def test_a_window_takes_its_part_of_each_bucket(start: int, end: int, expected: int) -> None:
    minutes = (timedelta(minutes=start), timedelta(minutes=end))
    assert CURVE.expected(OPENS + minutes[0], OPENS + minutes[1]) == expected


def test_a_plan_says_what_it_goes_by() -> None:
    assert CURVE.name == "assumed (since 2026-01-01)"
