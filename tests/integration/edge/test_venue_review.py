"""The gateway's review of what the venue says, in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from functions.shared.clock import micros
from functions.shared.stores import venue_review
from functions.shared.stores.fill_copies import LedgerFillCopies
from functions.shared.stores.leases import LedgerLeases
from functions.shared.stores.postgres import Shards
from functions.shared.stores.venue_review import Difference, LedgerVenueReview
from infra.command import reconcile
from infra.local.postgres import OWNER
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import ShardsUnderTest

NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)


def hold(shards: Shards) -> int:
    fence = LedgerLeases(shards.control).take(["OUTCRY-O1"], "test", 60)
    assert fence is not None
    return fence


def test_every_working_order_of_all_shards_is_read_page_by_page(
    shards: Shards, edge_shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_review, "PAGE", 2)
    first, second = Trader(shards, 5, LAKH), Trader(shards, 63, LAKH)
    orders = [first.buy(2) for _ in range(5)]
    for order in orders[:4]:
        first.told(order, "0")
    first.told(orders[0], "4")
    first.cancel(orders[1])
    elsewhere = second.buy(1)
    review = LedgerVenueReview(edge_shards, 0)
    found = {o.order_id: o for o in review.working_orders()}
    assert found.keys() == {*orders[1:], elsewhere}
    at_rest, changing = found[orders[2]], found[orders[1]]
    assert (at_rest.user_id, at_rest.symbol, at_rest.side) == (5, "ACME", "BUY")
    assert (at_rest.quantity, at_rest.filled, at_rest.limit_price) == (2, 0, 1_000_000)
    assert (at_rest.status, at_rest.answered, changing.answered) == ("OPEN", 1, 0)
    ended = review.orders_named([orders[0], elsewhere, 7])
    assert {o.status for o in ended} == {"CANCELLED", "PENDING"}


def test_a_difference_stands_until_it_is_found_gone_and_reconcile_tells_of_it(
    databases: ShardsUnderTest, edge_shards: Shards
) -> None:
    review, owner = LedgerVenueReview(edge_shards, hold(edge_shards)), databases.urls(OWNER)[0]
    lost = Difference("LOST_ORDER", "42", "OPEN: ...", "")
    fill = Difference("MISSING_FILL", "2026-07-10/X1", "", "bought")
    review.note("OUTCRY-O1", ["LOST_ORDER", "UNKNOWN_ORDER"], [lost], NOON)
    review.note("OUTCRY-O1", ["MISSING_FILL"], [fill], NOON)
    review.note("OUTCRY-O1", ["LOST_ORDER"], [lost], NOON + timedelta(seconds=1))
    assert reconcile.read_noted(owner) == [
        "LOST_ORDER 42 on OUTCRY-O1: the ledger says OPEN: ..., the venue nothing",
        "MISSING_FILL 2026-07-10/X1 on OUTCRY-O1: the ledger says nothing, the venue bought",
    ]
    review.note("OUTCRY-O1", ["LOST_ORDER"], [], NOON + timedelta(seconds=2))
    assert len(reconcile.read_noted(owner)) == 1


def test_copies_are_kept_until_they_are_found_booked_on_whichever_shard(
    shards: Shards, edge_shards: Shards
) -> None:
    first, second = Trader(shards, 5, LAKH), Trader(shards, 63, LAKH)
    told = [trader.report(trader.buy(1), "F", last_quantity=1, last_price=1_000_000)
            for trader in (first, second, first)]  # fmt: skip
    copies = LedgerFillCopies(edge_shards, "OUTCRY-O1", hold(edge_shards))
    copies.record(told)
    copies.record(told[:1])
    for trader, report in zip((first, second), told, strict=False):
        assert trader.apply(report).outcome == "APPLIED"
    opened = {copy.fill.key: copy for copy in copies.open()}
    assert [copy.report for copy in opened.values()] == told
    booked = copies.booked(list(opened))
    assert {fill.key for fill in booked} == set(list(opened)[:2])
    assert all(opened[fill.key].fill == fill for fill in booked)
    copies.mark_booked([fill.key for fill in booked])
    copies.mark_handed_on(list(opened)[2:])
    (left,) = copies.open()
    assert left.handed_on
    assert left.report == told[2]


def test_a_bust_told_by_the_drop_copy_alone_is_found_booked_and_one_that_is_parked_is_parked_once(
    shards: Shards, edge_shards: Shards
) -> None:
    trader, other = Trader(shards, 5, LAKH), Trader(shards, 6, LAKH)
    copies = LedgerFillCopies(edge_shards, "OUTCRY-O1", hold(edge_shards))
    order = trader.buy(2)
    fill = trader.report(order, "F", last_quantity=2, last_price=1_000_000)
    bust = trader.report(order, "H", exec_ref=fill.exec_id, ord_status="4", session="OUTCRY-D1")
    copies.record([fill, bust])
    trader.apply(fill)
    assert [f.exec_id for f in copies.booked([c.fill.key for c in copies.open()])] == [fill.exec_id]
    assert trader.apply(bust).outcome == "APPLIED"
    opened = {copy.fill.key: copy.fill for copy in copies.open()}
    assert {f.key: f for f in copies.booked(list(opened))} == opened
    unknown = other.report(other.buy(1), "H", exec_ref="nothing")
    again = msgspec.structs.replace(unknown, session="OUTCRY-D1", position=90_001)
    assert [other.apply(report).outcome for report in (unknown, again)] == ["PARKED", "PARKED"]
    rows = shards.of_user(6).run("SELECT count(*) FROM ledger.parked_execution WHERE user_id = 6")
    assert rows == [[1]]


def test_booked_fills_of_a_span_are_looked_up_among_the_copies(
    shards: Shards, edge_shards: Shards
) -> None:
    trader, copies = (
        Trader(shards, 5, LAKH),
        LedgerFillCopies(edge_shards, "OUTCRY-O1", hold(edge_shards)),
    )
    reports = [
        trader.report(trader.buy(1), "F", last_quantity=1, last_price=1_000_000,
                      transacted_at=micros(NOON + timedelta(minutes=minute)))
        for minute in range(4)
    ]  # fmt: skip
    for report in reports:
        trader.apply(report)
    copies.record(reports[:2])
    assert copies.compared_through() is None
    span = copies.booked_between(NOON, NOON + timedelta(minutes=3))
    assert {fill.exec_id for fill in span} == {r.exec_id for r in reports[1:3]}
    assert [fill.exec_id for fill in copies.not_copied(span)] == [reports[2].exec_id]
    copies.move_compared(NOON)
    copies.mark_booked([fill.key for fill in span])
    copies.move_compared(NOON + timedelta(days=8))  # copies found booked before go
    assert [copy.report for copy in copies.open()] == reports[:1]
    assert copies.compared_through() == NOON + timedelta(days=8)
    assert len(copies.not_copied(span)) == 2
