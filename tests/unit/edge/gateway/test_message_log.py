"""The FIX message log: a line a message, a file a day, and no more than its limit."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.gateway.message_log import MessageLog, log_files

LOGON = "8=FIX.4.4\x0135=A\x0158=two\nlines \\ \udcff\x01"


class Wall:
    def __init__(self) -> None:
        self.now = datetime(2026, 7, 10, 23, 59, 59, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_each_message_is_one_line_and_each_day_has_a_file(tmp_path: Path) -> None:
    wall = Wall()
    log = MessageLog(tmp_path, ["OUTCRY-O1", "OUTCRY-O2"], wall)
    log.write("OUTCRY-O1", "OUT", LOGON)
    wall.now += timedelta(seconds=1)
    log.write("OUTCRY-O1", "IN", "x")
    log.close()
    again = MessageLog(tmp_path, ["OUTCRY-O1"], wall)  # a process that was started again
    again.write("OUTCRY-O1", "IN", "y")
    again.sync()
    first, second = log_files(tmp_path / "OUTCRY-O1")
    assert (first.name, second.name) == ("2026-07-10.log", "2026-07-11.log")
    assert first.read_bytes() == (
        b"2026-07-10T23:59:59.000005Z OUT 8=FIX.4.4\x0135=A\x0158=two\\nlines \\\\ \xff\x01\n"
    )
    assert [line[-4:] for line in second.read_text().splitlines()] == ["IN x", "IN y"]
    assert log_files(tmp_path / "OUTCRY-O2") == []
    again.close()


def test_a_full_file_is_continued_and_the_oldest_go_beyond_the_limit(tmp_path: Path) -> None:
    log = MessageLog(tmp_path, ["A"], Wall(), file_bytes=200, session_bytes=450)
    for number in range(40):
        log.write("A", "IN", f"message {number:03}")
    log.close()
    files = log_files(tmp_path / "A")
    kept = [int(line[-3:]) for path in files for line in path.read_text().splitlines()]
    assert kept == list(range(kept[0], 40))
    assert kept[0] > 0
    assert sum(path.stat().st_size for path in files) <= 450 + 200
    assert files[-1].stem == f"2026-07-10.{len(range(0, 40, 5)) - 1}"
