"""What the venue announces of phases, halts and bands, and the records that come of it."""

from datetime import UTC, datetime

import pytest

from edge.ingest.announced import Announced, PhaseTold, parse_phase, parse_security
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.sessions import Announcement, Phase, SecurityClass
from functions.shared.wire.announcements import decode_announcement, encode_announcement
from infra.exchange.notices import PhaseNotice, StatusNotice
from infra.exchange.phases import Phase as VenuePhase

AT = "20260710-03:45:00.000"
SINCE = datetime(2026, 7, 10, 3, 45, tzinfo=UTC)
AUCTION, OTHER = SecurityClass.CLOSING_AUCTION, SecurityClass.OTHER
CLASSES = {"RELIANCE": AUCTION, "M&M": AUCTION, "XYZ": OTHER}


def body(kind: str, notice: PhaseNotice | StatusNotice) -> bytes:
    text = "".join(f"{tag}={value}\x01" for tag, value in notice.fields())
    return f"35={kind}\x0134=2\x0149=XNSE\x0152={AT}\x0156=OUTCRY-M1\x01{text}".encode("latin-1")


def phase(phase: VenuePhase, kind: str = "", text: str = "") -> PhaseTold:
    return parse_phase(body("h", PhaseNotice(phase, kind, AT, text)))


def halted(phase: VenuePhase = VenuePhase.HALTED, symbol: str = "M&M") -> bytes:
    return body("f", StatusNotice(symbol, phase, 26_100_000, 31_900_000, AT, "news"))


def records(announced: Announced) -> dict[str, Announcement]:
    return {s: decode_announcement(s, value) for s, value in announced.take_dirty().items()}


@pytest.mark.parametrize("told", VenuePhase)
def test_every_phase_of_the_venue_is_understood(told: VenuePhase) -> None:
    expected = Phase.OPEN if told is VenuePhase.CONTINUOUS else Phase(told.value)
    assert phase(told, "OTHER", "why") == PhaseTold(expected, OTHER, SINCE, "why")


def test_a_phase_is_of_its_class_and_a_halt_of_its_security() -> None:
    announced = Announced(CLASSES)
    announced.phase(phase(VenuePhase.CONTINUOUS))
    announced.phase(phase(VenuePhase.CLOSING, "CLOSING_AUCTION"))
    announced.security(parse_security(halted()))
    announced.security(parse_security(halted(symbol="UNLISTED")))
    found = records(announced)
    assert found == {
        "RELIANCE": Announcement(Phase.CLOSING, SINCE),
        "M&M": Announcement(
            Phase.CLOSING, SINCE, Phase.HALTED, "news", (26_100_000, 31_900_000), SINCE
        ),
        "XYZ": Announcement(Phase.OPEN, SINCE),
    }
    assert records(announced) == {}
    announced.phase(phase(VenuePhase.CONTINUOUS, "CLOSING_AUCTION"))
    assert set(records(announced)) == {"RELIANCE", "M&M"}
    announced.security(parse_security(halted(VenuePhase.CONTINUOUS)))
    lifted = records(announced)["M&M"]
    assert (lifted.halt, lifted.lifted_at) == (None, SINCE)
    announced.phase(phase(VenuePhase.CLOSING, "CLOSING_AUCTION"))
    assert records(announced)["M&M"].lifted_at == SINCE
    announced.security(parse_security(halted()))
    assert records(announced)["M&M"].lifted_at is None


def test_a_halt_that_is_not_told_again_after_a_logon_is_over() -> None:
    announced = Announced(CLASSES)
    announced.phase(phase(VenuePhase.CONTINUOUS))
    for symbol in ("M&M", "XYZ"):
        announced.security(parse_security(halted(symbol=symbol)))
    announced.begin(CLASSES)
    announced.security(parse_security(halted(symbol="XYZ")))
    records(announced)
    for symbol in CLASSES:
        announced.settle(symbol)
    assert {symbol: each.halt for symbol, each in records(announced).items()} == {"M&M": None}


def test_nothing_is_said_of_a_security_whose_phase_was_not_told() -> None:
    announced = Announced(CLASSES)
    announced.security(parse_security(halted()))
    assert records(announced) == {}
    announced.phase(phase(VenuePhase.CONTINUOUS))
    assert records(announced)["M&M"].halt is Phase.HALTED


@pytest.mark.parametrize(
    "spoiled",
    [b"336=CONTINUOUS", b"336=LUNCH", b"341=20260710-03:45:00.000\x01336=OPENING",
     b"336=CLOSED\x01341=noon", b"336=CLOSED\x01625=BONDS\x01341=20260710-03:45:00.000"],
)  # fmt: skip
def test_a_phase_that_does_not_say_enough_ends_the_connection(spoiled: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        parse_phase(b"35=h\x01" + spoiled + b"\x01")


@pytest.mark.parametrize("gone", [55, 336, 332, 333, 60])
def test_a_security_status_needs_its_fields(gone: int) -> None:
    parts = [part for part in halted().split(b"\x01") if not part.startswith(b"%d=" % gone)]
    with pytest.raises(PeerProtocolError):
        parse_security(b"\x01".join(parts))


@pytest.mark.parametrize("value", [b"", b"{}", b'{"v":2}', b"\xff"])
def test_a_record_that_cannot_be_read_is_refused(value: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        decode_announcement("M&M", value)


def test_a_record_of_another_security_is_refused() -> None:
    with pytest.raises(PeerProtocolError):
        decode_announcement("XYZ", encode_announcement("M&M", Announcement(Phase.OPEN, SINCE)))


def test_each_change_is_news_once_and_again_when_it_may_be_lost() -> None:
    announced = Announced(CLASSES)
    announced.phase(phase(VenuePhase.CONTINUOUS))
    announced.security(parse_security(halted()))
    news = announced.take_news()
    assert [(each.security_class, each.symbol, each.phase) for each in news] == [
        ("CLOSING_AUCTION", None, Phase.OPEN), ("OTHER", None, Phase.OPEN),
        (None, "M&M", Phase.HALTED),
    ]  # fmt: skip
    announced.phase(phase(VenuePhase.CONTINUOUS))
    announced.security(parse_security(halted()))
    assert announced.take_news() == []
    announced.mark_all()
    assert announced.take_news() == news
    announced.begin(CLASSES)
    announced.settle("M&M")
    assert [(each.symbol, each.phase) for each in announced.take_news()] == [("M&M", Phase.OPEN)]
