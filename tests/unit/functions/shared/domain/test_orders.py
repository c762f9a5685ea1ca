"""The order life: which way out of each status there is, and which there is not."""

import pytest

from functions.shared.domain.orders import AT_VENUE, FINAL, TRANSITIONS, WORKING, Happening, Status

_LEFT = {h for h in Happening if h.startswith("LEFT_")}
"""What an amended trade leaves."""


def test_only_a_late_fill_or_an_amended_trade_leads_out_of_a_final_status() -> None:
    ways = {(s, h, n) for (s, h), n in TRANSITIONS.items() if s in FINAL and n is not s}
    assert {way for way in ways if way[1] not in _LEFT} == {
        (Status.CANCELLED, Happening.FULLY_FILLED, Status.FILLED),
        (Status.EXPIRED, Happening.FULLY_FILLED, Status.FILLED),
    }


def test_of_what_ended_only_a_filled_order_whose_trade_was_taken_back_works_again() -> None:
    again = {(s, h) for (s, h), n in TRANSITIONS.items() if s in FINAL and n in WORKING}
    assert again == {
        (Status.FILLED, Happening.LEFT_UNFILLED),
        (Status.FILLED, Happening.LEFT_PARTLY_FILLED),
    }


def test_a_trade_is_amended_only_of_an_order_that_traded() -> None:
    could = {s for s, h in TRANSITIONS if h in _LEFT}
    assert could == {
        Status.PARTIALLY_FILLED, Status.FILLED, Status.CANCELLED, Status.EXPIRED,
    }  # fmt: skip


@pytest.mark.parametrize("status", [Status.DENIED, Status.REJECTED])
def test_what_never_lived_at_the_venue_changes_no_more(status: Status) -> None:
    assert not [s for s, _ in TRANSITIONS if s is status]


@pytest.mark.parametrize("status", sorted(AT_VENUE))
@pytest.mark.parametrize(
    ("happening", "ends"),
    [
        (Happening.CANCELLED, Status.CANCELLED),
        (Happening.VENUE_CANCELLED, Status.CANCELLED),
        (Happening.EXPIRED, Status.EXPIRED),
        (Happening.FULLY_FILLED, Status.FILLED),
    ],
)
def test_every_order_at_the_venue_ends(status: Status, happening: Happening, ends: Status) -> None:
    assert TRANSITIONS[status, happening] is ends


def test_an_order_that_traded_is_never_rejected() -> None:
    assert (Status.PARTIALLY_FILLED, Happening.REJECTED) not in TRANSITIONS


def test_only_a_release_leads_to_pending_and_nothing_back_to_waiting() -> None:
    ways = {(s, h) for (s, h), n in TRANSITIONS.items() if n is Status.PENDING}
    assert ways == {(Status.TRIGGER_PENDING, Happening.RELEASED)}
    back = {s for (s, _), n in TRANSITIONS.items() if n is Status.TRIGGER_PENDING}
    assert back == {Status.TRIGGER_PENDING}


def test_the_venue_can_do_nothing_to_an_order_that_waits() -> None:
    told = {h for s, h in TRANSITIONS if s is Status.TRIGGER_PENDING}
    assert told == {
        Happening.RELEASED, Happening.DENIED, Happening.MODIFIED, Happening.CANCELLED,
        Happening.EXPIRED,
    }  # fmt: skip
