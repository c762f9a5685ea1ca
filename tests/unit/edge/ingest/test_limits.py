"""The bounds of ingest as settings: the page has each with its default, and a bad one is named."""

import re
from pathlib import Path

import pytest

from edge.ingest import limits
from edge.ingest.limits import Limits
from functions.shared.settings import VARIABLES, SettingsError

PAGE = Path(limits.__file__).with_name("ingest.md")


def test_the_page_has_every_bound_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*?) \|", PAGE.read_text(), re.MULTILINE))
    ours = Limits()
    shown = {name.upper(): f"{getattr(ours, name):.10g}" for name in Limits.__struct_fields__}
    assert {name: text for name, text in rows.items() if not name.startswith("OUTCRY_")} == shown
    assert {f"OUTCRY_INGEST_{name}" for name in shown} <= VARIABLES.keys()


def test_a_bound_is_read_from_its_variable_and_a_bad_one_is_named() -> None:
    read = Limits.from_environment({"OUTCRY_INGEST_SYMBOLS": "5", "OUTCRY_INGEST_BATCH_MS": "20"})
    assert read == Limits(symbols=5)
    with pytest.raises(SettingsError, match="OUTCRY_INGEST_MESSAGE_BYTES"):
        Limits.from_environment({"OUTCRY_INGEST_MESSAGE_BYTES": "99999999"})
