"""Disclosed quantity, self-trade prevention, and requests about all orders of a session."""

from infra.exchange.book import Book, RestingOrder, Side
from infra.exchange.register import Register
from infra.exchange.reports import (
    ExecType,
    ExecutionReport,
    MassCancelReport,
    OrdRejReason,
    OrdStatus,
    execution_fields,
    mass_cancel_fields,
)
from infra.exchange.requests import MassCancelRequest, MassStatusRequest
from tests.unit.infra.exchange.broker import BUY, RUPEE, SELL, Desk, execution, ist, kinds


def trades(desk: Desk) -> list[tuple[str, int]]:
    return [(t.cl_ord_id, t.last_quantity) for t in desk.register.trades if t.side is SELL]


def test_a_disclosed_quantity_order_shows_a_part_and_queues_again_with_each_next_one() -> None:
    desk = Desk()
    desk.order("iceberg", SELL, 100, 100.0, display=10)
    desk.order("plain", SELL, 20, 100.0)
    assert desk.book.depth(SELL) == [(100 * RUPEE, 30)]
    desk.order("b", BUY, 45, 100.0)
    assert trades(desk) == [("iceberg", 10), ("plain", 20), ("iceberg", 10), ("iceberg", 5)]
    assert desk.book.depth(SELL) == [(100 * RUPEE, 5)]
    status = desk.status("iceberg")
    assert (status.leaves, status.cum, status.display) == (75, 25, 10)


def test_by_the_venues_flag_the_next_part_keeps_its_place() -> None:
    desk = Desk(Register(refresh_keeps_place=True))
    desk.order("iceberg", SELL, 30, 100.0, display=10)
    desk.order("plain", SELL, 20, 100.0)
    desk.order("b", BUY, 35, 100.0)
    assert trades(desk) == [("iceberg", 10), ("iceberg", 10), ("iceberg", 10), ("plain", 5)]


def test_a_disclosed_quantity_is_at_least_a_tenth_and_less_than_the_order() -> None:
    desk = Desk()
    for number, display in enumerate((9, 100, 200)):
        report = execution(desk.order(f"{number}", SELL, 100, 100.0, display=display)[0])
        assert report.reason == OrdRejReason.INCORRECT_QUANTITY


def test_less_quantity_is_taken_from_what_is_not_shown() -> None:
    desk = Desk()
    desk.order("iceberg", SELL, 100, 100.0, display=10)
    desk.order("plain", SELL, 20, 100.0)
    desk.change("iceberg-1", "iceberg", 50, 100.0, SELL, display=10)
    desk.order("b", BUY, 10, 100.0)
    assert trades(desk) == [("iceberg-1", 10)]
    assert desk.status("iceberg-1").leaves == 40


def test_a_book_of_disclosed_quantities_is_rebuilt_as_it_was() -> None:
    for keeps_place in (False, True):
        desk = Desk(Register(refresh_keeps_place=keeps_place))
        desk.order("i", SELL, 100, 100.0, display=10)
        desk.order("j", SELL, 100, 100.0, display=20)
        desk.order("p", SELL, 15, 100.0)
        desk.order("b1", BUY, 27, 100.0)
        desk.change("j-1", "j", 60, 100.0, SELL, display=20)
        desk.order("b2", BUY, 31, 100.0)
        register = Register(refresh_keeps_place=keeps_place)
        for report in desk.all:
            register.apply(report)
        again = Desk(register)
        assert again.book.depth(SELL) == desk.book.depth(SELL)
        for venue in (desk, again):
            venue.order("sweep", BUY, 10_000, None)
        assert trades(again) == trades(desk)


def test_an_account_does_not_trade_with_itself_its_waiting_order_is_cancelled() -> None:
    desk = Desk()
    desk.order("mine", SELL, 10, 100.0, account="77")
    desk.order("theirs", SELL, 10, 100.0)
    reports = desk.order("b", BUY, 15, 100.0, account="77")
    assert kinds(reports) == [
        ("b", "NEW", "NEW"),
        ("mine", "CANCELED", "CANCELED"),
        ("theirs", "TRADE", "FILLED"),
        ("b", "TRADE", "PARTIALLY_FILLED"),
    ]
    assert execution(reports[1]).text == "self-trade prevention"


def test_in_a_call_auction_the_arriving_order_is_cancelled_instead() -> None:
    desk = Desk(start=ist("2026-11-23 09:01"))
    desk.order("mine", SELL, 10, 100.0, account="77")
    assert kinds(desk.order("b", BUY, 5, 100.0, account="77"))[-1] == (
        "b",
        "CANCELED",
        "CANCELED",
    )
    assert kinds(desk.order("c", BUY, 5, 99.0, account="77")) == [("c", "NEW", "NEW")]
    assert kinds(desk.order("d", BUY, 5, None, account="77"))[-1][1] == "CANCELED"


def test_a_mass_status_tells_every_open_order_of_the_session_and_their_number() -> None:
    desk = Desk()
    desk.order("a", BUY, 10, 99.0)
    desk.order("b", BUY, 10, 98.0)
    desk.order("c", BUY, 10, 97.0, session="OUTCRY-O2")
    reports = desk.ask(MassStatusRequest("OUTCRY-O1", "all", "", ""))
    fields = [dict(execution_fields(execution(r))) for r in reports]
    assert [(f[11], f[150], f[584], f[911], f[912]) for f in fields] == [
        ("a", "I", "all", "2", "N"),
        ("b", "I", "all", "2", "Y"),
    ]


def test_a_mass_status_of_nothing_is_one_report_of_none() -> None:
    (report,) = Desk().ask(MassStatusRequest("OUTCRY-O1", "all", "", ""))
    fields = dict(execution_fields(execution(report)))
    assert (fields[39], fields[911], fields[912], fields[37]) == ("8", "0", "Y", "NONE")
    assert 11 not in fields


def test_a_mass_cancel_ends_the_sessions_orders_and_counts_them() -> None:
    desk = Desk()
    for name, symbol in (("a", "ABC"), ("b", "ABC"), ("c", "XYZ")):
        desk.order(name, BUY, 10, 99.0, symbol=symbol)
    *ended, report = desk.ask(MassCancelRequest("OUTCRY-O1", "all", "1", "ABC", ""))
    assert kinds(ended) == [("a", "CANCELED", "CANCELED"), ("b", "CANCELED", "CANCELED")]
    assert isinstance(report, MassCancelReport)
    assert dict(mass_cancel_fields(report))[533] == "2"
    assert desk.status("c").ord_status is OrdStatus.NEW


def test_each_side_of_a_trade_says_who_waited_and_bears_its_number() -> None:
    desk = Desk()
    desk.order("maker", SELL, 10, 100.0)
    reports = [r for r in desk.order("taker", BUY, 10, 100.0) if isinstance(r, ExecutionReport)]
    maker, taker = (r for r in reports if r.exec_type is ExecType.TRADE)
    assert (maker.liquidity, taker.liquidity) == (1, 2)
    assert maker.trade == taker.trade == 1


def test_reducing_a_resting_order_to_nothing_takes_it_out() -> None:
    book, order = Book(), RestingOrder(Side.BUY, 100, 10)
    book.rest(order)
    book.reduce(order, 0)
    assert book.best(Side.BUY) is None
