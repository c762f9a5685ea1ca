"""The market-data session: logon, request, liveness, gaps, logout; no socket anywhere."""

from datetime import UTC, datetime

import pytest

from edge.ingest.fix import encode_message
from edge.ingest.limits import Limits
from edge.ingest.session import FeedSession, Kind, Message
from functions.shared.domain.errors import PeerProtocolError

WALL = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)


class Venue:
    """The other side: frames with the next number, and what the session wrote, by type."""

    def __init__(self) -> None:
        self.session = FeedSession("OUTCRY-M1", ["TCS", "M&M"], lambda: WALL)
        self.number = 0

    def send(self, kind: str, *fields: tuple[int, str], number: int | None = None) -> bytes:
        self.number = number if number is not None else self.number + 1
        head = [(35, kind), (34, str(self.number)), (49, "XNSE")]
        return encode_message([*head, (52, "20261123-04:30:00.125"), (56, "OUTCRY-M1"), *fields])

    def give(self, data: bytes, now: float = 0.0) -> list[Message]:
        return list(self.session.receive(data, now))

    def log_on(self) -> None:
        self.session.opened(0.0)
        assert self.wrote() == ["A"]
        self.give(self.send("A", (98, "0"), (108, "1"), (141, "Y")))

    def wrote(self) -> list[str]:
        fields = self.session.output().split(b"\x01")
        return [field[3:].decode() for field in fields if field.startswith(b"35=")]


@pytest.fixture
def venue() -> Venue:
    return Venue()


def test_a_logon_is_followed_by_a_request_for_every_symbol(venue: Venue) -> None:
    venue.session.opened(0.0)
    assert b"\x01141=Y\x01" in venue.session.output()
    venue.give(venue.send("A", (98, "0"), (108, "1"), (141, "Y")))
    request = venue.session.output()
    assert b"\x01263=1\x01264=5\x01267=8\x01" in request
    assert b"\x01146=2\x0155=TCS\x0155=M&M\x01" in request
    assert venue.session.logged_on


def test_market_data_carries_the_exchanges_time(venue: Venue) -> None:
    venue.log_on()
    messages = venue.give(venue.send("X", (268, "0")) + venue.send("W", (55, "TCS"), (268, "0")))
    assert [m.kind for m in messages] == [Kind.INCREMENTAL, Kind.SNAPSHOT]
    assert {m.sent_ms for m in messages} == {int(WALL.timestamp()) * 1000 + 125}


def test_a_gap_ends_the_request_and_asks_for_snapshots_again(venue: Venue) -> None:
    venue.log_on()
    venue.wrote()
    assert len(venue.give(venue.send("X", (268, "0"), number=5))) == 1
    assert venue.wrote() == ["V", "V"]
    assert venue.session.gaps == 1
    venue.give(venue.send("X", (268, "0")))
    assert venue.wrote() == []


def test_a_number_seen_before_ends_the_session_unless_it_is_a_possible_duplicate(
    venue: Venue,
) -> None:
    venue.log_on()
    assert venue.give(venue.send("X", (43, "Y"), (268, "0"), number=1)) == []
    with pytest.raises(PeerProtocolError):
        venue.give(venue.send("X", (268, "0"), number=1))


def test_a_test_request_is_answered_and_silence_is_asked_about(venue: Venue) -> None:
    venue.log_on()
    venue.wrote()
    venue.give(venue.send("1", (112, "hello")))
    assert b"112=hello" in venue.session.output()
    venue.give(venue.send("W", (55, "RELIANCE"), (268, "0")))
    venue.session.tick(1.0)
    assert venue.wrote() == ["0"]
    venue.session.tick(1.6)
    assert venue.wrote() == ["1"]
    assert venue.session.heard_at == 0.0
    with pytest.raises(PeerProtocolError):
        venue.session.tick(Limits().silence_seconds + 0.1)


def test_nothing_counts_as_heard_before_the_first_price_came(venue: Venue) -> None:
    venue.log_on()
    assert venue.session.heard_at == float("-inf")
    venue.give(venue.send("W", (55, "RELIANCE"), (268, "0")), 0.1)
    assert venue.session.heard_at == 0.1


def test_market_data_is_named_by_its_publication_and_number_and_a_heartbeat_tells_the_time(
    venue: Venue,
) -> None:
    venue.log_on()
    named = [(262, "r"), (1180, "P-1"), (1181, "7"), (268, "0")]
    (message,) = venue.give(venue.send("X", *named))
    assert (message.publication, message.number) == (b"P-1", 7)
    (message,) = venue.give(venue.send("X", (262, "r"), (268, "0")))
    assert (message.publication, message.number) == (b"", 0)
    fresh = Venue()
    fresh.log_on()
    fresh.give(fresh.send("0"))
    assert fresh.session.seen_ms == int(WALL.timestamp()) * 1000 + 125


def test_a_session_asks_anew_only_while_it_is_on(venue: Venue) -> None:
    venue.session.ask_anew(0.0)
    assert venue.wrote() == []
    venue.log_on()
    venue.wrote()
    venue.session.ask_anew(0.0)
    assert venue.wrote() == ["V", "V"]


def test_no_logon_in_time_ends_the_session(venue: Venue) -> None:
    venue.session.opened(0.0)
    venue.session.tick(4.9)
    with pytest.raises(PeerProtocolError):
        venue.session.tick(5.1)


def test_market_data_before_the_logon_ends_the_session(venue: Venue) -> None:
    venue.session.opened(0.0)
    with pytest.raises(PeerProtocolError):
        venue.give(venue.send("X", (268, "0")))


def test_a_logout_is_answered_and_ends_the_session(venue: Venue) -> None:
    venue.log_on()
    venue.wrote()
    assert venue.give(venue.send("5")) == []
    assert venue.wrote() == ["5"]
    assert venue.session.ended


def test_a_resend_request_is_answered_with_a_gap_fill(venue: Venue) -> None:
    venue.log_on()
    venue.session.output()
    venue.give(venue.send("2", (7, "1"), (16, "0")))
    answer = venue.session.output()
    assert b"35=4\x0134=1\x01" in answer
    assert b"123=Y\x0136=3\x01" in answer


def test_a_refusal_is_told_with_its_text(venue: Venue) -> None:
    venue.log_on()
    (message,) = venue.give(venue.send("Y", (262, "1"), (58, "unknown symbol")))
    assert message == Message(Kind.REFUSAL, b"unknown symbol", 0)


def test_announcements_and_listings_are_handed_on(venue: Venue) -> None:
    venue.log_on()
    data = venue.send("h", (336, "HALTED"), (340, "1")) + venue.send("d", (55, "NEW"))
    data += venue.send("f", (55, "TCS"), (326, "2")) + venue.send("X", (268, "0"))
    kinds = [message.kind for message in venue.give(data)]
    assert kinds == [Kind.PHASE, Kind.LISTING, Kind.SECURITY, Kind.INCREMENTAL]
