"""What may be done in each phase, and what the change from one to the next does to orders."""

from datetime import date

import pytest

from infra.exchange.notices import PhaseNotice, StatusNotice
from infra.exchange.phases import Phase
from infra.exchange.reports import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    OrdRejReason,
    OrdStatus,
    OrdType,
    Report,
    TimeInForce,
)
from tests.unit.infra.exchange.broker import BUY, RUPEE, SELL, Desk, execution, ist, kinds, refusal

DAY = "2026-11-23"
PRE_OPEN, LIMIT_ONLY = ist(f"{DAY} 09:01"), ist(f"{DAY} 09:06")
MATCHED, MORNING = ist(f"{DAY} 09:11"), ist(f"{DAY} 09:16")
REFERENCE, CLOSING = ist(f"{DAY} 15:16"), ist(f"{DAY} 15:21")
CLOSED, POST_CLOSE, NIGHT = ist(f"{DAY} 15:45"), ist(f"{DAY} 15:55"), ist(f"{DAY} 18:00")


def trades(reports: list[Report]) -> list[tuple[str, int, int]]:
    return [
        (r.cl_ord_id, r.last_quantity, r.last_price // RUPEE)
        for r in reports
        if isinstance(r, ExecutionReport) and r.exec_type is ExecType.TRADE
    ]


def test_the_pre_open_session_collects_orders_and_matches_them_at_one_price() -> None:
    desk = Desk(start=PRE_OPEN)
    assert kinds(desk.order("s", SELL, 10, 99.0)) == [("s", "NEW", "NEW")]
    assert kinds(desk.order("b", BUY, 30, 101.0)) == [("b", "NEW", "NEW")]
    reports = desk.advance(MATCHED)
    assert trades(reports) == [("b", 10, 100), ("s", 10, 100)]
    assert desk.board.last == 100 * RUPEE
    status = desk.status("b")
    assert (status.ord_status, status.leaves) == (OrdStatus.PARTIALLY_FILLED, 20)
    assert desk.book.depth(BUY) == [(101 * RUPEE, 20)]


def test_market_orders_trade_first_and_what_is_left_becomes_a_limit_at_the_price() -> None:
    desk = Desk(start=PRE_OPEN)
    desk.order("limit", BUY, 10, 101.0)
    desk.order("market", BUY, 15, None)
    desk.order("s", SELL, 10, 100.0)
    reports = desk.advance(MATCHED)
    assert [name for name, *_ in trades(reports)] == ["market", "s"]
    restated = execution(reports[-1])
    assert (restated.exec_type, restated.leaves) == (ExecType.RESTATED, 5)
    assert (restated.ord_type, restated.price) == (OrdType.LIMIT, 100 * RUPEE)
    assert desk.book.depth(BUY) == [(101 * RUPEE, 10), (100 * RUPEE, 5)]


def test_market_orders_alone_trade_at_the_previous_close() -> None:
    desk = Desk(start=PRE_OPEN)
    desk.order("b", BUY, 5, None)
    desk.order("s", SELL, 5, None)
    assert trades(desk.advance(MATCHED)) == [("b", 5, 100), ("s", 5, 100)]


def test_the_second_part_of_the_pre_open_takes_limits_only_and_freezes_market_orders() -> None:
    desk = Desk(start=PRE_OPEN)
    desk.order("m", BUY, 5, None)
    desk.advance(LIMIT_ONLY)
    assert execution(desk.order("late", BUY, 5, None)[0]).reason == OrdRejReason.UNSUPPORTED
    assert kinds(desk.order("l", BUY, 5, 100.0)) == [("l", "NEW", "NEW")]
    frozen = refusal(desk.cancel("m-1", "m")[0])
    assert (frozen.reason, frozen.text) == (
        CxlRejReason.EXCHANGE_OPTION,
        "market orders can no longer be cancelled",
    )


@pytest.mark.parametrize(
    "terms", [{"time_in_force": TimeInForce.IOC}, {"display": 5}], ids=["IOC", "MaxFloor"]
)
def test_a_call_auction_takes_neither_ioc_nor_disclosed_quantity(terms: dict[str, object]) -> None:
    desk = Desk(start=PRE_OPEN)
    report = execution(desk.order("x", BUY, 10, 100.0, **terms)[0])
    assert (report.reason, report.text[-8:]) == (OrdRejReason.UNSUPPORTED, "PRE_OPEN")


def test_during_the_matching_nothing_enters_or_leaves() -> None:
    desk = Desk(start=PRE_OPEN)
    desk.order("b", BUY, 5, 99.0)
    desk.advance(MATCHED)
    assert execution(desk.order("x", BUY, 5, 99.0)[0]).reason == OrdRejReason.EXCHANGE_CLOSED
    assert refusal(desk.cancel("b-1", "b")[0]).reason == CxlRejReason.EXCHANGE_OPTION
    assert refusal(desk.change("b-2", "b", 4, 99.0)[0]).reason == CxlRejReason.OTHER
    desk.advance(MORNING)
    assert kinds(desk.cancel("b-3", "b")) == [("b-3", "CANCELED", "CANCELED")]


def test_the_closing_auction_has_a_reference_a_band_and_a_price() -> None:
    desk = Desk(start=MORNING)
    desk.advance(ist(f"{DAY} 15:05"))
    desk.order("s1", SELL, 10, 102.0)
    desk.order("b1", BUY, 10, 102.0)
    desk.order("resting", BUY, 10, 98.0)
    desk.order("low", BUY, 10, 95.0)
    desk.order("hidden", SELL, 100, 104.0, display=10)
    ended = desk.advance(REFERENCE)
    assert desk.board.reference == 102 * RUPEE
    assert kinds(ended) == [
        ("hidden", "CANCELED", "CANCELED"),
        ("resting", "CANCELED", "CANCELED"),
        ("low", "CANCELED", "CANCELED"),
    ]
    assert execution(ended[1]).restatement == 8
    assert execution(desk.order("early", BUY, 5, 102.0)[0]).reason == OrdRejReason.EXCHANGE_CLOSED
    desk.advance(CLOSING)
    assert execution(desk.order("far", BUY, 5, 98.0)[0]).text.startswith("Price is outside")
    desk.order("s2", SELL, 10, 101.0)
    desk.order("b2", BUY, 4, 103.0)
    reports = desk.advance(ist(f"{DAY} 15:30"))
    assert trades(reports) == [("b2", 4, 102), ("s2", 4, 102)] or trades(reports)[0][2] in {
        101,
        103,
    }
    assert kinds(reports)[-1] == ("s2", "CANCELED", "CANCELED")
    assert desk.board.close == execution(reports[0]).last_price


def test_after_the_close_orders_trade_at_the_closing_price_alone() -> None:
    desk = Desk(start=MORNING)
    desk.advance(ist(f"{DAY} 15:05"))
    desk.order("s1", SELL, 10, 102.0)
    desk.order("b1", BUY, 10, 102.0)
    desk.advance(CLOSED)
    assert execution(desk.order("x", BUY, 5, 102.0)[0]).reason == OrdRejReason.EXCHANGE_CLOSED
    desk.notices()
    desk.advance(POST_CLOSE)
    told = [n for n in desk.notices() if isinstance(n, StatusNotice)]
    bands = {n.symbol: (n.low, n.high, n.phase) for n in told}
    assert bands[desk.board.symbol] == (102 * RUPEE, 102 * RUPEE, Phase.POST_CLOSE)
    assert "closing price 102.00" in execution(desk.order("y", BUY, 5, 101.0)[0]).text
    assert kinds(desk.order("b", BUY, 5, None))[-1] == ("b", "RESTATED", "NEW")
    assert trades(desk.order("s", SELL, 5, 102.0)) == [("b", 5, 102), ("s", 5, 102)]
    desk.order("left", SELL, 5, 102.0)
    assert kinds(desk.advance(NIGHT)) == [("left", "EXPIRED", "EXPIRED")]


def test_the_close_is_the_average_price_of_the_last_half_hour() -> None:
    desk = Desk(start=ist(f"{DAY} 14:59"))
    for name, quantity, price in (("1", 10, 95.0), ("2", 10, 101.0), ("3", 30, 102.0)):
        if name == "2":
            desk.advance(ist(f"{DAY} 15:05"))
        desk.order(f"s{name}", SELL, quantity, price, symbol="XYZ")
        desk.order(f"b{name}", BUY, quantity, price, symbol="XYZ")
    desk.advance(CLOSED)
    board = desk.floor.boards["XYZ"]
    assert board.close == round(101.8 * RUPEE)
    desk.advance(ist("2026-11-24 00:00"))
    assert (board.base, board.close, board.last) == (round(101.8 * RUPEE), 0, 0)


def test_a_clock_that_jumps_over_a_day_does_all_that_fell_due_at_its_own_time() -> None:
    desk = Desk(start=PRE_OPEN)
    desk.order("s", SELL, 10, 99.0)
    desk.order("b", BUY, 30, 99.0)
    reports = desk.advance(ist("2026-11-26 11:00"))
    assert kinds(reports) == [
        ("b", "TRADE", "PARTIALLY_FILLED"),
        ("s", "TRADE", "FILLED"),
        ("b", "CANCELED", "CANCELED"),
    ]
    matched, ended = execution(reports[0]), execution(reports[-1])
    assert matched.transact_time.startswith("20261123-03:3")
    assert ended.transact_time.startswith("20261123-09:5")
    assert {execution(r).trade_date for r in reports} == {"20261123"}
    assert desk.board.phase is Phase.CONTINUOUS
    assert desk.executions.trade_date == "20261126"


def test_phases_are_announced_and_an_auctions_price_for_each_share() -> None:
    desk = Desk(start=PRE_OPEN)
    desk.notices()
    desk.order("s", SELL, 10, 99.0)
    desk.order("b", BUY, 10, 99.0)
    desk.advance(MORNING)
    notices = desk.notices()
    phases = [n.phase for n in notices if isinstance(n, PhaseNotice)]
    assert phases == [Phase.PRE_OPEN_LIMIT, Phase.PRE_OPEN_MATCH, Phase.CONTINUOUS]
    prices = {n.symbol: n.price for n in notices if isinstance(n, StatusNotice)}
    assert prices == {"ABC": 99 * RUPEE, "XYZ": 0}
    fields = dict(PhaseNotice(Phase.PRE_OPEN, "", "20261123-03:30:00.000").fields())
    assert (fields[336], fields[340], fields[325]) == ("PRE_OPEN", "4", "Y")


def test_the_trade_date_is_indias() -> None:
    assert ist("2026-11-24 00:30").now.astimezone().date() >= date(2026, 11, 23)
    assert Desk(start=ist("2026-11-24 00:30")).executions.trade_date == "20261124"
