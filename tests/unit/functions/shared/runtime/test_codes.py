"""Every code that an error of ours may carry is on the one list."""

import re
from pathlib import Path

from functions.shared.runtime.codes import CODES
from functions.shared.runtime.rule_codes import REASON_CODES, RULE_CODES

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


_RULE = re.compile(
    r"\b(?:Rule\(|ledger\.rule\()(?:CASE[^']*'MIS' THEN )?\s*[\"']([A-Z_]+[A-Z])[\"']"
)
_NOT_NOW = re.compile(r"Phase\.[A-Z_]+: \(\"([A-Z_]+)\"")
_REASON = re.compile(r"reason_code := '([A-Z_]+)'")
_VENUES = re.compile(r"^    \d: \"([A-Z_]+)\"|^    \"[a-z -]+\": \"([A-Z_]+)\"", re.MULTILINE)


def test_every_rule_and_every_reason_is_on_the_page_and_nothing_else_is() -> None:
    sources = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "infra" / "postgres").glob("*.sql")]
    texts = [path.read_text("utf-8") for path in sources]
    named = {code for text in texts for code in (*_RULE.findall(text), *_NOT_NOW.findall(text))}
    states = {"ACCOUNT_HALTED", "ACCOUNT_REDUCING", "INSUFFICIENT_FUNDS", "TRADING_REDUCING"}
    assert set(RULE_CODES) == named | states
    told = {code for text in texts for code in _REASON.findall(text)}
    applying = ROOT / "functions" / "shared" / "bookkeeping" / "applying.py"
    told |= {a or b for a, b in _VENUES.findall(applying.read_text("utf-8"))}
    assert told - set(REASON_CODES) - set(RULE_CODES) == set()
