"""The sessions of each rule set, and whose word rules: the calendar's or the venue's."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.calendar import INDIA, MarketStatus, market_status, ruled
from functions.shared.domain.sessions import (
    RULE_SETS,
    TAKES,
    Announcement,
    Phase,
    SecurityClass,
    rule_set,
)

AUCTION, OTHER = SecurityClass.CLOSING_AUCTION, SecurityClass.OTHER


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


def status(text: str, security: SecurityClass = AUCTION) -> MarketStatus:
    return market_status(at(text), "nse", security)


@pytest.mark.parametrize(
    ("moment", "auction", "other"),
    [
        # S1: one day for all
        ("2026-07-31T09:06:59", Phase.PRE_OPEN, Phase.PRE_OPEN),
        ("2026-07-31T09:07:00", Phase.PRE_OPEN_MATCH, Phase.PRE_OPEN_MATCH),
        ("2026-07-31T15:20:00", Phase.OPEN, Phase.OPEN),
        ("2026-07-31T15:40:00", Phase.POST_CLOSE, Phase.POST_CLOSE),
        # S2: the closing auction
        ("2026-08-03T09:06:59", Phase.PRE_OPEN, Phase.PRE_OPEN),
        ("2026-08-03T15:14:59", Phase.OPEN, Phase.OPEN),
        ("2026-08-03T15:15:00", Phase.CLOSING_REFERENCE, Phase.OPEN),
        ("2026-08-03T15:20:00", Phase.CLOSING, Phase.OPEN),
        ("2026-08-03T15:25:00", Phase.CLOSING_LIMIT, Phase.OPEN),
        ("2026-08-03T15:29:00", Phase.CLOSING_MATCH, Phase.OPEN),
        ("2026-08-03T15:30:00", Phase.CLOSING_MATCH, Phase.CLOSED),
        ("2026-08-03T15:40:00", Phase.CLOSED, Phase.CLOSED),
        ("2026-08-03T15:50:00", Phase.POST_CLOSE, Phase.POST_CLOSE),
        ("2026-08-03T16:00:00", Phase.CLOSED, Phase.CLOSED),
        # S3: the pre-open that takes limit orders alone at its end
        ("2026-09-07T09:04:59", Phase.PRE_OPEN, Phase.PRE_OPEN),
        ("2026-09-07T09:05:00", Phase.PRE_OPEN_LIMIT, Phase.PRE_OPEN_LIMIT),
        ("2026-09-07T09:08:00", Phase.PRE_OPEN_MATCH, Phase.PRE_OPEN_MATCH),
        ("2026-09-07T09:15:00", Phase.OPEN, Phase.OPEN),
        # no session
        ("2026-09-12T10:00:00", Phase.CLOSED, Phase.CLOSED),
    ],
)
def test_each_rule_set_has_its_sessions(moment: str, auction: Phase, other: Phase) -> None:
    assert (status(moment).phase, status(moment, OTHER).phase) == (auction, other)


def test_each_rule_set_holds_from_its_day() -> None:
    days = [date(2026, 8, 2), date(2026, 8, 3), date(2026, 9, 6), date(2026, 9, 7)]
    assert [rule_set(day).name for day in days] == ["S1", "S2", "S2", "S3"]


def test_the_rows_of_a_day_are_in_order_and_every_phase_says_what_it_takes() -> None:
    assert set(TAKES) == set(Phase)
    for rules in RULE_SETS:
        for rows in rules.rows.values():
            times = [row.at for row in rows]
            assert times == sorted(set(times))
            assert rows[-1].phase is Phase.CLOSED


def told(phase: Phase, moment: str, halt: Phase | None = None) -> Announcement:
    return Announcement(phase, at(moment), halt, "because")


@pytest.mark.parametrize(
    ("now", "announced", "phase"),
    [
        # the venue closes early, or opens on a holiday: its word is newer than the boundary
        ("2026-09-08T13:30:00", told(Phase.CLOSED, "2026-09-08T13:00:00"), Phase.CLOSED),
        ("2026-11-08T18:20:00", told(Phase.OPEN, "2026-11-08T18:15:00"), Phase.OPEN),
        # what it said before the calendar's next boundary is no longer about now
        ("2026-09-08T15:55:00", told(Phase.OPEN, "2026-09-08T09:15:00"), Phase.POST_CLOSE),
        ("2026-09-09T10:00:00", told(Phase.CLOSED, "2026-09-08T16:00:00"), Phase.OPEN),
        # an auction whose end is left to chance goes on until the venue ends it
        ("2026-09-08T15:29:00", told(Phase.CLOSING_LIMIT, "2026-09-08T15:25:00"),
         Phase.CLOSING_LIMIT),
        ("2026-09-08T15:29:00", told(Phase.CLOSING_MATCH, "2026-09-08T15:28:40"),
         Phase.CLOSING_MATCH),
        # a share's halt rules whatever the phase of the others, and ends with the day
        ("2026-09-08T10:00:00", told(Phase.OPEN, "2026-09-08T09:15:00", Phase.HALTED),
         Phase.HALTED),
        ("2026-09-08T15:22:00", told(Phase.OPEN, "2026-09-08T09:15:00", Phase.HALTED),
         Phase.HALTED),
        ("2026-09-08T10:00:00", told(Phase.OPEN, "2026-09-08T09:15:00", Phase.REOPENING),
         Phase.REOPENING),
        ("2026-09-08T15:40:00", told(Phase.OPEN, "2026-09-08T09:15:00", Phase.HALTED),
         Phase.CLOSED),
    ],
)  # fmt: skip
def test_the_venues_word_rules_until_the_calendar_has_passed_it(
    now: str, announced: Announcement, phase: Phase
) -> None:
    assert ruled(status(now), announced).phase is phase


@given(
    minutes=st.integers(0, 24 * 60 - 1),
    before=st.integers(0, 3 * 24 * 60),
    phase=st.sampled_from(Phase),
    security=st.sampled_from(SecurityClass),
)
def test_a_phase_that_ended_is_never_believed(
    minutes: int, before: int, phase: Phase, security: SecurityClass
) -> None:
    now = at("2026-09-08T00:00:00") + timedelta(minutes=minutes)
    calendar = market_status(now, "nse", security)
    found = ruled(calendar, Announcement(phase, now - timedelta(minutes=before)))
    assert calendar.sure_since is not None
    stale = now - timedelta(minutes=before) < calendar.sure_since
    assert found.phase is (calendar.phase if stale else phase)


def test_after_a_halt_of_its_own_a_share_surely_trades_since_the_lift() -> None:
    opened, lifted = "2026-09-08T09:15:00", "2026-09-08T11:00:10"
    told_later = told(Phase.OPEN, opened)._replace(lifted_at=at(lifted))
    found = ruled(status("2026-09-08T11:00:30"), told_later)
    assert (found.phase, found.sure_since) == (Phase.OPEN, at(lifted))
    yesterday = told(Phase.OPEN, opened)._replace(lifted_at=at("2026-09-07T11:00:00"))
    assert ruled(status("2026-09-08T11:00:30"), yesterday).sure_since == at(opened)
    again = told(Phase.OPEN, opened, Phase.HALTED)._replace(lifted_at=at(lifted))
    assert ruled(status("2026-09-08T11:00:30"), again).phase is Phase.HALTED


def test_without_a_word_of_the_venue_the_calendar_rules() -> None:
    assert ruled(status("2026-09-08T10:00:00"), None).phase is Phase.OPEN
