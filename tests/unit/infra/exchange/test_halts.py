"""Halts, the index's circuit breaker, and price bands that move."""

from datetime import datetime

import pytest

from infra.exchange.breaker import Breaker, level_points
from infra.exchange.clock import IST
from infra.exchange.notices import PhaseNotice, StatusNotice
from infra.exchange.phases import Phase
from infra.exchange.reports import CxlRejReason, OrdRejReason, OrdStatus
from tests.unit.infra.exchange.broker import BUY, RUPEE, SELL, Desk, execution, ist, kinds, refusal

DAY = "2026-11-23"
MORNING = ist(f"{DAY} 10:00")
CLOSE = 25_000 * RUPEE


def test_during_a_halt_cancels_pass_and_nothing_enters_or_changes() -> None:
    desk = Desk(start=MORNING)
    desk.order("a", BUY, 10, 99.0)
    desk.order("b", BUY, 10, 98.0)
    desk.floor.halt("ABC", 60, 0, "news pending")
    report = execution(desk.order("x", BUY, 10, 99.0)[0])
    assert (report.reason, report.text) == (OrdRejReason.EXCHANGE_CLOSED, "trading is halted")
    assert refusal(desk.change("a-1", "a", 5, 99.0)[0]).reason == CxlRejReason.OTHER
    assert kinds(desk.cancel("a-2", "a")) == [("a-2", "CANCELED", "CANCELED")]
    assert kinds(desk.order("other", BUY, 10, 99.0, symbol="XYZ")) == [("other", "NEW", "NEW")]
    assert kinds(desk.advance(ist(f"{DAY} 10:01"))) == []
    assert kinds(desk.change("b-1", "b", 5, 98.0)) == [("b-1", "REPLACED", "NEW")]


def test_a_halt_ends_in_a_call_auction_that_the_resting_orders_take_part_in() -> None:
    desk = Desk(start=MORNING)
    desk.order("resting", SELL, 10, 100.0)
    desk.floor.halt("", 600, 900, "ordered")
    desk.advance(ist(f"{DAY} 10:10"))
    assert desk.board.phase is Phase.REOPENING
    assert kinds(desk.order("b", BUY, 4, 101.0)) == [("b", "NEW", "NEW")]
    reports = desk.advance(ist(f"{DAY} 10:25"))
    assert [r.cl_ord_id for r in map(execution, reports)] == ["b", "resting"]
    assert execution(reports[0]).last_price == 100 * RUPEE
    assert desk.board.phase is Phase.CONTINUOUS


def test_a_jump_over_a_whole_halt_matches_its_auction_at_its_own_time() -> None:
    desk = Desk(start=MORNING)
    desk.floor.halt("", 600, 900, "ordered")
    desk.notices()
    desk.advance(ist(f"{DAY} 12:00"))
    notices = [n for n in desk.notices() if isinstance(n, PhaseNotice)]
    assert [(n.phase, n.at[9:17]) for n in notices[::2]] == [
        (Phase.REOPENING, "04:40:00"),
        (Phase.CONTINUOUS, "04:55:00"),
    ]


def test_a_halted_share_stays_halted_overnight_until_it_is_lifted() -> None:
    desk = Desk(start=MORNING)
    desk.order("a", BUY, 10, 99.0)
    desk.notices()
    desk.floor.halt("ABC", None, 0, "suspended")
    assert kinds(desk.advance(ist("2026-11-26 11:00"))) == [("a", "EXPIRED", "EXPIRED")]
    assert desk.board.phase is Phase.HALTED
    desk.floor.lift("ABC")
    assert desk.board.phase is Phase.CONTINUOUS
    statuses = [n for n in desk.notices() if isinstance(n, StatusNotice) and n.symbol == "ABC"]
    assert dict(statuses[0].fields())[326] == "2"
    assert dict(statuses[-1].fields())[326] == "17"


@pytest.mark.parametrize(
    ("percent", "at", "halt_minutes"),
    [
        (10, "12:59", 45),
        (10, "13:00", 15),
        (10, "14:29", 15),
        (10, "14:30", None),
        (-15, "12:59", 105),
        (15, "13:59", 45),
    ],
)
def test_the_breaker_halts_by_how_far_and_when_the_index_moved(
    percent: int, at: str, halt_minutes: int | None
) -> None:
    now = datetime.fromisoformat(f"{DAY} {at}").replace(tzinfo=IST)
    row = Breaker(500).check(CLOSE * (100 + percent) // 100, CLOSE, now)
    minutes = row.halt.total_seconds() / 60 if row is not None and row.halt else None
    assert minutes == halt_minutes


@pytest.mark.parametrize(("percent", "at"), [(15, "14:00"), (20, "09:30"), (-20, "15:00")])
def test_a_large_move_closes_the_market_for_the_day(percent: int, at: str) -> None:
    desk = Desk(start=ist(f"{DAY} {at}"))
    desk.floor.check_index(CLOSE * (100 + percent) // 100, CLOSE)
    assert desk.board.phase is Phase.HALTED
    desk.advance(ist(f"{DAY} 15:21"))
    assert desk.board.phase is Phase.HALTED
    desk.advance(ist(f"{DAY} 16:30"))
    assert desk.board.phase is Phase.CLOSED
    desk.advance(ist("2026-11-25 10:00"))
    assert desk.board.phase is Phase.CONTINUOUS


def test_a_halt_that_the_journal_had_before_the_clock_looked_ends_at_its_time() -> None:
    desk = Desk(start=MORNING)
    desk.advance(ist(f"{DAY} 10:00:01"))
    desk.floor.check_index(CLOSE * 89 // 100, CLOSE)
    desk.floor.changed = False  # as the venue's turn leaves it
    desk.advance(ist(f"{DAY} 10:45:01"))
    assert desk.board.phase is Phase.REOPENING
    desk.floor.changed = False
    desk.advance(ist(f"{DAY} 11:00:01"))
    assert desk.board.phase is Phase.CONTINUOUS


def test_a_halt_of_the_market_is_told_of_each_class_of_shares() -> None:
    desk = Desk(start=MORNING)
    desk.notices()
    desk.floor.halt("", 600, 900, "ordered")
    told = [n.security_class for n in desk.notices() if isinstance(n, PhaseNotice)]
    assert len(told) == len(set(told)) == 2


def test_a_level_halts_once_a_day_and_the_next_one_again() -> None:
    breaker, now = Breaker(500), MORNING.now
    assert breaker.check(CLOSE * 89 // 100, CLOSE, now) is not None
    assert breaker.check(CLOSE * 88 // 100, CLOSE, now) is None
    row = breaker.check(CLOSE * 84 // 100, CLOSE, now)
    assert row is not None
    assert row.percent == 15
    breaker.new_day()
    assert breaker.check(CLOSE * 89 // 100, CLOSE, now) is not None


def test_the_breakers_levels_are_the_published_ones() -> None:
    close = 168_873_500  # 16,887.35 on 3 October 2022, published: 1,688.75, 2,533.10, 3,377.45
    levels = [level_points(close, percent, 500) for percent in (10, 15, 20)]
    assert levels == [16_887_500, 25_331_000, 33_774_500]


def test_a_moved_band_cancels_what_rests_outside_it_unasked() -> None:
    desk = Desk(start=MORNING)
    desk.order("low", BUY, 10, 92.0)
    desk.order("in", BUY, 10, 97.0)
    desk.floor.move_band(desk.board, 95 * RUPEE, 105 * RUPEE, "moved")
    report = execution(desk.advance(ist(f"{DAY} 10:01"))[0])
    assert (report.cl_ord_id, report.ord_status, report.restatement) == (
        "low",
        OrdStatus.CANCELED,
        8,
    )
    assert (report.orig_cl_ord_id, report.text) == ("", "the price band moved")
    assert desk.book.depth(BUY) == [(97 * RUPEE, 10)]


def trade_near_the_upper_band(desk: Desk, times: int = 50, name: str = "") -> None:
    for number in range(times):
        high = desk.board.band.high / RUPEE
        desk.order(f"s{name}{number}", SELL, 1, high)
        desk.order(f"b{name}{number}", BUY, 1, high)


def test_fifty_trades_near_the_band_flex_it_after_the_cooling_off() -> None:
    desk = Desk(start=MORNING)
    desk.order("low", BUY, 10, 91.0)
    trade_near_the_upper_band(desk, 49)
    desk.advance(ist(f"{DAY} 10:01"))
    assert desk.board.band.flex_at is None
    trade_near_the_upper_band(desk, 1, "last")
    assert desk.advance(ist(f"{DAY} 10:15:59")) == []
    cancelled = desk.advance(ist(f"{DAY} 10:16"))
    assert kinds(cancelled) == [("low", "CANCELED", "CANCELED")]
    band = desk.board.band
    assert (band.low, band.high) == (95 * RUPEE, 115 * RUPEE)


def test_later_flexes_are_smaller_and_cool_off_longer() -> None:
    desk = Desk(start=MORNING)
    ends = []
    for number, at in enumerate(("10:00:01", "10:20", "10:40", "11:15", "11:50", "13:00")):
        desk.advance(ist(f"{DAY} {at}"))
        ends.append(desk.board.band.high // RUPEE)
        trade_near_the_upper_band(desk, 50, f"-{number}-")
        desk.advance(ist(f"{DAY} {at[:5]}:30"))
    assert ends == [110, 115, 120, 123, 126, 128]


def test_a_share_without_derivatives_has_a_band_that_stays() -> None:
    desk = Desk(start=MORNING)
    for number in range(60):
        desk.order(f"s{number}", SELL, 1, 110.0, symbol="XYZ")
        desk.order(f"b{number}", BUY, 1, 110.0, symbol="XYZ")
    desk.advance(ist(f"{DAY} 14:00"))
    assert desk.floor.boards["XYZ"].band.high == 110 * RUPEE
