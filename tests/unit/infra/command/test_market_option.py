"""`outcry up --market` refuses a wrong file before anything starts."""

from pathlib import Path

import pytest

from infra.command.exits import WRONG_USAGE, Failure
from infra.command.up import check_market_file


def test_a_wrong_market_file_ends_the_command_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "market.jsonl"
    path.write_text('{"at": "+1s", "do": "dance"}\n')
    with pytest.raises(Failure, match="line 1: 'do' is one of") as caught:
        check_market_file(path)
    assert caught.value.code == WRONG_USAGE


def test_a_good_one_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "market.jsonl").write_text('{"at": "+1s", "do": "halt"}\n')
    monkeypatch.chdir(tmp_path)
    assert check_market_file(Path("market.jsonl")) == str(tmp_path / "market.jsonl")
    assert check_market_file(None) is None
