"""Hash slots, and a cluster's layout as a node tells it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.stores.valkey_address import Node
from functions.shared.stores.valkey_slots import SLOTS, Layout, decode_layout, slot_of

ASKED = Node("asked", 6379)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("{user1000}.following", "user1000"),
        ("foo{}{bar}", None),
        ("foo{{bar}}zap", "{bar"),
        ("foo{bar}{zap}", "bar"),
        ("foo{bar", None),
        ("}{", None),
    ],
)
def test_a_key_is_hashed_by_its_tag(key: str, hashed: str | None) -> None:
    """The specification's own examples, and its check value of the CRC."""
    assert slot_of("123456789") == 0x31C3
    assert (slot_of(key) == slot_of(hashed)) if hashed else (0 <= slot_of(key) < SLOTS)


def test_a_layout_knows_the_primary_of_each_slot() -> None:
    replica = [b"10.0.0.9", 6379, b"id", []]
    answer = [
        [0, 99, [b"10.0.0.1", 7000, b"id", []], replica],
        [200, SLOTS - 1, [None, 7001, b"id", [b"hostname", b"x"]]],
    ]
    layout = decode_layout(answer, ASKED)
    assert layout.primary(99) == Node("10.0.0.1", 7000)
    assert layout.primary(100) is None
    assert layout.primary(SLOTS - 1) == Node("asked", 7001)  # it doesn't know its own name
    assert layout.nodes == {Node("10.0.0.1", 7000), Node("asked", 7001)}
    one = Layout.of_one(ASKED)
    assert {one.primary(0), one.primary(SLOTS - 1)} == {ASKED}


_WORDS = st.one_of(st.none(), st.integers(-2, 20_000), st.binary(max_size=4))


@given(st.recursive(_WORDS, lambda inner: st.lists(inner, max_size=4), max_leaves=12))
def test_what_is_no_layout_is_refused(answer: object) -> None:
    with contextlib.suppress(PeerProtocolError):
        assert isinstance(decode_layout(answer, ASKED), Layout)
