"""A market file is read as a whole or refused by its line, and each event happens once."""

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.actions import ActionError, MovePrice, Target, parse_span, read_action
from infra.exchange.clock import Reading
from infra.exchange.director import Director
from infra.exchange.engine import Engine
from infra.exchange.executions import Executions
from infra.exchange.floor import Floor
from infra.exchange.instruments import read_listing
from infra.exchange.market_file import MarketFile, MarketFileError, read_market_file
from infra.exchange.notices import ListingNotice, Notice, StatusNotice
from infra.exchange.phases import Phase
from infra.exchange.register import Register
from infra.exchange.schedule import Schedule
from infra.exchange.timekeeper import Timekeeper
from infra.exchange.trading_day import TradingDay
from tests.unit.infra.exchange.broker import RUPEE, ist

START = ist("2026-11-23 12:00", "always-open")
NEW = {"do": "list", "symbol": "NEWCO", "name": "New Company", "price": "250.00", "tick": "0.05"}


def write(folder: Path, *events: dict[str, Any]) -> MarketFile:
    path = folder / "market.jsonl"
    path.write_text("# a comment\n\n" + "".join(json.dumps(event) + "\n" for event in events))
    return read_market_file(path)


class Stage:
    """A venue without sessions that plays a file."""

    def __init__(self, file: MarketFile | None, state: dict[str, Any] | None = None) -> None:
        listing = read_listing()
        self.executions = Executions(Register())
        self.floor = Floor(listing, self.executions)
        if state:
            self.floor.restore(state)
        self.engine = Engine(self.floor, self.executions)
        self.day = TradingDay(listing, self.floor, self.engine, rate=100, seed=1)
        self.director = Director(self.floor, self.day, file)
        self.time = Timekeeper(self.floor, Schedule("always-open", 1))
        if state:
            self.director.restore(state["director"])
            self.time.restore(state["time"])
        self.time.script = self.director

    def advance(self, reading: Reading) -> list[Notice]:
        self.time.advance(reading)
        self.director.move(reading.now)
        return self.executions.drain_notices()

    def after(self, seconds: int) -> list[Notice]:
        return self.advance(Reading(START.now + timedelta(seconds=seconds), "always-open"))

    def state(self) -> dict[str, Any]:
        state = self.floor.state()
        state |= {"director": self.director.state(), "time": self.time.state()}
        copied: dict[str, Any] = json.loads(json.dumps(state))
        return copied

    def fair(self, symbol: str) -> float:
        return self.day.market.fair_values[self.day.symbols.index(symbol)]


def test_events_happen_at_their_times_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    stage = Stage(
        write(
            tmp_path,
            {"at": "+60s", "do": "lift", "symbol": "TCS"},
            {"at": "2026-11-23T12:00:30+05:30", "do": "halt", "symbol": "TCS", "auction": "0s"},
        )
    )
    stage.advance(START)
    stage.after(29)
    assert stage.floor.boards["TCS"].phase is Phase.CONTINUOUS
    stage.after(30)
    assert stage.floor.boards["TCS"].phase is Phase.HALTED
    stage.after(60)
    assert stage.floor.boards["TCS"].phase is Phase.CONTINUOUS
    assert stage.director.failed == 0


def test_a_jump_over_all_events_does_each_at_its_own_time(tmp_path: Path) -> None:
    halt = {"do": "halt", "symbol": "TCS", "auction": "0s", "for": "10s"}
    stage = Stage(
        write(tmp_path, {"at": "+30s"} | halt, {"at": "+60s"} | halt, {"at": "+61s"} | NEW)
    )
    stage.advance(START)
    notices = stage.after(7200)
    times = [n.at[9:17] for n in notices if isinstance(n, StatusNotice) and n.symbol == "TCS"]
    assert times == ["06:30:30", "06:30:40", "06:31:00", "06:31:10"]
    assert any(isinstance(n, ListingNotice) for n in notices)


def test_what_was_played_before_a_kill_is_not_played_again(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"at": "+10s"} | NEW,
        {"at": "+20s", "do": "halt", "symbol": "NEWCO"},
        {"at": "+10s", "do": "price", "symbol": "TCS", "to": "+10%", "over": "100s"},
    )
    stage = Stage(file)
    stage.advance(START)
    before = stage.fair("TCS")
    stage.after(15)
    again = Stage(file, stage.state())
    again.after(16)
    assert again.floor.boards["NEWCO"].phase is Phase.CONTINUOUS
    again.after(20)
    assert again.floor.boards["NEWCO"].phase is Phase.HALTED
    again.after(60)
    assert again.fair("TCS") == pytest.approx(before * 1.05)
    again.after(200)
    assert again.fair("TCS") == pytest.approx(before * 1.1)
    assert again.director.failed == 0


def test_an_index_move_moves_every_share_and_the_breaker_halts_the_market(tmp_path: Path) -> None:
    stage = Stage(write(tmp_path, {"at": "+1s", "do": "index", "to": "-11%", "over": "10s"}))
    stage.advance(START)
    level = stage.day.market.index_level()
    stage.after(11)
    assert stage.day.market.index_level() == pytest.approx(level * 0.89, rel=1e-4)
    stage.day.advance(1.0)
    for _ in range(20):
        stage.day.work()
        stage.day.advance(1.0)
    assert stage.floor.boards["TCS"].phase is Phase.HALTED


def test_an_event_that_does_not_fit_is_counted_and_passed_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(
        write(tmp_path, {"at": "+1s", "do": "bust", "last_of": "TCS"}, {"at": "+1s"} | NEW)
    )
    stage.advance(START)
    stage.after(1)
    assert stage.director.failed == 1
    assert "line 3: no client traded TCS" in capsys.readouterr().err
    assert "NEWCO" in stage.floor.boards


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2"),
        ("[]", "a line is a JSON object"),
        ('{"do": "lift"}', "'at' is missing"),
        ('{"at": "10:00", "do": "lift"}', "needs a UTC offset|neither an instant"),
        ('{"at": "2026-11-23T10:00:00", "do": "lift"}', "needs a UTC offset"),
        ('{"at": "+1x", "do": "lift"}', "is not a span"),
        ('{"at": "+1s", "do": "dance"}', "'do' is one of band, bust"),
        ('{"at": "+1s", "do": "lift", "sybmol": "TCS"}', "unknown field 'sybmol'"),
        ('{"at": "+1s", "do": "price", "symbol": "TCS"}', "'to'"),
        ('{"at": "+1s", "do": "price", "symbol": "TCS", "to": "-100%"}', "leaves nothing"),
        ('{"at": "+1s", "do": "price", "symbol": "TCS", "to": "-5"}', "above 0"),
        ('{"at": "+1s", "do": "phase", "phase": "HALTED"}', "'phase' is one of"),
        ('{"at": "+1s", "do": "band", "symbol": "A", "low": "2", "high": "1"}', "below 'high'"),
        ('{"at": "+1s", "do": "bust"}', "either 'exec_id' or 'last_of'"),
        ('{"at": "+1s", "do": "lift", "symbol": "A", "symbol": "B"}', "given twice"),
        ('{"at": "+1s", "do": "late_trade", "order": "1", "quantity": 1.5, "price": "1"}', "whole"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "market.jsonl"
    path.write_text('{"at": "+1s", "do": "lift"}\n' + line + "\n")
    with pytest.raises(MarketFileError, match=words) as caught:
        read_market_file(path)
    assert "line 2" in str(caught.value)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match="No such file"):
        read_market_file(tmp_path / "nothing")


def test_targets_are_absolute_or_relative() -> None:
    action = read_action({"do": "price", "symbol": "TCS", "to": "-2.5%", "over": "1h"})
    assert action == MovePrice("TCS", Target(change_ppm=-25_000), 3600)
    assert Target(change_ppm=-25_000).of(1000.0) == 975.0
    assert Target(price=12 * RUPEE).of(1.0) == 12 * RUPEE


@given(st.integers(0, 9), st.integers(0, 59), st.integers(0, 59))
def test_a_span_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    assert parse_span(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(["do", "symbol", "to", "for", "exec_id", "x"]), ANY))
def test_whatever_is_no_action_is_refused_in_words(raw: dict[str, object]) -> None:
    with contextlib.suppress(ActionError):
        read_action(raw)
