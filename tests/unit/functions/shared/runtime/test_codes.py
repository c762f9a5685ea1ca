"""Every code that an error of ours may carry is on the one list."""

import re
from pathlib import Path

from functions.shared.runtime.codes import CODES

ROOT = Path(__file__).parents[5]
_RAISED = re.compile(r"(?:Refused\(\s*\d+,|Conflict\(|Problem\(\s*\d+,)\s*\"([A-Z_]+)\"")
# What stores tell their callers inside the process, never a client.
_INSIDE = {"SECRET_EXISTS", "OBJECT_EXISTS"}


def test_every_code_raised_is_on_the_list() -> None:
    raised = {
        code
        for path in (ROOT / "functions").rglob("*.py")
        for code in _RAISED.findall(path.read_text("utf-8"))
    }
    assert raised - _INSIDE - set(CODES) == set()
