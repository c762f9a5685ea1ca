"""The bounds as settings: the page has each with its default, and a bad one is named."""

import re
from pathlib import Path

import pytest

from edge.fanout import limits
from edge.fanout.limits import Limits
from functions.shared.settings import VARIABLES, SettingsError

PAGE = Path(limits.__file__).with_name("bounds.md")


def test_the_page_has_every_bound_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*?) \|", PAGE.read_text(), re.MULTILINE))
    ours = Limits()
    shown = {name.upper(): getattr(ours, name) for name in Limits.__struct_fields__}
    assert rows.keys() == shown.keys()
    for name, default in shown.items():
        if default is not None:
            assert rows[name].split()[0] == f"{default:g}", name
    assert {f"OUTCRY_FANOUT_{name}" for name in rows} <= VARIABLES.keys()


def test_a_bound_is_read_from_its_variable() -> None:
    read = Limits.from_environment(
        {"OUTCRY_FANOUT_CONNECTIONS": "5", "OUTCRY_FANOUT_SILENCE_SECONDS": "1.5", "PATH": "/bin"}
    )
    assert read == Limits(connections=5, silence_seconds=1.5)


@pytest.mark.parametrize("text", ["0", "-1", "many", ""])
def test_a_bound_that_is_none_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="OUTCRY_FANOUT_CONNECTIONS"):
        Limits.from_environment({"OUTCRY_FANOUT_CONNECTIONS": text})
