"""The exchange as a process: phases, auctions over a kill, busts, drop copies and FIX 4.2."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.shared.domain.money import format_price
from infra.exchange.instruments import MARKET_FILE, read_listing, with_more
from tests.integration.exchange.venue_process import (
    Broker,
    VenueProcess,
    running,
    until,
    write_clock,
)
from tests.support.eventually import WAIT_SECONDS

#: 09:01, 09:11 and 10:00 in India on a trading day.
PRE_OPEN, MATCHED, MORNING = (
    "2026-11-23T03:31:00Z",
    "2026-11-23T03:41:00Z",
    "2026-11-23T04:30:00Z",
)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueProcess]:
    with running(tmp_path) as process:
        yield process


def test_phases_and_halts_are_announced_and_a_phase_can_be_asked_for(
    venue: VenueProcess, tmp_path: Path
) -> None:
    broker = Broker(tmp_path / "broker", venue.orders_port).logon()
    status, _ = venue.control(do="halt", symbol="TCS", text="news pending")
    assert status == 200
    halted = until(lambda: _notice(broker, 35, "f"))
    assert (halted[55], halted[326], halted[336]) == ("TCS", "2", "HALTED")
    broker.limit("1", "1", 10, "3000.00", t55="TCS")
    assert broker.next_of("1", "8")[58] == "trading is halted"
    broker.send("g", t335="now", t263="0")
    answer = until(lambda: _notice(broker, 335, "now"))
    assert (answer[336], answer[340]) == ("CONTINUOUS", "2")
    assert venue.control(do="lift", symbol="INFY")[0] == 409
    assert venue.control(do="nothing")[0] == 400
    assert venue.get("/health")["halts"] == ["TCS"]
    broker.stop()


def _notice(broker: Broker, tag: int, value: str) -> dict[int, str]:
    while True:
        notice = broker.notices.get(timeout=WAIT_SECONDS)
        if notice.get(tag) == value:
            return notice


def test_an_auction_that_a_kill_fell_into_is_matched_once_after_the_restart(
    tmp_path: Path,
) -> None:
    venue = VenueProcess(tmp_path)
    write_clock(venue.clock, PRE_OPEN, hours="nse")
    try:
        venue.start()
        broker = Broker(tmp_path / "broker", venue.orders_port).logon()
        broker.limit("buy", "1", 10, "1500.00")
        broker.limit("sell", "2", 10, "1300.00", t1="78")
        assert broker.next_of("sell", "0")[39] == "0"
        venue.kill()
        write_clock(venue.clock, MATCHED, hours="nse")
        venue.start()
        broker.logon()
        fills = [broker.next_of(name, "F") for name in ("buy", "sell")]
        assert {fill[39] for fill in fills} == {"2"}
        assert all(fill[60].startswith("20261123-03:3") for fill in fills)
        venue.kill()
        write_clock(venue.clock, MORNING, hours="nse")
        venue.start()
        until(lambda: venue.get("/health")["open"])
        trades = venue.get("/trades")["trades"]
        assert sorted(t["cl_ord_id"] for t in trades) == ["buy", "sell"]
        broker.stop()
    finally:
        venue.kill()


def test_halts_bands_and_listings_outlive_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        listing = {"symbol": "NEWCO", "name": "New Company", "price": "250.00", "tick": "0.05"}
        assert venue.control(do="list", **listing)[0] == 200
        assert venue.control(do="halt", symbol="TCS")[0] == 200
        assert venue.control(do="band", symbol="RELIANCE", low="1400.00", high="1420.00")[0] == 200
        venue.kill()
        venue.start()
        broker = Broker(tmp_path / "broker", venue.orders_port).logon()
        assert venue.get("/health")["halts"] == ["TCS"]
        broker.limit("1", "1", 10, "250.00", t55="NEWCO")
        assert broker.next_of("1", "0")[39] == "0"
        broker.limit("2", "1", 10, "1399.00")
        assert "outside the band 1400.00 to 1420.00" in broker.next_of("2", "8")[58]
        broker.stop()


def test_shares_that_a_later_start_adds_are_traded(tmp_path: Path) -> None:
    shares = with_more(read_listing(MARKET_FILE), 70).instruments
    with running(tmp_path, symbols="60") as venue:
        venue.kill()
        venue.options["symbols"] = "70"
        venue.start()
        broker = Broker(tmp_path / "broker", venue.orders_port).logon()
        for number, share in enumerate((shares[55], shares[-1])):
            price = share.reference_price * 107 // 100 // share.tick * share.tick
            broker.limit(str(number), "1", 1, format_price(price), t55=share.symbol)
            assert broker.next_of(str(number), "F")[55] == share.symbol  # its makers are there
        broker.stop()


def test_a_bust_reaches_the_broker_and_the_drop_copy(venue: VenueProcess, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", venue.orders_port).logon()
    drop = Broker(tmp_path / "drop", venue.orders_port, "OUTCRY-D1").logon()
    broker.limit("1", "1", 10, "1500.00")
    fill = broker.next_of("1", "F")
    assert venue.control(do="bust", exec_id=fill[17], text="clearly erroneous")[0] == 200
    bust = broker.next_of("1", "H")
    assert (bust[19], bust[39], bust[14], bust[58]) == (fill[17], "4", "0", "clearly erroneous")
    copies = [drop.next_of("1", kind) for kind in "0FH"]
    assert {(copy[797], copy[57]) for copy in copies} == {("Y", "OUTCRY-O1")}
    assert [copy[17] for copy in copies[1:]] == [fill[17], bust[17]]
    drop.limit("2", "1", 10, "1500.00")
    assert drop.next()[35] == "j"
    states = {t["exec_id"]: t["state"] for t in venue.get("/trades")["trades"]}
    assert states[fill[17]] == "BUSTED"
    broker.stop()
    drop.stop()


def test_a_fix_4_2_broker_trades_in_its_own_words(venue: VenueProcess, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", venue.orders_port, "OUTCRY-L1").logon()
    broker.limit("1", "1", 10, "1500.00", t21="1")
    accepted = broker.next_of("1", "0")
    assert (accepted[8], accepted[20]) == ("FIX.4.2", "0")
    fill = broker.next_of("1", "2")
    assert (fill[20], fill[39], fill[32]) == ("0", "2", "10")
    assert 527 not in fill
    broker.send("H", t11="1", t55="RELIANCE", t54="1")
    assert broker.next_of("1", "2")[20] == "3"
    venue.control(do="correct", exec_id=fill[17], price="1450.00", quantity=10)
    corrected = broker.next_of("1", "2")
    assert (corrected[20], corrected[19], corrected[31]) == ("2", fill[17], "1450.00")
    broker.limit("1", "1", 10, "1500.00", t21="1")
    assert broker.next_of("1", "8")[103] == "6"
    broker.stop()


def test_a_delayed_session_gets_its_reports_late_and_after_a_kill_as_possible_resends(
    venue: VenueProcess, tmp_path: Path
) -> None:
    broker = Broker(tmp_path / "broker", venue.orders_port).logon()
    venue.control(do="delay", session="OUTCRY-O1", **{"for": "1h"})
    broker.limit("1", "1", 10, "1500.00")
    until(lambda: venue.get("/trades")["trades"])
    assert broker.messages.empty()
    venue.kill()
    venue.start()
    late = broker.next_of("1", "F")
    assert (late[97], late[39]) == ("Y", "2")
    broker.stop()


def test_a_market_file_is_played_and_a_wrong_one_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "market.jsonl"
    file.write_text(json.dumps({"at": "+1s", "do": "halt", "for": "1h", "text": "drill"}) + "\n")
    with running(tmp_path / "venue", market=str(file)) as venue:
        until(lambda: venue.get("/health")["halts"] == [""])
        assert not venue.get("/health")["open"]
    file.write_text('{"at": "+1s", "do": "dance"}\n')
    wrong = VenueProcess(tmp_path / "wrong").spawn({"market": str(file)})
    _, message = wrong.communicate(timeout=WAIT_SECONDS)
    assert wrong.returncode == 1
    assert "market.jsonl, line 1: 'do' is one of" in message
