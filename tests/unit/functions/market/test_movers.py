"""Who moved most, of those that traded today."""

from dataclasses import replace
from datetime import timedelta

from functions.market.movers import By, Mover, ranked, traded_today
from functions.shared.clock import micros, wall_now
from functions.shared.wire.quotes import Quote
from tests.support.ledger import ACME


def quote(symbol: str, ltp: int, close: int = 100, volume: int = 5, days_ago: int = 0) -> Quote:
    at = micros(wall_now() - timedelta(days=days_ago)) // 1000
    return Quote(symbol, 1, 1, at, ltp, 1, close, ltp, ltp, close, volume, ltp)


def mover(symbol: str, ltp: int, close: int = 100, volume: int = 5) -> Mover:
    return replace(ACME, symbol=symbol), quote(symbol, ltp, close, volume)


def test_gainers_rose_losers_fell_and_a_tie_goes_by_symbol() -> None:
    traded = [mover("B", 120), mover("A", 120), mover("C", 90), mover("D", 100),
              mover("E", 300, 200), mover("F", 50, 100, 9)]  # fmt: skip
    names = {by: [each.symbol for _, each in ranked(traded, by, 3)] for by in By}
    assert names == {
        By.GAINERS: ["E", "A", "B"], By.LOSERS: ["F", "C"], By.VOLUME: ["F", "A", "B"],
    }  # fmt: skip


def test_what_did_not_trade_today_or_is_no_share_is_not_ranked() -> None:
    quotes = {
        "GOOD": quote("GOOD", 110),
        "OLD": quote("OLD", 110, days_ago=1),
        "NEW": quote("NEW", 110, close=0),
        "QUIET": quote("QUIET", 110, volume=0),
        "NIFTY 50": quote("NIFTY 50", 110),
    }
    instruments = {name: replace(ACME, symbol=name) for name in quotes}
    instruments["NIFTY 50"] = replace(ACME, symbol="NIFTY 50", kind="INDEX")
    assert [each.symbol for _, each in traded_today(instruments, quotes)] == ["GOOD"]
