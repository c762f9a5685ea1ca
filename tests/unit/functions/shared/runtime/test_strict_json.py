"""The JSON reader against the standard library's own writer."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import Refused
from functions.shared.runtime.strict_json import is_storable, read_json

storable = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
scalars = st.none() | st.booleans() | st.integers(-(10**18) + 1, 10**18 - 1) | storable
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(storable, inner, max_size=4),
    max_leaves=20,
)


@given(documents, st.booleans())
def test_what_was_written_is_read_back(document: object, ascii_only: bool) -> None:
    assert read_json(json.dumps(document, ensure_ascii=ascii_only)) == document


@given(st.integers(1 - 10**9, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_a_decimal_keeps_every_digit(whole: int, fraction: int) -> None:
    text = f"{whole}.{fraction:09d}"
    value = read_json(text)
    assert isinstance(value, Decimal)
    assert str(value) == text or value == 0


@given(st.text(max_size=60))
def test_a_text_is_read_or_refused_and_never_anything_else(text: str) -> None:
    try:
        value = read_json(text)
    except Refused as refusal:
        outcome = refusal.code
    else:
        json.dumps(value, default=str)
        outcome = "READ"
    assert outcome in {"READ", "NOT_JSON", "INVALID_NUMBER"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1e5", "INVALID_NUMBER"),
        ("1E-5", "INVALID_NUMBER"),
        ("1" * 19, "INVALID_NUMBER"),
        ("0." + "1" * 18, "INVALID_NUMBER"),
        ("1" * 5000, "INVALID_NUMBER"),
        ("NaN", "NOT_JSON"),
        ("-Infinity", "NOT_JSON"),
        ("01", "NOT_JSON"),
        ("+1", "NOT_JSON"),
        (".5", "NOT_JSON"),
        ("१२", "NOT_JSON"),
        ("{'a': 1}", "NOT_JSON"),
        ('{"a": 1,}', "NOT_JSON"),
        ('{"a": {"b": 1, "b": 2}}', "NOT_JSON"),
        ('["\\ud800"]', "NOT_JSON"),
        ('{"\\u0000": 1}', "NOT_JSON"),
        ("[" * 20_000 + "]" * 20_000, "NOT_JSON"),
        ('{"a":' * 10_000, "NOT_JSON"),
        ("\ud800", "NOT_JSON"),
    ],
    ids=lambda text: text[:24].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_not_plain_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_json(text)
    assert refusal.value.code == code


def test_a_body_may_be_64_kib_and_not_a_byte_more() -> None:
    assert read_json('"' + "x" * 65_534 + '"') == "x" * 65_534
    with pytest.raises(Refused) as refusal:
        read_json('"' + "x" * 65_535 + '"')
    assert (refusal.value.status, refusal.value.code) == (413, "TOO_LARGE")


def test_nul_and_half_a_pair_can_not_be_stored() -> None:
    assert is_storable("₹ 😀")
    assert not is_storable("a\x00b")
    assert not is_storable("\udfff")
