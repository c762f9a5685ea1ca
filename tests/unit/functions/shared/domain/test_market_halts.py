"""What follows from what: the index, the venue's word and an operator's, on one trade date."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.breaker import breaker_rules
from functions.shared.domain.calendar import in_force, market_status
from functions.shared.domain.market_halts import (
    HaltOrder,
    HaltSource,
    MarketHalt,
    VenueWord,
    next_halt,
    ordered_halt,
)
from functions.shared.domain.sessions import Announcement, Phase, SecurityClass
from functions.shared.wire.market_halts import decode_halt, encode_halt

RULES = breaker_rules(date(2026, 11, 23))
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{text}+05:30")


def said(halt: MarketHalt | None) -> MarketHalt:
    assert halt is not None
    return halt


def by_index(time: str, percent: int = 10, standing: MarketHalt | None = None) -> MarketHalt:
    return said(next_halt(standing, at(time), percent, None, RULES))


def word(phase: Phase, time: str) -> VenueWord:
    return VenueWord(phase, at(time))


def heard(standing: MarketHalt | None, phase: Phase, time: str, percent: int = 0) -> MarketHalt:
    return said(next_halt(standing, at(time), percent, word(phase, time), RULES))


def phases(halt: MarketHalt, *times: str) -> list[Phase | None]:
    return [halt.phase_at(at(time)) for time in times]


def test_the_index_alone_stops_the_market_by_the_table_and_opens_it_by_an_auction() -> None:
    halt = by_index("10:00:00")
    assert (halt.source, halt.level, halt.cause) == (HaltSource.INDEX, 10, "INDEX 10")
    assert phases(halt, "09:59:59", "10:00:00", "10:44:59", "10:45:00", "10:59:59", "11:00:00") == [
        None, Phase.HALTED, Phase.HALTED, Phase.REOPENING, Phase.REOPENING, None
    ]  # fmt: skip
    assert halt.until(at("10:10:00")) == at("10:45:00")
    assert halt.until(at("10:50:00")) == at("11:00:00")
    assert "10 %) since 10:00:00 IST until 10:45:00" in halt.text


def test_a_level_stops_the_market_once_a_date_and_a_higher_one_again() -> None:
    first = by_index("10:00:00")
    assert next_halt(first, at("11:30:00"), 10, None, RULES) is None
    second = by_index("13:30:00", 15, first)
    assert (second.seq, second.level, second.since) == (2, 15, at("13:30:00"))
    assert phases(second, "14:14:59", "14:15:00", "14:30:00") == [
        Phase.HALTED, Phase.REOPENING, None
    ]  # fmt: skip
    third = by_index("14:31:00", 20, second)
    assert (third.resumes_at, third.phase_at(at("23:59:00"))) == (None, Phase.HALTED)
    assert third.phase_at(at("23:59:00") + MINUTE) is None
    assert "rest of the day" in third.text


def test_who_jumps_over_a_level_has_passed_it() -> None:
    halt = by_index("12:00:00", 15)
    assert halt.resumes_at == at("13:45:00")
    assert next_halt(halt, at("14:10:00"), 10, None, RULES) is None


def test_the_first_level_late_in_the_day_stops_nothing() -> None:
    assert next_halt(None, at("14:30:00"), 10, None, RULES) is None


def test_the_next_trade_date_begins_anew() -> None:
    yesterday = replace(by_index("10:00:00", 20), trade_date=date(2026, 11, 20))
    assert yesterday.phase_at(at("10:00:00")) is None
    assert by_index("10:00:00", 10, yesterday).seq == 1


def test_the_venue_is_first_and_the_index_says_which_level_it_is() -> None:
    halt = heard(None, Phase.HALTED, "10:00:00")
    assert (halt.source, halt.level, halt.resumes_at) == (HaltSource.VENUE, 0, None)
    levelled = said(next_halt(halt, at("10:00:01"), 10, word(Phase.HALTED, "10:00:00"), RULES))
    assert (levelled.source, levelled.since) == (HaltSource.VENUE, at("10:00:00"))
    assert (levelled.level, levelled.resumes_at) == (10, at("10:45:00"))
    both = heard(None, Phase.HALTED, "10:00:00", percent=10)
    assert (both.seq, both.source, both.resumes_at) == (1, HaltSource.VENUE, at("10:45:00"))


def test_the_venue_confirms_what_the_index_said_and_from_then_on_its_word_counts() -> None:
    halt = by_index("10:00:00.350000")
    confirmed = said(
        next_halt(halt, at("10:00:01"), 10, word(Phase.HALTED, "10:00:00.340000"), RULES)
    )
    assert (confirmed.source, confirmed.venue) == (HaltSource.INDEX, Phase.HALTED)
    assert confirmed.phase_at(at("12:00:00")) is Phase.HALTED  # it has not said otherwise
    assert confirmed.until(at("12:00:00")) is None
    collects = heard(confirmed, Phase.REOPENING, "12:00:00")
    assert (collects.resumes_at, collects.opens_at) == (at("12:00:00"), at("12:15:00"))
    opened = heard(collects, Phase.OPEN, "12:16:00")
    assert (opened.phase_at(at("12:16:00")), opened.level) == (None, 10)
    assert next_halt(opened, at("12:17:00"), 10, word(Phase.OPEN, "12:16:00"), RULES) is None


def test_the_venue_that_told_of_an_open_market_before_does_not_lift_what_the_index_said() -> None:
    halt = by_index("10:00:00")
    assert next_halt(halt, at("10:01:00"), 10, word(Phase.OPEN, "09:15:00"), RULES) is None
    lifted = heard(halt, Phase.OPEN, "10:20:00", percent=10)
    assert lifted.phase_at(at("10:20:00")) is None


def test_what_the_venue_said_on_another_day_is_nothing_said() -> None:
    yesterday = VenueWord(Phase.HALTED, at("10:00:00") - timedelta(days=3))
    assert next_halt(None, at("10:00:00"), 0, yesterday, RULES) is None


def test_a_halt_is_heard_of_late_when_the_market_is_opening_again_already() -> None:
    halt = heard(None, Phase.REOPENING, "10:50:00")
    assert phases(halt, "10:50:00", "11:04:59") == [Phase.REOPENING, Phase.REOPENING]


def test_the_close_ends_no_halt_of_the_day() -> None:
    halt = heard(by_index("14:10:00", 15), Phase.HALTED, "14:10:01", 15)
    assert next_halt(halt, at("15:30:00"), 15, word(Phase.CLOSED, "15:30:00"), RULES) is None


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.REOPENING])
def test_an_operators_halt_is_not_ended_by_the_venue(phase: Phase) -> None:
    order = HaltOrder(Phase.HALTED, None, 15 * MINUTE)
    halt = ordered_halt(None, at("10:00:00"), order, 7)
    assert (halt.cause, halt.resumes_at) == ("AUDIT 7", None)
    assert "until an operator opens it: ordered by the broker's risk officers" in halt.text
    assert next_halt(halt, at("10:05:00"), 0, word(phase, "10:04:00"), RULES) is None
    higher = by_index("10:06:00", 10, halt)
    assert (higher.level, higher.resumes_at) == (10, None)


def test_an_operator_sets_when_the_market_opens_again() -> None:
    halted = heard(by_index("10:00:00"), Phase.HALTED, "10:00:01", 10)
    order = HaltOrder(Phase.HALTED, 20 * MINUTE, 10 * MINUTE)
    halt = ordered_halt(halted, at("10:30:00"), order, 8)
    assert (halt.since, halt.level, halt.venue) == (at("10:00:00"), 10, None)
    assert phases(halt, "10:49:59", "10:50:00", "11:00:00") == [
        Phase.HALTED, Phase.REOPENING, None
    ]  # fmt: skip


def test_an_operators_lift_goes_before_what_the_venue_had_said_and_not_before_what_it_says() -> (
    None
):
    halted = heard(None, Phase.HALTED, "10:00:00")
    order = HaltOrder(Phase.OPEN, None, 15 * MINUTE)
    lifted = ordered_halt(halted, at("10:30:00"), order, 9)
    assert lifted.phase_at(at("10:30:00")) is None
    assert next_halt(lifted, at("10:31:00"), 0, word(Phase.HALTED, "10:00:00"), RULES) is None
    told = Announcement(Phase.HALTED, at("10:00:00"))
    now = at("10:31:00")
    calendar = market_status(now, "nse", SecurityClass.OTHER)
    assert in_force(calendar, told, lifted, now).phase is Phase.OPEN
    assert in_force(calendar, told, None, now).phase is Phase.HALTED
    again = heard(lifted, Phase.HALTED, "10:40:00")
    assert again.phase_at(at("10:40:00")) is Phase.HALTED


def test_a_halt_is_the_phase_of_all_but_of_a_closed_market_and_of_a_share_halted_for_longer() -> (
    None
):
    halt = by_index("10:00:00")
    for now, phase in ((at("10:10:00"), Phase.HALTED), (at("10:50:00"), Phase.REOPENING)):
        status = in_force(market_status(now, "nse", SecurityClass.OTHER), None, halt, now)
        assert (status.phase, status.halt) == (phase, halt)
    now = at("10:50:00")
    calendar = market_status(now, "nse", SecurityClass.OTHER)
    own = Announcement(Phase.OPEN, at("09:15:00"), halt=Phase.HALTED, text="news pending")
    assert in_force(calendar, own, halt, now).text == "news pending"
    now = at("16:30:00")
    closed = market_status(now, "nse", SecurityClass.OTHER)
    assert in_force(closed, None, by_index("10:00:00", 20), now).phase is Phase.CLOSED
    now = at("11:00:30")
    opened = in_force(market_status(now, "nse", SecurityClass.OTHER), None, halt, now)
    assert (opened.phase, opened.sure_since) == (Phase.OPEN, at("11:00:00"))


def test_a_statement_is_the_same_after_the_wire() -> None:
    halt = heard(by_index("10:00:00"), Phase.HALTED, "10:00:01", 10)
    assert decode_halt(encode_halt(halt)) == halt
    assert msgspec.json.decode(encode_halt(halt))["venue"] == "HALTED"


_STEPS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([0, 10, 15, 20]),
        st.sampled_from([None, Phase.HALTED, Phase.REOPENING, Phase.OPEN, Phase.CLOSED]),
    ),
    max_size=25,
)


@given(_STEPS)
def test_thinking_twice_says_nothing_more_and_levels_only_rise(
    steps: list[tuple[int, int, Phase | None]],
) -> None:
    now, standing, venue = at("09:15:00"), None, None
    causes: set[str] = set()
    for minutes, percent, phase in steps:
        now += minutes * MINUTE
        venue = venue if phase is None else VenueWord(phase, now)
        for _ in range(3):  # a kill between saying and knowing: thought of again from what stands
            halt = next_halt(standing, now, percent, venue, RULES)
            if halt is None:
                break
            assert halt.cause not in causes
            assert halt.seq == (standing.seq + 1 if standing else 1)
            assert standing is None or halt.level >= standing.level
            causes.add(halt.cause)
            standing = halt
        assert next_halt(standing, now, percent, venue, RULES) is None
