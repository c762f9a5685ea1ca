"""The quote records: exact both ways, refused whole when they are anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.stores.valkey_slots import SLOTS, slot_of
from functions.shared.wire.quotes import (
    BATCH_HEAD,
    PARTITIONS,
    Quote,
    decode_batch,
    decode_prices,
    decode_value,
    encode_batch,
    encode_record,
    encode_value,
    partition_of_symbol,
    partition_tag,
    quote_key,
    quotes_channel,
)

I64 = st.integers(-(2**63), 2**63 - 1)
U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
SYMBOLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20
).filter(lambda s: len(s.encode()) <= 20)
LEVELS = st.lists(st.tuples(I64, I64, U32), min_size=10, max_size=10).map(
    lambda steps: tuple(number for step in steps for number in step)
)
QUOTES = st.builds(Quote, SYMBOLS, U32, U64, U64, I64, I64, I64, I64, I64, I64, I64, I64, LEVELS)


@given(st.integers(0, PARTITIONS - 1), U64, st.lists(QUOTES, max_size=8))
def test_a_batch_reads_back_as_it_was_written(
    partition: int, published: int, quotes: list[Quote]
) -> None:
    batch = decode_batch(encode_batch(partition, published, map(encode_record, quotes)))
    assert batch == (partition, published, quotes)


@given(st.lists(QUOTES, max_size=8))
def test_prices_alone_are_those_of_the_whole_quotes(quotes: list[Quote]) -> None:
    ticks = decode_prices(encode_batch(0, 0, map(encode_record, quotes)))
    assert ticks == [
        (q.symbol, q.seq, q.timestamp_ms, q.ltp, q.high, q.low, q.close, q.volume) for q in quotes
    ]


@given(QUOTES)
def test_a_cached_value_reads_back_as_it_was_written(quote: Quote) -> None:
    assert decode_value(encode_value(encode_record(quote))) == quote


@given(st.binary(max_size=1_000))
def test_other_bytes_are_refused_or_read_whole(payload: bytes) -> None:
    try:
        batch = decode_batch(payload)
    except PeerProtocolError:
        return
    assert encode_batch(batch.partition, batch.published_us, map(encode_record, batch.quotes))


@pytest.mark.parametrize("change", [b"\x02", b"\x00"])
def test_another_version_is_refused(change: bytes) -> None:
    payload = encode_batch(0, 0, [])
    with pytest.raises(PeerProtocolError):
        decode_batch(change + payload[1:])
    with pytest.raises(PeerProtocolError):
        decode_prices(change + payload[1:])
    record = encode_record(Quote("TCS", *[0] * 11))
    with pytest.raises(PeerProtocolError):
        decode_value(change + record)


def test_a_cut_batch_is_refused() -> None:
    payload = encode_batch(3, 7, [encode_record(Quote("TCS", *[1] * 11))])
    with pytest.raises(PeerProtocolError):
        decode_batch(payload[:-1])
    with pytest.raises(PeerProtocolError):
        decode_batch(payload[: BATCH_HEAD.size - 1])


def test_what_the_layout_has_no_room_for_is_refused() -> None:
    with pytest.raises(ValueError, match="symbol of 1 to 20 bytes"):
        encode_record(Quote("A" * 21, *[0] * 11))
    with pytest.raises(ValueError, match="TCS"):
        encode_record(Quote("TCS", 2**32, *[0] * 10))


def test_the_partitions_are_spread_evenly_over_the_slots() -> None:
    slots = [slot_of(quotes_channel(number)) for number in range(PARTITIONS)]
    assert [slot * PARTITIONS // SLOTS for slot in slots] == list(range(PARTITIONS))


def test_a_symbols_key_and_channel_share_its_partition() -> None:
    tag = partition_tag(partition_of_symbol("M&M"))
    assert quote_key("M&M") == f"quote:{tag}:M&M"
    assert quotes_channel(partition_of_symbol("M&M")) == f"quotes:{tag}"


def test_the_best_prices_are_the_first_levels() -> None:
    levels = (100, 5, 1, *[0] * 12, 110, 7, 2, *[0] * 12)
    quote = Quote("TCS", 1, 1, 1, 105, 1, 0, 0, 0, 100, 0, 0, levels)
    assert (quote.bid, quote.ask, quote.change) == (100, 110, 5)
    assert quote.bids == [(100, 5, 1)]
    assert quote.asks == [(110, 7, 2)]
