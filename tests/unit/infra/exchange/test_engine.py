"""The venue's rules, by FIX 4.4's appendix D where it has a row for them."""

import pytest

from infra.exchange.reports import CxlRejReason, OrdRejReason, OrdStatus, TimeInForce
from tests.unit.infra.exchange.broker import BUY, SELL, Desk, execution, ist, kinds, refusal


def test_the_best_price_trades_first_and_the_oldest_order_at_a_price_before_later_ones() -> None:
    desk = Desk()
    desk.order("late-price", SELL, 10, 101.0)
    desk.order("first", SELL, 10, 100.0)
    desk.order("second", SELL, 10, 100.0)

    reports = desk.order("taker", BUY, 25, 101.0)

    trades = [execution(r) for r in reports[1:]]
    makers = [t for t in trades if t.cl_ord_id != "taker"]
    assert [(t.cl_ord_id, t.last_quantity, t.last_price) for t in makers] == [
        ("first", 10, 1_000_000),
        ("second", 10, 1_000_000),
        ("late-price", 5, 1_010_000),
    ]
    taker = trades[-1]
    assert (taker.ord_status, taker.cum, taker.leaves) == (OrdStatus.FILLED, 25, 0)
    assert taker.value == 20 * 1_000_000 + 5 * 1_010_000


def test_a_limit_order_rests_with_what_it_could_not_trade() -> None:
    desk = Desk()
    desk.order("maker", SELL, 10, 100.0)
    desk.order("taker", BUY, 25, 100.0)
    status = desk.status("taker")
    assert (status.ord_status, status.cum, status.leaves) == (OrdStatus.PARTIALLY_FILLED, 10, 15)
    assert desk.book.depth(BUY) == [(1_000_000, 15)]


@pytest.mark.parametrize("price", [None, 100.0])
def test_the_rest_of_an_ioc_or_market_order_is_cancelled(price: float | None) -> None:
    desk = Desk()
    desk.order("maker", SELL, 10, 100.0)
    reports = desk.order("taker", BUY, 25, price, time_in_force=TimeInForce.IOC)
    last = execution(reports[-1])
    assert (last.ord_status, last.cum, last.leaves) == (OrdStatus.CANCELED, 10, 0)
    assert desk.book.best(BUY) is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"symbol": "NONE"}, OrdRejReason.UNKNOWN_SYMBOL),
        ({"quantity": 0}, OrdRejReason.INCORRECT_QUANTITY),
        ({"quantity": 10_000_001}, OrdRejReason.EXCEEDS_LIMIT),
        ({"price": 1_110_000}, OrdRejReason.OTHER),
        ({"price": 890_000}, OrdRejReason.OTHER),
        ({"price": 1_000_500}, OrdRejReason.OTHER),
        ({"fault": "Price: 'x' is not a decimal price"}, OrdRejReason.OTHER),
        ({"cl_ord_id": "x" * 65}, OrdRejReason.OTHER),
    ],
)
def test_an_order_that_breaks_a_rule_is_rejected_with_its_reason(
    wrong: dict[str, object], reason: int
) -> None:
    desk = Desk()
    report = execution(desk.order("bad", BUY, 10, 100.0, **wrong)[0])
    assert (report.ord_status, report.reason) == (OrdStatus.REJECTED, reason)
    assert report.text
    assert not desk.register.open


def test_outside_the_trading_hours_an_order_is_rejected_with_a_text() -> None:
    desk = Desk(start=ist("2026-11-23 17:00"))
    report = execution(desk.order("late", BUY, 10, 100.0)[0])
    assert report.reason == OrdRejReason.EXCHANGE_CLOSED
    assert report.text == "the market is closed"


def test_a_used_clordid_is_rejected_and_the_first_order_stands() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    report = execution(desk.order("a", BUY, 20, 98.0)[0])
    assert (report.reason, report.order_id) == (OrdRejReason.DUPLICATE, 0)
    assert desk.status("a").quantity == 10


def test_a_possible_resend_of_a_known_order_is_answered_with_its_status() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    reports = desk.order("a", BUY, 10, 99.0, poss_resend=True)
    assert kinds(reports) == [("a", "STATUS", "NEW")]
    assert len(desk.register.orders) == 1


def test_a_possible_duplicate_of_a_known_order_is_ignored() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    assert desk.order("a", BUY, 10, 99.0, poss_dup=True) == []


def test_a_possible_resend_of_an_unknown_order_is_an_order() -> None:
    desk = Desk()
    assert kinds(desk.order("a", BUY, 10, 99.0, poss_resend=True)) == [("a", "NEW", "NEW")]


def test_a_cancel_ends_the_order_and_takes_it_off_the_book() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    report = execution(desk.cancel("a-1", "a")[0])
    assert (report.cl_ord_id, report.orig_cl_ord_id) == ("a-1", "a")
    assert (report.ord_status, report.leaves) == (OrdStatus.CANCELED, 0)
    assert desk.book.best(BUY) is None


def test_a_cancel_of_a_filled_order_is_too_late() -> None:
    desk = Desk()
    desk.order("maker", SELL, 10, 100.0)
    desk.order("taker", BUY, 10, 100.0)
    reject = refusal(desk.cancel("taker-1", "taker")[0])
    assert (reject.reason, reject.ord_status) == (CxlRejReason.TOO_LATE, OrdStatus.FILLED)


def test_a_cancel_of_an_unknown_order_says_so() -> None:
    reject = refusal(Desk().cancel("x-1", "x")[0])
    assert (reject.reason, reject.order_id) == (CxlRejReason.UNKNOWN_ORDER, 0)
    assert reject.ord_status is OrdStatus.REJECTED


def test_a_cancel_must_name_the_last_accepted_clordid() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    desk.change("a-1", "a", 20, 99.0)
    assert refusal(desk.cancel("a-2", "a")[0]).reason == CxlRejReason.OTHER
    assert kinds(desk.cancel("a-3", "a-1")) == [("a-3", "CANCELED", "CANCELED")]


def test_a_rejected_request_uses_up_its_clordid() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    desk.change("a-1", "a", 10, 50.0)
    assert refusal(desk.cancel("a-1", "a")[0]).reason == CxlRejReason.DUPLICATE


def test_a_smaller_quantity_at_the_same_price_keeps_its_place() -> None:
    desk = Desk()
    desk.order("first", SELL, 10, 100.0)
    desk.order("second", SELL, 10, 100.0)
    desk.change("first-1", "first", 5, 100.0, SELL)
    reports = desk.order("taker", BUY, 5, 100.0)
    assert kinds(reports)[1] == ("first-1", "TRADE", "FILLED")


def test_a_larger_quantity_goes_to_the_back() -> None:
    desk = Desk()
    desk.order("first", SELL, 10, 100.0)
    desk.order("second", SELL, 10, 100.0)
    desk.change("first-1", "first", 11, 100.0, SELL)
    reports = desk.order("taker", BUY, 10, 100.0)
    assert kinds(reports)[1] == ("second", "TRADE", "FILLED")


def test_a_replace_to_a_crossing_price_trades_at_once() -> None:
    desk = Desk()
    desk.order("maker", SELL, 10, 100.0)
    desk.order("a", BUY, 10, 99.0)
    reports = desk.change("a-1", "a", 10, 100.0)
    assert kinds(reports) == [
        ("a-1", "REPLACED", "NEW"),
        ("maker", "TRADE", "FILLED"),
        ("a-1", "TRADE", "FILLED"),
    ]


@pytest.mark.parametrize("quantity", [4, 3])
def test_a_replace_to_no_more_than_was_traded_fills_the_order(quantity: int) -> None:
    desk = Desk()
    desk.order("maker", SELL, 4, 100.0)
    desk.order("a", BUY, 10, 100.0)
    report = execution(desk.change("a-1", "a", quantity, 100.0)[0])
    assert (report.ord_status, report.quantity, report.leaves) == (OrdStatus.FILLED, 4, 0)
    assert desk.book.best(BUY) is None


def test_the_status_of_an_unknown_order_is_rejected_with_reason_5() -> None:
    report = Desk().status("nobody")
    assert (report.ord_status, report.reason) == (OrdStatus.REJECTED, OrdRejReason.UNKNOWN_ORDER)


def test_open_orders_expire_when_their_trade_date_ends() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    report = execution(desk.advance(ist("2026-11-24 11:30", "always-open"))[0])
    assert (report.ord_status, report.trade_date) == (OrdStatus.EXPIRED, "20261123")
    assert desk.book.best(BUY) is None


def test_no_two_executions_share_an_id() -> None:
    desk = Desk()
    for number in range(20):
        desk.order(f"s{number}", SELL, 3, 100.0)
        desk.order(f"b{number}", BUY, 5, 100.0)
        desk.status(f"b{number}")
    ids = [r.exec_id for r in map(execution, desk.all)]
    assert len(ids) == len(set(ids))
