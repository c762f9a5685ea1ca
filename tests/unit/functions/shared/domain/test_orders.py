"""The order life: which way out of each status there is, and which there is not."""

import pytest

from functions.shared.domain.orders import AT_VENUE, FINAL, TRANSITIONS, WORKING, Happening, Status

#: What a bust or a correction of a trade leaves of an order.
_LEFT = {happening for happening in Happening if happening.startswith("LEFT_")}


def test_only_a_late_fill_leads_out_of_a_final_status() -> None:
    ways = {(s, h, n) for (s, h), n in TRANSITIONS.items() if s in FINAL and n is not s}
    ways = {way for way in ways if way[1] not in _LEFT}
    assert ways == {
        (Status.CANCELLED, Happening.FULLY_FILLED, Status.FILLED),
        (Status.EXPIRED, Happening.FULLY_FILLED, Status.FILLED),
    }


def test_nothing_that_ended_works_again_unless_its_trade_is_taken_back() -> None:
    ways = {(s, h) for (s, h), n in TRANSITIONS.items() if s in FINAL and n in WORKING}
    assert ways == {
        (Status.FILLED, Happening.LEFT_UNFILLED), (Status.FILLED, Happening.LEFT_PARTLY_FILLED)
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
