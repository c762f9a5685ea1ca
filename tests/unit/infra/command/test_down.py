"""`outcry down`: whom it signals."""

import fcntl
import os
from pathlib import Path

import pytest

from infra.command.exits import NOT_REACHABLE, Failure
from infra.command.main import down
from infra.local.home import Home


def test_a_supervisor_that_has_not_written_its_number_is_not_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signalled(process: int, number: int) -> None:
        raise AssertionError(f"process {process} was sent signal {number}")

    monkeypatch.setattr(os, "kill", signalled)
    monkeypatch.setenv("OUTCRY_HOME", str(tmp_path))
    place = Home(tmp_path)
    place.create()
    with (place.run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Failure, match="starting") as ended:
            down()
    assert ended.value.code == NOT_REACHABLE
