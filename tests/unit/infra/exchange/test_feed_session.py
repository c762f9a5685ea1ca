"""The market-data session layer, driven by bytes and a hand-held time."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
import simplefix
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.feed_session import (
    FeedSession,
    ProtocolError,
    Subscribe,
    Unsubscribe,
    checksum,
    split_messages,
)

NOW = datetime(2026, 11, 23, 6, 0, 0, 123_000, tzinfo=UTC)


def message(
    kind: str, sequence: int, *fields: tuple[int, object], sender: str = "OUTCRY-M1"
) -> bytes:
    """Build a broker's message with another codec than the venue's own."""
    built = simplefix.FixMessage()
    head = [(8, "FIX.4.4"), (35, kind), (34, sequence), (49, sender), (56, "XNSE")]
    for tag, value in [*head, (52, "20261123-06:00:00.000"), *fields]:
        built.append_pair(tag, value)
    return bytes(built.encode())


def answers(session: FeedSession) -> list[dict[int, str]]:
    """Parse what the venue sent with another codec; it checks nothing, so the sums are checked."""
    data = session.take()
    parser = simplefix.FixParser()
    parser.append_buffer(data)
    parsed = []
    while (found := parser.get_message()) is not None:
        parsed.append({int(tag): value.decode() for tag, value in found})
        raw = found.encode()
        assert raw[-4:-1] == b"%03d" % checksum(raw[: raw.rindex(b"10=")])
    return parsed


def logged_on() -> FeedSession:
    session = FeedSession("XNSE", frozenset({"OUTCRY-M1"}), lambda: NOW, 0.0)
    session.receive(message("A", 1, (98, 0), (108, 10), (141, "Y")), 0.0)
    assert [m[35] for m in answers(session)] == ["A"]
    return session


def request(sequence: int, *symbols: str, kind: str = "1", depth: int = 5) -> bytes:
    fields: list[tuple[int, object]] = [(262, "r1"), (263, kind), (264, depth), (267, 1), (269, 0)]
    return message("V", sequence, *fields, (146, len(symbols)), *((55, s) for s in symbols))


def test_a_logon_with_reset_is_answered_in_kind() -> None:
    session = FeedSession("XNSE", frozenset({"OUTCRY-M1"}), lambda: NOW, 0.0)
    session.receive(message("A", 1, (98, 0), (108, 10), (141, "Y")), 0.0)
    (logon,) = answers(session)
    assert (logon[34], logon[49], logon[56], logon[141]) == ("1", "XNSE", "OUTCRY-M1", "Y")
    assert logon[52] == "20261123-06:00:00.123"


@pytest.mark.parametrize("reset", [(), ((141, "N"),)])
def test_a_logon_without_reset_is_told_why_and_closed(reset: tuple[tuple[int, str], ...]) -> None:
    session = FeedSession("XNSE", frozenset({"OUTCRY-M1"}), lambda: NOW, 0.0)
    session.receive(message("A", 1, (98, 0), (108, 10), *reset), 0.0)
    (logout,) = answers(session)
    assert logout[35] == "5"
    assert "141" in logout[58]
    assert session.closed


def test_an_unknown_broker_or_a_first_message_that_is_no_logon_is_closed_without_a_word() -> None:
    for first in (
        message("A", 1, (98, 0), (108, 10), (141, "Y"), sender="STRANGER"),
        message("0", 1),
    ):
        session = FeedSession("XNSE", frozenset({"OUTCRY-M1"}), lambda: NOW, 0.0)
        session.receive(first, 0.0)
        assert (session.closed, session.take()) == (True, b"")


def test_nobody_who_stays_silent_may_stay() -> None:
    session = FeedSession("XNSE", frozenset({"OUTCRY-M1"}), lambda: NOW, 0.0)
    session.poll(10.5)
    assert session.closed


def test_a_request_becomes_a_subscription() -> None:
    session = logged_on()
    assert session.receive(request(2, "*"), 0.0) == [Subscribe("r1", ())]
    assert session.receive(request(3, "M&M", "TCS"), 0.0) == [Subscribe("r1", ("M&M", "TCS"))]
    assert session.receive(request(4, "*", kind="2"), 0.0) == [Unsubscribe("r1")]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(request(2, "*", kind="0"), "4"), (request(2, "*", depth=1), "5"), (request(2), "0")],
)
def test_a_request_for_what_there_is_not_is_rejected(wrong: bytes, reason: str) -> None:
    session = logged_on()
    assert session.receive(wrong, 0.0) == []
    (reject,) = answers(session)
    assert (reject[35], reject[262], reject[281]) == ("Y", "r1", reason)


def test_a_test_request_is_answered_with_its_id() -> None:
    session = logged_on()
    session.receive(message("1", 2, (112, "hello")), 0.0)
    (heartbeat,) = answers(session)
    assert (heartbeat[35], heartbeat[112]) == ("0", "hello")


def test_a_resend_request_is_answered_with_a_gap_fill() -> None:
    session = logged_on()
    session.send_market_data("X", b"268=0\x01", "20261123-06:00:00.000", 0.0)
    session.take()
    session.receive(message("2", 2, (7, 2), (16, 0)), 0.0)
    (fill,) = answers(session)
    assert (fill[35], fill[34], fill[123], fill[36], fill[43]) == ("4", "2", "Y", "3", "Y")


def test_a_gap_in_what_the_broker_sends_is_asked_for() -> None:
    session = logged_on()
    assert session.receive(request(5, "*"), 0.0) == []
    (ask,) = answers(session)
    assert (ask[35], ask[7], ask[16]) == ("2", "2", "0")
    session.receive(message("4", 2, (123, "Y"), (36, 5), (43, "Y")), 0.0)
    assert session.receive(request(5, "*"), 0.0) == [Subscribe("r1", ())]


def test_a_number_that_is_too_low_ends_the_session() -> None:
    session = logged_on()
    session.receive(message("0", 1), 0.0)
    (logout,) = answers(session)
    assert logout[58] == "MsgSeqNum too low, expecting 2 but received 1"
    assert session.closed


def test_silence_brings_a_heartbeat_then_a_test_request_then_the_end() -> None:
    session = logged_on()
    session.poll(10.0)
    assert [m[35] for m in answers(session)] == ["0"]
    session.poll(12.5)
    assert [m[35] for m in answers(session)] == ["1"]
    session.poll(24.5)
    assert [m[35] for m in answers(session)] == ["5"]
    assert session.closed


def test_a_logout_is_answered_and_ends_the_session() -> None:
    session = logged_on()
    session.receive(message("5", 2), 0.0)
    assert [m[35] for m in answers(session)] == ["5"]
    assert session.closed


def test_a_message_with_a_wrong_sum_is_dropped_and_the_next_is_read() -> None:
    good, bad = request(2, "*"), bytearray(request(2, "TCS"))
    bad[-2] = ord("0") + (bad[-2] - ord("0") + 1) % 10
    session = logged_on()
    assert session.receive(bytes(bad) + good, 0.0) == [Subscribe("r1", ())]


def test_a_message_that_claims_to_be_huge_ends_the_session() -> None:
    session = logged_on()
    session.receive(b"8=FIX.4.4\x019=99999999\x01", 0.0)
    assert session.closed


@given(st.lists(st.integers(0, 400)), st.binary(max_size=40))
def test_however_the_bytes_are_cut_the_same_messages_are_read(
    cuts: list[int], noise: bytes
) -> None:
    data = request(2, "*") + noise.replace(b"8", b"") + request(3, "M&M") + message("0", 4)
    whole = split_messages(bytearray(data))
    assert len(whole) == 3
    buffer, found = bytearray(), []
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(edges):
        buffer += data[start:end]
        found += split_messages(buffer)
    assert found == whole


@given(st.binary(max_size=300))
def test_no_bytes_break_the_session_other_than_by_closing_it(data: bytes) -> None:
    session = logged_on()
    session.receive(b"8=FIX.4.4\x019=" + data, 0.0)
    session.receive(data, 0.0)
    session.take()


@given(st.binary(max_size=100))
def test_a_whole_message_of_any_content_only_ever_closes_the_session(body: bytes) -> None:
    head = b"8=FIX.4.4\x019=%d\x01" % len(body) + body
    session = logged_on()
    session.receive(head + b"10=%03d\x01" % checksum(head), 0.0)


def test_an_overlong_message_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        split_messages(bytearray(b"8=FIX.4.4\x019=70000\x01"))
