"""The fast parser reads what a plain tag-by-tag walk reads, or refuses the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.entries import Entry, parse_incremental, parse_snapshot
from functions.shared.domain.errors import PeerProtocolError

TAGS = {279: 0, 269: 1, 55: 2, 270: 3, 271: 4, 290: 5, 346: 6}
SYMBOLS = st.sampled_from(["RELIANCE", "M&M", "NIFTY 50", "279=0", "BAJAJ-AUTO"])
PRICES = st.one_of(st.none(), st.decimals(0, 10**6, places=2).map(str))
SIZES = st.one_of(st.none(), st.integers(0, 10**12).map(str))
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from("012"), st.sampled_from("0124578B"), SYMBOLS, PRICES, SIZES,
        st.one_of(st.none(), st.integers(1, 5).map(str)), st.none(),
    ),
    max_size=20,
)  # fmt: skip


def body_of(kind: str, head: str, entries: list[tuple[str | None, ...]]) -> bytes:
    order = [279, 269, 55, 270, 271, 290, 346]
    text = "".join(
        f"{tag}={value}\x01"
        for entry in entries
        for tag, value in zip(order, entry, strict=True)
        if value is not None
    )
    return f"35={kind}\x0134=2\x01{head}268={len(entries)}\x01{text}".encode()


def naive(body: bytes, first: int) -> list[Entry]:
    """Walks the fields; a field of tag `first` begins an entry."""
    rows: list[list[bytes]] = []
    for field in body.split(b"\x01")[:-1]:
        tag, _, value = field.partition(b"=")
        if int(tag) == first:
            rows.append([b""] * 7)
        if rows:
            rows[-1][TAGS[int(tag)]] = value
    return [(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) for r in rows]


@given(ENTRIES)
def test_incremental_entries_are_what_a_plain_walk_reads(
    entries: list[tuple[str | None, ...]],
) -> None:
    body = body_of("X", "262=1\x01", entries)
    assert parse_incremental(body) == naive(body, 279)


@given(ENTRIES, SYMBOLS)
def test_snapshot_entries_are_what_a_plain_walk_reads(
    entries: list[tuple[str | None, ...]], symbol: str
) -> None:
    levels = [(None, kind, None, *rest) for _, kind, _, *rest in entries]
    body = body_of("W", f"55={symbol}\x01", levels)
    start = body.index(b"268=")
    assert parse_snapshot(body) == (symbol.encode(), naive(body[start:], 269))


@pytest.mark.parametrize(
    "body",
    [
        b"35=X\x0134=2\x01",
        b"35=X\x01268=2\x01279=0\x01269=2\x0155=TCS\x01270=1\x01271=1\x01",
        b"35=X\x01268=1\x01269=2\x01279=0\x0155=TCS\x01",
    ],
)
def test_a_message_that_is_not_wholly_readable_is_refused(body: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        parse_incremental(body)


def test_a_snapshot_without_a_symbol_is_refused() -> None:
    with pytest.raises(PeerProtocolError):
        parse_snapshot(b"35=W\x0134=2\x01268=1\x01269=0\x0155=TCS\x01")
