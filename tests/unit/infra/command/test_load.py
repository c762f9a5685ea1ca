"""`outcry load`: what it refuses before anything is opened."""

from pathlib import Path

import pytest

from infra.command.exits import NOT_REACHABLE, REFUSED, WRONG_USAGE, Failure
from infra.command.load import stream


@pytest.fixture
def lists(tmp_path: Path) -> dict[str, Path]:
    found = {"tokens": tmp_path / "tokens", "listing": tmp_path / "listing"}
    for path in found.values():
        path.write_text("one\n\ntwo\n")
    return found


def test_another_machine_is_refused(lists: dict[str, Path]) -> None:
    with pytest.raises(Failure, match="not this machine") as refused:
        stream(to="ws://192.0.2.1:7401/v1/stream", **lists)
    assert refused.value.code == REFUSED


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"seconds": 301.0}, "--seconds is 1 to 300"),
        ({"connections": 0}, "--connections is 1 to 40,000"),
        ({"openings_per_second": 0.0}, "--openings-per-second is 1 to 5,000"),
        ({"to": "127.0.0.1:7401"}, "is not an address like"),
        ({"to": "ws://127.0.0.1:7401/"}, "--to needs --tokens and --listing"),
        ({"tokens": Path("x")}, "--tokens and --listing go with --to"),
    ],
)
def test_what_makes_no_load_is_said(arguments: dict[str, object], why: str) -> None:
    with pytest.raises(Failure, match=why) as wrong:
        stream(**arguments)  # type: ignore[arg-type]
    assert wrong.value.code == WRONG_USAGE


def test_a_core_that_is_not_there_and_an_empty_list_are_said(lists: dict[str, Path]) -> None:
    with pytest.raises(Failure, match="--core 4000: there ") as wrong:
        stream(to="ws://127.0.0.1:7401/", core=4_000, **lists)
    assert wrong.value.code == WRONG_USAGE
    lists["listing"].write_text("\n")
    with pytest.raises(Failure, match="listing is empty"):
        stream(to="ws://127.0.0.1:7401/", **lists)


def test_without_a_stack_there_is_nothing_to_put_load_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTCRY_HOME", str(tmp_path / "home"))
    with pytest.raises(Failure, match="nothing runs in") as missing:
        stream()
    assert missing.value.code == NOT_REACHABLE
