"""`outcry clock`: both clocks, told apart."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from functions.shared.clock import ClockFile, wall_now
from infra.command.clock import Clocks, read_clocks, show
from infra.command.exits import REFUSED, Failure
from infra.local.home import Home


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("OUTCRY_HOME", str(tmp_path))
    made = Home(tmp_path)
    made.create()
    return made


def test_the_business_time_is_shown_beside_the_wall_time(
    place: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    wall = wall_now()
    clock = ClockFile(hours="always-open", wall=wall, business=wall + timedelta(days=3))
    place.write(place.clock, json.dumps({
        "hours": clock.hours, "wall": wall.isoformat(), "business": clock.business.isoformat(),
    }).encode())  # fmt: skip
    show(json_=True)
    told = json.loads(capsys.readouterr().out)
    business, shown_wall = (
        datetime.fromisoformat(told[name]) for name in ("business_time", "wall_time")
    )
    assert business - shown_wall == timedelta(days=3)
    assert told["hours"] == "always-open"


def test_a_person_reads_indias_time() -> None:
    clocks = Clocks(
        business_time=datetime.fromisoformat("2026-07-10T06:30:00Z"),
        wall_time=datetime.fromisoformat("2026-07-01T18:45:00Z"),
        hours="nse", speed=60.0, trade_date="2026-07-10", phase="OPEN",
    )  # fmt: skip
    assert clocks.text() == (
        "business 2026-07-10 12:00:00+05:30  wall 2026-07-02 00:15:00+05:30"
        "  nse OPEN, 60 times as fast"
    )


def test_a_home_without_a_clock_says_how_to_get_one(place: Home) -> None:
    with pytest.raises(Failure, match="outcry up") as ended:
        read_clocks(place)
    assert ended.value.code == REFUSED
