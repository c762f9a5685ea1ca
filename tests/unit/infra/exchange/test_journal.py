"""The journal gives back what was written, and survives a line that was cut off."""

from pathlib import Path

import pytest

from infra.exchange.journal import JOURNAL, Journal, JournalError
from tests.unit.infra.exchange.broker import BUY, SELL, Desk


def _filled(folder: Path) -> Desk:
    desk = Desk()
    desk.order("a", SELL, 10, 100.0)
    desk.order("b", BUY, 4, 100.0)
    desk.cancel("a-1", "nothing", SELL)
    desk.change("a-2", "a", 8, 100.5, SELL)
    journal = Journal(folder)
    for report in desk.all:
        journal.add_report(report)
    journal.add_received("OUTCRY-O1", 9)
    journal.add_market("20261123", {"ABC": [1, 2, 3, 4, 5, 6]})
    journal.close()
    return desk


def test_a_replay_gives_the_same_orders_and_trades(tmp_path: Path) -> None:
    desk = _filled(tmp_path)
    recovered = Journal(tmp_path).recovered
    for order in desk.register.orders.values():
        order.resting = None
    assert recovered.register.orders == desk.register.orders
    assert recovered.register.trades == desk.register.trades
    assert recovered.register.last_execution == desk.register.last_execution
    assert recovered.received == {"OUTCRY-O1": 9}
    assert (recovered.market_date, recovered.market) == ("20261123", {"ABC": [1, 2, 3, 4, 5, 6]})
    assert recovered.boot == 2


def test_reports_without_a_sent_line_are_to_be_sent_again(tmp_path: Path) -> None:
    desk = _filled(tmp_path)
    journal = Journal(tmp_path)
    assert list(journal.recovered.unsent["OUTCRY-O1"]) == desk.all
    journal.add_sent("OUTCRY-O1", 3)
    journal.close()
    recovered = Journal(tmp_path).recovered
    assert list(recovered.unsent["OUTCRY-O1"]) == desk.all[3:]
    assert list(recovered.told["OUTCRY-O1"]) == desk.all[:3]  # for a session that lost its store


def test_a_last_line_that_was_cut_off_is_dropped_and_writing_goes_on(tmp_path: Path) -> None:
    _filled(tmp_path)
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + b'["report","ExecutionReport","OUTC')
    journal = Journal(tmp_path)
    journal.close()
    assert path.read_bytes() == whole + b'["boot",2]\n'


def test_damage_in_the_middle_stops_the_start_and_names_the_line(tmp_path: Path) -> None:
    _filled(tmp_path)
    path = tmp_path / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:1], b"not json\n", *lines[1:]]))
    with pytest.raises(JournalError, match="line 2"):
        Journal(tmp_path)


def test_two_exchanges_cannot_share_a_folder(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    with pytest.raises(JournalError, match="another exchange"):
        Journal(tmp_path)
    first.close()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot write"):
        Journal(tmp_path / "file" / "state")
