"""What the terminal says of a halt of the whole market."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tui.client.market_status import MarketHalt, MarketStatus
from tui.state.halts import HaltBanner, countdown, halt_banner, heard
from tui.state.market import MarketClock

TEN = datetime(2026, 7, 10, 4, 30, tzinfo=UTC)
HERE = datetime(2026, 7, 10, 4, 47, tzinfo=UTC)
"""The terminal's own clock, which need not be right."""
OPEN = MarketStatus(phase="OPEN", trade_date=TEN.date(), time=TEN, wall_time=TEN)
NEWS: dict[str, Any] = {
    "type": "market", "phase": "HALTED", "security_class": None, "symbol": None, "band": None,
    "reason": "the market is halted", "timestamp": 1,
    "halt": {"level": 10, "source": "INDEX", "since": "2026-07-10T04:30:00.000000Z",
             "resumes_at": "2026-07-10T05:15:00.000000Z",
             "opens_at": "2026-07-10T05:30:00.000000Z"},
}  # fmt: skip


def shown(status: MarketStatus, after: timedelta = timedelta()) -> HaltBanner | None:
    return halt_banner(MarketClock(status, HERE), HERE + after)


def test_a_halt_that_the_stream_tells_counts_down_by_the_markets_clock() -> None:
    halted = heard(OPEN, NEWS)
    assert halted.phase == "HALTED"
    assert shown(halted) == HaltBanner(
        "MARKET HALTED",
        "breaker 10 % · call auction in 45:00 (10:45 IST) · cancels pass", True,
    )  # fmt: skip
    late = shown(halted, timedelta(minutes=44, seconds=59.5))
    assert late is not None
    assert "in 00:01" in late.detail
    over = shown(halted, timedelta(minutes=46))
    assert over is not None
    assert "call auction when the exchange says so" in over.detail


def test_the_auction_takes_orders_and_the_open_market_has_no_banner() -> None:
    collecting = heard(heard(OPEN, NEWS), {**NEWS, "phase": "REOPENING"})
    banner = shown(collecting, timedelta(minutes=50))
    assert banner == HaltBanner(
        "CALL AUCTION",
        "breaker 10 % · trading in 10:00 (11:00 IST) · limit and market orders", False,
    )  # fmt: skip
    opened = heard(collecting, {**NEWS, "phase": "OPEN", "halt": None})
    assert (opened, shown(opened)) == (OPEN, None)
    assert halt_banner(None, HERE) is None


@pytest.mark.parametrize(
    ("source", "level", "words"),
    [
        ("INDEX", 20, "breaker 20 % · for the rest of the day"),
        ("VENUE", 15, "breaker 15 % · for the rest of the day"),
        ("VENUE", 0, "by the exchange · until the exchange opens it"),
        ("OPERATOR", 0, "by the broker · until the broker opens it"),
        ("OPERATOR", 10, "breaker 10 % · until the broker opens it"),
    ],
)
def test_a_halt_without_an_end_says_who_opens_the_market(
    source: str, level: int, words: str
) -> None:
    halt = MarketHalt(phase="HALTED", level=level, source=source, since=TEN)
    banner = shown(msgspec.structs.replace(OPEN, phase="HALTED", halt=halt))
    assert banner is not None
    assert banner.detail == f"{words} · cancels pass"


@pytest.mark.parametrize(
    "news",
    [
        {**NEWS, "symbol": "TCS"},
        {**NEWS, "security_class": "OTHER"},
        {**NEWS, "phase": 7},
        {**NEWS, "phase": "[b]"},
        {**NEWS, "halt": {"level": "10"}},
    ],
)
def test_news_of_something_else_or_that_make_no_sense_change_nothing(news: dict[str, Any]) -> None:
    assert heard(OPEN, news) == OPEN


def test_a_countdown_has_hours_and_stops_at_nought() -> None:
    assert countdown(TEN + timedelta(minutes=105), TEN) == "1:45:00"
    assert countdown(TEN, TEN + timedelta(seconds=3)) == "00:00"
