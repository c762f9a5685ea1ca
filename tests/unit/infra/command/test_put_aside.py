"""A report that was put aside says what it is, as far as it can be read."""

import pytest

from infra.command.orders_app import put_aside_lines
from infra.command.put_aside import PutAside, unread_because
from tests.unit.edge.gateway.test_translate import REPORT


def put_aside(fields: dict[int, str]) -> PutAside:
    raw = "".join(f"{tag}={value}\x01" for tag, value in fields.items())
    return PutAside(("5-0", "9-0"), "OUTCRY-O1", 17, raw.encode())


@pytest.mark.parametrize(
    ("changes", "trade"),
    [
        ({}, True),
        ({150: "H", 19: "R1"}, True),
        ({150: "4"}, False),
        ({35: "9"}, False),
        ({8: "FIX.4.2", 20: "0", 150: "2"}, True),
        ({8: "FIX.4.2", 20: "1", 150: "4"}, True),
        ({8: "FIX.4.2", 20: "0", 150: "0"}, False),
        ({8: "FIX.4.2", 20: "3", 150: "2"}, False),  # a status
    ],
)
def test_a_trade_is_told_from_what_moves_no_money(changes: dict[int, str], trade: bool) -> None:
    assert put_aside(REPORT | changes).is_trade is trade


def test_each_is_told_with_what_ends_it() -> None:
    readable, foreign = put_aside(REPORT), put_aside(REPORT | {11: "desk-1"})
    acknowledged = put_aside(REPORT | {11: "desk-1", 150: "0"})
    garbled = PutAside(("7-0",), "OUTCRY-O1", 0, b"\xff\x01=8\x01nothing")
    assert unread_because(readable) is None
    lines = [line.text() for line in put_aside_lines([readable, foreign, acknowledged, garbled])]
    assert "`outcry orders replay 5-0`" in lines[0]
    assert "ExecID 'R9-4' side 2 4 M&M at 2950.55" in lines[1]
    assert "'desk-1' is not a ClOrdID of ours" in lines[1]
    assert "agree with the exchange whose trade it is" in lines[1]
    assert "no trade" in lines[2]
    assert "`outcry orders settle 7-0 --note ...`" in lines[3]
