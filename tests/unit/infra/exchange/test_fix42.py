"""FIX 4.2 sessions: the same facts in the words of the older version."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange import amendments
from infra.exchange.fix42 import downgrade
from infra.exchange.order_port import encode, report_body
from infra.exchange.reports import Fields
from infra.exchange.sessions import FIX42, FIX44, Purpose, broker_sessions
from tests.unit.infra.exchange.broker import BUY, SELL, Desk

FIX = Path(__file__).parents[4] / "infra" / "fix"


def old(report: object) -> dict[int, str]:
    return dict(downgrade(*report_body(report)))  # type: ignore[arg-type]


def test_a_trade_and_its_bust_are_told_by_exectranstype() -> None:
    desk = Desk()
    desk.order("s", SELL, 10, 100.0)
    _, trade, _ = desk.order("b", BUY, 4, 100.0)
    fields = old(trade)
    assert (fields[20], fields[150], fields[39], fields[32]) == ("0", "1", "1", "4")
    assert not fields.keys() & {527, 851}
    amendments.bust(desk.floor, desk.register.trades[0], "")
    bust = old(desk.executions.drain()[0][0])
    assert (bust[20], bust[150], bust[19]) == ("1", "0", fields[17])
    assert old(desk.status("s"))[20] == "3"


def test_reasons_that_came_later_become_the_exchanges_option() -> None:
    desk = Desk()
    assert old(desk.order("bad", BUY, 10, 200.0)[0])[103] == "0"
    desk.order("a", BUY, 10, 99.0)
    desk.change("a-1", "a", 10, 50.0)
    assert old(desk.cancel("a-1", "a")[0])[102] == "2"


@pytest.mark.parametrize(("version", "name"), [(FIX44, "FIX44.xml"), (FIX42, "FIX42.xml")])
def test_every_tag_the_venue_sends_is_in_the_dictionary(version: str, name: str) -> None:
    desk = Desk()
    desk.order("s", SELL, 100, 100.0, display=10)
    desk.order("b", BUY, 4, 100.0)
    desk.order("b", BUY, 4, 100.0)
    desk.cancel("x", "nobody")
    amendments.correct(desk.floor, desk.register.trades[0], 1_010_000, 3, "text")
    desk.all += desk.executions.drain()[0]
    dictionary = (FIX / name).read_text()
    known = {int(number) for number in re.findall(r'<field number="(\d+)"', dictionary)}
    for report in desk.all:
        text = encode(version, *report_body(report))
        used = {int(field.split("=")[0]) for field in text.split("\x01") if field}
        assert used <= known


@given(st.lists(st.tuples(st.sampled_from([150, 39, 103, 378, 527, 58]), st.just("8")), max_size=6))
def test_a_downgrade_never_adds_but_one_tag(fields: Fields) -> None:
    whole: Fields = [(150, "F"), (39, "2"), *fields]
    kept = downgrade("8", whole)
    assert {tag for tag, _ in kept} <= {20, *(tag for tag, _ in whole)}


def test_sessions_are_named_by_what_they_are_for() -> None:
    names = [(s.name, s.version, s.purpose) for s in broker_sessions(2, 1, 1)]
    assert names == [
        ("OUTCRY-O1", FIX44, Purpose.ORDERS),
        ("OUTCRY-O2", FIX44, Purpose.ORDERS),
        ("OUTCRY-L1", FIX42, Purpose.ORDERS),
        ("OUTCRY-D1", FIX44, Purpose.DROP_COPY),
    ]
