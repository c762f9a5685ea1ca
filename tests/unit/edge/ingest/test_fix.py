"""FIX framing: any cut of the stream gives the same messages; garbled ones are skipped."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.fix import (
    Framer,
    checksum,
    encode_message,
    format_sending_time,
    parse_sending_time,
)
from functions.shared.domain.errors import PeerProtocolError

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x01="), min_size=1, max_size=9)
MESSAGES = st.lists(
    st.lists(st.tuples(st.integers(1, 9_999), VALUES), min_size=1, max_size=6).map(
        lambda fields: [(35, "X"), *fields]
    ),
    max_size=6,
)


@given(st.binary(max_size=5_000))
def test_the_checksum_is_the_sum_of_all_bytes(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256


@given(MESSAGES, st.data())
def test_any_cut_of_the_stream_gives_the_same_bodies(
    messages: list[list[tuple[int, str]]], data: st.DataObject
) -> None:
    stream = b"".join(encode_message(fields) for fields in messages)
    framer, bodies, at = Framer(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 40))
        bodies += list(framer.feed(stream[at : at + step]))
        at += step
    assert bodies == [b"".join(b"%d=%s\x01" % (t, v.encode()) for t, v in m) for m in messages]
    assert framer.garbled == 0


def test_a_garbled_message_is_skipped_and_counted() -> None:
    good = encode_message([(35, "0"), (34, "2")])
    framer = Framer()
    assert list(framer.feed(good.replace(b"34=2", b"34=3") + good)) == [b"35=0\x0134=2\x01"]
    assert framer.garbled == 1


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"8=FIX.4.4\x019=x\x01", b"8=FIX.4.4\x019=99999999999"]
)
def test_what_can_not_be_fix_ends_the_connection(data: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        list(Framer().feed(data))


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2199, 1, 1)))
def test_a_sending_time_reads_back_in_milliseconds(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    expected = int(aware.replace(microsecond=0).timestamp()) * 1000 + aware.microsecond // 1000
    assert parse_sending_time(format_sending_time(aware).encode()) == expected


@pytest.mark.parametrize("text", [b"", b"20261399-10:00:00", b"2026-11-23T10:00:00"])
def test_an_unreadable_sending_time_is_refused(text: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        parse_sending_time(text)
