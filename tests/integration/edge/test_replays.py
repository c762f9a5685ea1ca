"""What a session's layer may lose, the checkpoint asks for again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.ports import free_ports
from tests.support.eventually import wait_until
from tests.support.gateway_process import GatewayProcess
from tests.support.paper_ledger import PaperApplier, PaperLedger
from tests.support.scripted_venue import Connection, ScriptedVenue
from tests.support.valkey import ValkeyUnderTest, valkey_server
from tests.unit.edge.gateway.test_translate import REPORT

LOGON = {98: "0", 108: "10"}


@pytest.fixture(scope="module")
def streams() -> Iterator[ValkeyUnderTest]:
    with valkey_server(durable=True) as server:
        yield server


def fill(number: int) -> dict[int, str]:
    """The report that bears a MsgSeqNum, as an ExecutionReport's body."""
    body = {tag: text for tag, text in REPORT.items() if tag not in {34, 35, 58}}
    return body | {17: f"20260710-{number}"}


def test_a_venue_that_begins_its_numbers_anew_is_asked_for_all_of_them(
    tmp_path: Path, streams: ValkeyUnderTest
) -> None:
    venue = ScriptedVenue(broker="OUTCRY-O1")
    gateway = GatewayProcess(
        tmp_path, streams.url, venue.port, free_ports(1)[0], ORDER_SESSIONS="1"
    )
    ledger = PaperLedger(gateway.ledger)
    applier = PaperApplier(streams.url, gateway.ledger)
    gateway.start()
    try:
        first = venue.accept()
        first.wait_for("A")
        first.send("A", 1, LOGON)
        tell(first, 2, 5)
        wait_until(lambda: ledger.through("OUTCRY-O1") == 5)
        first.close()

        # Its store is lost: the logon's number is one that the engine has had, and ends on.
        lost = venue.accept()
        lost.wait_for("A")
        lost.send("A", 1, LOGON)
        lost.wait_for("5")
        lost.close()
        again = venue.accept()
        again.wait_for("A")
        again.send("A", 1, LOGON)
        tell(again, 2, 4)
        wait_until(lambda: ledger.through("OUTCRY-O1#2") == 4)
        again.close()

        # It says so itself (ResetSeqNumFlag): the engine follows, and we ask from the first.
        said = venue.accept()
        said.wait_for("A")
        said.send("A", 1, {**LOGON, 141: "Y"})
        said.wait_for("5")
        said.send("5", 2, {})
        said.close()
        then = venue.accept()
        then.wait_for("A")
        then.send("A", 3, LOGON)
        assert then.wait_for("2")[7] == "1"
        then.send("4", 1, {123: "Y", 36: "3"}, again=True)
        tell(then, 4, 4)
        wait_until(lambda: ledger.through("OUTCRY-O1#3") == 4)
        assert len(ledger.fills()) == 4
        assert ledger.through("OUTCRY-O1") == 5
    finally:
        gateway.kill()
        applier.close()
        venue.close()


def tell(connection: Connection, first: int, last: int) -> None:
    for number in range(first, last + 1):
        connection.send("8", number, fill(number), again=True)


def test_a_logout_in_the_middle_of_a_replay_loses_no_report(
    tmp_path: Path, streams: ValkeyUnderTest
) -> None:
    # QuickFIX 1.16 counts a Logout that comes too early as the message it waits for
    # (Session::nextLogout), and never asks for that one.
    venue = ScriptedVenue()
    gateway = GatewayProcess(
        tmp_path, streams.url, venue.port, free_ports(1)[0], ORDER_SESSIONS="1"
    )
    ledger = PaperLedger(gateway.ledger)
    applier = PaperApplier(streams.url, gateway.ledger)
    gateway.start()
    try:
        first = venue.accept()
        first.wait_for("A")
        first.send("A", 1, LOGON)
        tell(first, 2, 3)
        wait_until(lambda: ledger.through("OUTCRY-O1") == 3)
        first.close()

        second = venue.accept()
        second.wait_for("A")
        second.send("A", 11, LOGON)
        assert second.wait_for("2")[7] == "4"
        tell(second, 4, 5)
        second.send("5", 12, {})
        second.wait_for("5")
        second.close()

        third = venue.accept()
        third.wait_for("A")
        third.send("A", 13, LOGON)
        asked = int(third.wait_for("2")[7])
        assert asked <= 6
        tell(third, asked, 10)
        third.send("4", 11, {123: "Y", 36: "14"}, again=True)
        wait_until(lambda: ledger.through("OUTCRY-O1") >= 13)
        assert len(ledger.fills()) == 9
    finally:
        gateway.kill()
        applier.close()
        venue.close()
