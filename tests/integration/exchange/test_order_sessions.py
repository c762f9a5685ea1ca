"""A real FIX initiator trades with the exchange's process, and the process is killed under it."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.exchange.venue_process import (
    Broker,
    VenueProcess,
    running,
    until,
    write_clock,
)
from tests.support.eventually import WAIT_SECONDS


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueProcess]:
    with running(tmp_path) as process:
        yield process


@pytest.fixture
def broker(venue: VenueProcess, tmp_path: Path) -> Iterator[Broker]:
    initiator = Broker(tmp_path / "broker", venue.orders_port).logon()
    yield initiator
    initiator.stop()


def test_orders_live_by_the_rules_over_a_real_session(venue: VenueProcess, broker: Broker) -> None:
    broker.limit("1", "1", 10, "1500.00")
    assert broker.next_of("1", "0")[39] == "0"
    fill = broker.next_of("1", "F")
    assert (fill[39], fill[14], fill[151], fill[75]) == ("2", "10", "0", "20261123")

    broker.send("D", t11="2", t1="77", t55="M&M", t54="2", t40="1", t38="5")
    assert broker.next_of("2", "F")[14] == "5"

    broker.limit("3", "1", 10, "1300.00")
    assert broker.next_of("3", "0")[151] == "10"
    broker.send("G", t11="3-1", t41="3", t55="RELIANCE", t54="1", t40="2", t38="20", t44="1301.00")
    assert broker.next_of("3-1", "5")[41] == "3"
    broker.send("H", t11="3-1", t55="RELIANCE", t54="1")
    assert broker.next_of("3-1", "I")[38] == "20"
    broker.limit("3", "1", 10, "1300.00")
    assert broker.next_of("3", "8")[103] == "6"
    broker.send("F", t11="3-2", t41="3-1", t55="RELIANCE", t54="1")
    assert broker.next_of("3-2", "4")[39] == "4"
    broker.send("F", t11="3-3", t41="3-2", t55="RELIANCE", t54="1")
    too_late = broker.next()
    assert (too_late[35], too_late[102]) == ("9", "0")

    broker.send("H", t11="nobody", t55="RELIANCE", t54="1")
    unknown = broker.next_of("nobody", "I")
    assert (unknown[39], unknown[103]) == ("8", "5")

    orders = {order["cl_ord_id"]: order for order in venue.get("/orders?client_id=77")["orders"]}
    assert orders["1"]["status"] == "FILLED"
    assert orders["3-2"]["status"] == "CANCELED"
    trades = venue.get("/trades")["trades"]
    assert [(t["cl_ord_id"], t["side"]) for t in trades] == [("1", "BUY"), ("2", "SELL")]
    assert venue.get("/orders?client_id=78")["orders"] == []


def test_a_message_the_dialect_does_not_have_is_refused_and_the_session_goes_on(
    broker: Broker,
) -> None:
    broker.send("Y", t262="1")
    assert broker.next()[35] == "j"
    broker.limit("1", "1", 10, "1300.00", t40="9")
    reject = broker.rejects.get(timeout=WAIT_SECONDS)
    assert reject[371] == "40"
    broker.limit("2", "1", 10, "1300.00")
    assert broker.next_of("2", "0")[39] == "0"


def past_the_gap(broker: Broker) -> None:
    """Waits until the numbers that a kill left open are filled: what the broker sends while the
    exchange asks for them is filled over with them."""

    def answered() -> bool:
        broker.send("H", t11="2", t55="RELIANCE", t54="1")
        try:
            return bool(broker.next_of("2", "I", 1.0))
        except queue.Empty:
            return False

    until(answered)


def test_a_killed_exchange_comes_back_with_its_book_and_every_report(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        broker = Broker(tmp_path / "broker", venue.orders_port).logon()
        broker.limit("1", "1", 10, "1300.00")
        broker.limit("2", "1", 10, "1500.00")
        broker.next_of("1", "0")
        first_fill = broker.next_of("2", "F")
        broker.limit("3", "1", 10, "1299.00")
        venue.kill()
        until(lambda: not broker.logged_on)

        venue.start()
        broker.logon()
        past_the_gap(broker)
        broker.limit("1", "1", 10, "1300.00")
        assert broker.next_of("1", "8")[103] == "6"
        broker.send("F", t11="1-1", t41="1", t55="RELIANCE", t54="1")
        assert broker.next_of("1-1", "4")[39] == "4"
        broker.limit("3", "1", 10, "1299.00", poss_resend=True)
        until(lambda: broker.next()[11] == "3")
        assert len({t["exec_id"] for t in venue.get("/trades")["trades"]}) == 1

        # The broker lost what it had applied: everything is sent again, with the same ExecIDs.
        broker.stop()
        again = Broker(tmp_path / "broker", venue.orders_port, expect=2).logon()
        replayed = again.next_of("2", "F")
        assert (replayed[17], replayed[43]) == (first_fill[17], "Y")
        again.stop()
        assert venue.terminate() == 0


def test_reports_that_may_not_have_left_are_sent_again_as_possible_resends(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        broker = Broker(tmp_path / "broker", venue.orders_port).logon()
        broker.limit("1", "1", 10, "1500.00")
        fill = broker.next_of("1", "F")
        until(lambda: '"sent"' in (tmp_path / "state" / "journal.jsonl").read_text())
        venue.kill()
        journal = tmp_path / "state" / "journal.jsonl"
        turns = [json.loads(line) for line in journal.read_text().splitlines()]
        entries = [e for turn in turns for e in (turn[1] if turn[0] == "turn" else [turn])]
        kept = (json.dumps(entry) + "\n" for entry in entries if entry[0] != "sent")
        journal.write_text("".join(kept))

        venue.start()
        again = broker.next_of("1", "F")
        assert (again[97], again[17]) == ("Y", fill[17])
        broker.stop()


def test_open_orders_expire_when_the_business_day_moves_on(
    venue: VenueProcess, broker: Broker
) -> None:
    broker.limit("1", "1", 10, "1300.00")
    broker.next_of("1", "0")
    write_clock(venue.clock, "2026-11-24T06:00:00Z")
    expired = broker.next_of("1", "C")
    assert (expired[39], expired[75]) == ("C", "20261123")
    broker.limit("2", "1", 10, "1300.00")
    assert broker.next_of("2", "0")[75] == "20261124"


def test_outside_the_hours_of_the_nse_orders_are_rejected(
    venue: VenueProcess, broker: Broker
) -> None:
    write_clock(venue.clock, "2026-11-23T11:00:00Z", hours="nse")
    until(lambda: not venue.get("/health")["open"])
    broker.limit("1", "1", 10, "1300.00")
    assert broker.next_of("1", "8")[103] == "2"


def test_a_port_in_use_a_bad_folder_and_a_missing_clock_are_one_message_and_status_1(
    venue: VenueProcess, tmp_path: Path
) -> None:
    wrong = [
        {"orders-port": str(venue.orders_port)},
        {"feed-port": str(venue.feed_port)},
        {"health-port": str(venue.health_port)},
        {"state": "/proc/nowhere"},
        {"clock": "/nowhere/clock.json"},
    ]
    others = [
        VenueProcess(tmp_path / str(number)).spawn(options) for number, options in enumerate(wrong)
    ]
    try:
        for options, process in zip(wrong, others, strict=True):
            _, message = process.communicate(timeout=WAIT_SECONDS)
            assert process.returncode == 1, options
            assert message.startswith("exchange: ")
            assert message.count("\n") == 1
    finally:
        for process in others:
            process.kill()
