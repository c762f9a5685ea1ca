"""FIX 4.2 as 4.4 has it, by the venue's own way back."""

import pytest

from edge.gateway import fix42, translate
from edge.gateway.venue_sessions import FIX42, FIX44, order_sessions
from functions.shared.settings import SettingsError
from infra.exchange.fix42 import downgrade
from tests.unit.edge.gateway.test_translate import REPORT


@pytest.mark.parametrize("exec_type", ["0", "4", "5", "8", "C", "F", "G", "H", "I"])
def test_a_report_of_the_venue_in_42_is_read_as_the_one_it_was_in_44(exec_type: str) -> None:
    report = REPORT | {150: exec_type}
    body = [(tag, text) for tag, text in report.items() if tag not in {34, 35}]
    sent = {8: FIX42, 35: "8", 34: "17"} | dict(downgrade("8", body))
    told = fix42.incoming(sent)
    assert told[150] == exec_type
    if exec_type == "F":
        assert translate.execution_of("OUTCRY-L1", told) == translate.execution_of(
            "OUTCRY-L1", report
        )


def test_what_is_not_42_stays_as_it_is() -> None:
    for message in ({8: FIX44, 35: "8", 150: "1"}, {8: FIX42, 35: "9", 20: "1"}):
        assert fix42.incoming(message) == message


def test_orders_and_changes_say_how_they_are_handled_and_cancels_dont() -> None:
    assert fix42.outgoing([(35, "D"), (11, "1")]) == [(35, "D"), (11, "1"), (21, "1")]
    assert fix42.outgoing([(35, "F"), (11, "1")]) == [(35, "F"), (11, "1")]


def test_sessions_are_named_with_their_version() -> None:
    assert [s.name for s in order_sessions(2)] == ["OUTCRY-O1", "OUTCRY-O2"]
    told = order_sessions(2, ["OUTCRY-O1", "OUTCRY-L1:FIX.4.2:tls"])
    assert told == (("OUTCRY-O1", FIX44, False), ("OUTCRY-L1", FIX42, True))
    for wrong in (["A"], ["A", "A"], ["A", "B:FIX.5.0"], ["A", ""], ["A", "B:FIX.4.2:ssl"]):
        with pytest.raises(SettingsError):
            order_sessions(2, wrong)
