"""Busts, corrections and late trades: both sides hear of it, and every sum still agrees."""

import contextlib
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.exchange import amendments
from infra.exchange.amendments import Refused
from infra.exchange.book import RestingOrder
from infra.exchange.health import trades_page
from infra.exchange.register import Register
from infra.exchange.reports import ExecType, OrdStatus, Report, execution_fields
from tests.unit.infra.exchange.broker import BUY, RUPEE, SELL, Desk, execution, ist, kinds


def traded() -> Desk:
    """A filled seller, and a buyer with 15 of 25 open."""
    desk = Desk()
    desk.order("s", SELL, 10, 100.0)
    desk.order("b", BUY, 25, 100.0)
    return desk


def settle(desk: Desk) -> list[Report]:
    return desk.advance(ist("2026-11-23 12:00", "always-open"))


def test_a_bust_takes_the_trade_back_on_both_sides() -> None:
    desk = traded()
    trade = amendments.last_trade(desk.executions, "ABC")
    amendments.bust(desk.floor, trade, "clearly erroneous")
    reports = settle(desk)
    assert sorted(kinds(reports)) == [("b", "BUST", "NEW"), ("s", "BUST", "CANCELED")]
    sold = next(execution(r) for r in reports if execution(r).side is SELL)
    fields = dict(execution_fields(sold))
    first = next(t for t in desk.register.trades if t.side is SELL)
    assert (fields[150], fields[19], fields[14], fields[151]) == ("H", first.exec_id, "0", "0")
    assert (fields[32], fields[31], fields[6]) == ("10", "100.00", "0.00")
    assert desk.book.depth(BUY) == [(100 * RUPEE, 25)]


def test_a_trade_is_busted_once() -> None:
    desk = traded()
    trade = amendments.last_trade(desk.executions, "ABC")
    amendments.bust(desk.floor, trade, "")
    with pytest.raises(Refused, match="before"):
        amendments.bust(desk.floor, trade, "")
    with pytest.raises(Refused, match="no client traded"):
        amendments.last_trade(desk.executions, "ABC")


def test_a_correction_changes_price_and_quantity_and_refers_to_the_first_execid() -> None:
    desk = traded()
    trade = amendments.find_trade(desk.executions, desk.register.trades[0].exec_id)
    amendments.correct(desk.floor, trade, 101 * RUPEE, 10, "")
    assert sorted(kinds(settle(desk))) == [
        ("b", "CORRECT", "PARTIALLY_FILLED"),
        ("s", "CORRECT", "FILLED"),
    ]
    amendments.correct(desk.floor, trade, 101 * RUPEE, 4, "")
    again = [execution(r) for r in settle(desk)]
    assert {r.exec_ref_id for r in again} == {t.exec_id for t in desk.register.trades}
    buyer = next(r for r in again if r.side is BUY)
    assert (buyer.cum, buyer.leaves, buyer.value) == (4, 21, 4 * 101 * RUPEE)
    rows = trades_page(desk.register, "", 0)["trades"]
    assert {(row["state"], row["quantity"], row["price"]) for row in rows} == {
        ("CORRECTED", 4, 101 * RUPEE)
    }


@pytest.mark.parametrize(("price", "quantity"), [(0, 5), (1_000_001, 5), (1_000_000, 11)])
def test_a_correction_that_no_trade_could_have_had_is_refused(price: int, quantity: int) -> None:
    desk = traded()
    with pytest.raises(Refused):
        amendments.correct(desk.floor, desk.register.trades[0], price, quantity, "")


def test_a_bust_on_a_later_day_bears_the_date_of_the_trade() -> None:
    desk = traded()
    desk.advance(ist("2026-11-25 12:00", "always-open"))
    amendments.bust(desk.floor, desk.register.trades[0], "")
    late = execution(desk.advance(ist("2026-11-25 12:01", "always-open"))[0])
    assert (late.trade_date, late.exec_id[:8], late.transact_time[:8]) == (
        "20261123",
        "20261125",
        "20261125",
    )


def test_a_late_trade_reaches_an_order_that_was_cancelled() -> None:
    desk = Desk()
    desk.order("b", BUY, 10, 99.0)
    desk.cancel("b-1", "b")
    amendments.book_late(desk.floor, "b", 4, 99 * RUPEE)
    report = execution(settle(desk)[0])
    assert (report.exec_type, report.ord_status) == (ExecType.TRADE, OrdStatus.CANCELED)
    assert (report.cum, report.leaves) == (4, 0)


def test_a_late_trade_may_overfill() -> None:
    desk = Desk()
    desk.order("b", BUY, 10, 99.0)
    amendments.book_late(desk.floor, "b", 12, 99 * RUPEE)
    report = execution(settle(desk)[0])
    assert (report.ord_status, report.cum, report.leaves) == (OrdStatus.FILLED, 12, 0)
    assert desk.book.best(BUY) is None
    with pytest.raises(Refused):
        amendments.book_late(desk.floor, "nobody", 1, RUPEE)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from([BUY, SELL]), st.integers(1, 30)),
        st.tuples(st.just("bust"), st.integers(0, 50)),
        st.tuples(st.just("correct"), st.integers(0, 50), st.integers(1, 30)),
    ),
    max_size=30,
)


def play(steps: list[tuple[object, ...]]) -> Desk:
    """Run random orders, busts and corrections of whatever has traded by then."""
    desk = Desk()
    for number, step in enumerate(steps):
        trades = desk.register.trades
        if step[0] == "order":
            desk.order(str(number), step[1], int(str(step[2])), 100.0)  # type: ignore[arg-type]
        elif trades:
            trade = trades[int(str(step[1])) % len(trades)]
            with contextlib.suppress(Refused):
                if step[0] == "bust":
                    amendments.bust(desk.floor, trade, "")
                else:
                    amendments.correct(desk.floor, trade, 101 * RUPEE, int(str(step[2])), "")
            desk.all += desk.executions.drain()[0]
    return desk


@given(STEPS)
def test_every_orders_sums_are_those_of_its_trades_as_they_stand(
    steps: list[tuple[object, ...]],
) -> None:
    desk = play(steps)
    cum: dict[int, int] = defaultdict(int)
    value: dict[int, int] = defaultdict(int)
    for trade in desk.register.trades:
        now = desk.register.amendments.get(trade.exec_id, trade)
        if now.exec_type is not ExecType.BUST:
            cum[trade.order_id] += now.last_quantity
            value[trade.order_id] += now.last_quantity * now.last_price
    for order in desk.register.orders.values():
        assert (order.cum, order.value) == (cum[order.order_id], value[order.order_id])
    shown = sum(quantity for side in (BUY, SELL) for _, quantity in desk.book.depth(side, 1000))
    assert shown == sum(order.leaves for order in desk.register.open.values())


@given(STEPS)
def test_folding_busts_and_corrections_again_gives_the_same_queue(
    steps: list[tuple[object, ...]],
) -> None:
    desk = play(steps)
    register = Register()
    for report in desk.all:
        register.apply(report)
    again = Desk(register)
    for side in (BUY, SELL):
        assert list(map(_shown, again.book.orders(side))) == list(
            map(_shown, desk.book.orders(side))
        )


def _shown(order: RestingOrder) -> tuple[int, int]:
    return order.order_id, order.leaves
