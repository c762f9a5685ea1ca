"""Candles out of the book's trades: what is in a minute, when it ends, and what it doesn't tell."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.book import Book
from edge.ingest.entries import Entry
from edge.ingest.minutes import GRACE_MS, Minutes
from functions.shared.clock import micros
from functions.shared.settings import SettingsError
from functions.shared.stores.candles import Candle

AT = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
MS = micros(AT) // 1_000
MINUTE = MS // 60_000
MOST = 100


def entry(kind: str, price: str = "", size: str = "", action: str = "1") -> Entry:
    return (action.encode(), kind.encode(), b"TCS", price.encode(), size.encode(), b"", b"")


class Market:
    """One symbol's trades, so many milliseconds after half past six, each with the day's volume."""

    def __init__(self, minutes: Minutes | None = None, most: int = MOST) -> None:
        self.minutes = minutes or Minutes(lambda wall: wall, most)
        self.book = Book({}, 0, self.minutes)
        self.volume = 0

    def trade(self, after: int, price: int, size: int = 1, told: bool = True) -> None:
        self.volume += size
        if told:
            entries = [entry("2", str(price), str(size)), entry("B", size=str(self.volume))]
            self.book.apply(entries, MS + after)

    def snapshot(self, after: int, price: int) -> None:
        self.book.replace(
            b"TCS", [entry("2", str(price), "1"), entry("B", size=str(self.volume))], MS + after
        )

    def ended(self, after: int) -> list[Candle]:
        """What is complete, so long after."""
        return self.minutes.ended(self.book.states(), MS + after + GRACE_MS)


def candle(minute: int, prices: tuple[int, ...], volume: int, turnover: int, trades: int) -> Candle:
    """Prices and turnover in rupees."""
    first, high, low, last = (price * 10_000 for price in prices)
    return Candle("TCS", MINUTE + minute, first, high, low, last, volume, turnover * 10_000, trades)


def test_a_minute_is_complete_when_it_is_over_and_not_before() -> None:
    market = Market()
    for after, price, size in ((0, 100, 5), (20_000, 103, 1), (40_000, 98, 2), (59_999, 101, 2)):
        market.trade(after, price, size)
    assert market.ended(59_999) == []
    assert market.ended(60_000) == [candle(0, (100, 103, 98, 101), 10, 1_001, 4)]
    assert market.ended(180_000) == []
    market.trade(180_000, 90)
    assert market.ended(240_000) == [candle(3, (90, 90, 90, 90), 1, 90, 1)]


def test_the_first_trade_of_the_next_minute_ends_the_one_before() -> None:
    market = Market()
    market.trade(59_000, 100, 5)
    market.trade(60_000, 200, 1)
    assert market.ended(60_500) == [candle(0, (100, 100, 100, 100), 5, 500, 1)]
    assert market.ended(120_000) == [candle(1, (200, 200, 200, 200), 1, 200, 1)]


def test_a_trade_that_comes_late_hands_its_minute_over_again_with_all_of_it() -> None:
    market = Market()
    market.trade(1_000, 100, 5)
    assert len(market.ended(60_000)) == 1
    market.trade(59_000, 104, 2)
    assert market.ended(61_000) == [candle(0, (100, 104, 100, 104), 7, 708, 2)]


def test_trades_that_were_missed_count_for_the_volume_of_an_open_minute_alone() -> None:
    market = Market()
    market.volume = 1_000
    market.snapshot(0, 100)  # the day so far, traded while nobody looked
    assert market.ended(60_000) == []
    market.trade(60_000, 100, 5)
    market.trade(70_000, 120, 7, told=False)
    market.snapshot(80_000, 120)  # after a gap
    assert market.ended(120_000) == [candle(1, (100, 120, 100, 120), 12, 1_340, 2)]
    market.trade(120_000, 99, 900, told=False)
    market.snapshot(300_000, 99)  # the feed was away for minutes
    market.trade(300_001, 98, 1)
    assert market.ended(360_000) == [candle(5, (98, 98, 98, 98), 1, 98, 1)]


def test_an_index_has_prices_and_no_volume() -> None:
    market = Market()
    market.book.apply([entry("2", "24000", "0"), entry("2", "24010", "0")], MS)
    assert market.ended(60_000) == [candle(0, (24_000, 24_010, 24_000, 24_010), 0, 0, 2)]


def test_a_new_day_starts_its_own_volume() -> None:
    market = Market()
    market.trade(0, 100, 5)
    market.book.apply([entry("4", action="2"), entry("B", size="0")], MS + 1_000)
    market.volume = 0
    market.trade(61_000, 101, 2)
    assert market.ended(120_000) == [
        candle(0, (100, 100, 100, 100), 5, 500, 1),
        candle(1, (101, 101, 101, 101), 2, 202, 1),
    ]


def test_minutes_are_the_business_clocks_however_fast_it_goes_and_when_it_jumps() -> None:
    ahead = timedelta(days=3)
    speed = 30.0
    market = Market(Minutes(lambda wall: AT + (wall - AT) * speed + ahead, MOST))
    days = 3 * 24 * 60
    market.trade(0, 100)
    market.trade(1_999, 101)  # two seconds are a minute
    market.trade(2_000, 102)
    ahead = timedelta(days=4)
    market.trade(2_100, 103)
    told = [(each.minute - MINUTE, each.trades) for each in market.ended(10_000)]
    assert told == [(days, 2), (days + 1, 1), (days + 1 + 24 * 60, 1)]


def test_a_clock_that_can_not_be_read_goes_on_as_it_went() -> None:
    answers = [True]

    def business(wall: datetime) -> datetime:
        if not answers[0]:
            raise SettingsError("OUTCRY_CLOCK: gone")
        return wall + timedelta(hours=1)

    market = Market(Minutes(business, MOST))
    market.trade(0, 100)
    answers[0] = False
    market.trade(59_000, 101)
    market.trade(61_000, 102)
    assert [each.minute - MINUTE for each in market.ended(120_000)] == [60, 61]


def test_when_nobody_takes_them_the_newest_are_kept_and_the_rest_counted() -> None:
    market = Market(most=2)
    for minute in range(5):
        market.trade(minute * 60_000, 100 + minute)
    assert [each.minute - MINUTE for each in market.ended(300_000)] == [3, 4]
    assert market.minutes.dropped == 3


def test_whoever_stops_hands_over_the_minute_that_is_not_over() -> None:
    market = Market()
    market.trade(1_000, 100, 5)
    assert market.minutes.all(market.book.states()) == [candle(0, (100, 100, 100, 100), 5, 500, 1)]
    assert market.ended(120_000) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(1, 500), st.integers(1, 100), st.booleans()),
        min_size=1, max_size=60,
    )
)  # fmt: skip
def test_candles_add_up_to_what_was_traded_whenever_they_are_looked_at(
    trades: list[tuple[int, int, int, bool]],
) -> None:
    market, latest = Market(most=1_000), {}
    for after, price, size, look in sorted(trades):
        market.trade(after, price, size)
        if look:
            latest |= {each.minute: each for each in market.ended(after)}
    latest |= {each.minute: each for each in market.ended(10**7)}
    assert sum(each.volume for each in latest.values()) == market.volume
    assert sum(each.trades for each in latest.values()) == len(trades)
    for minute, made in latest.items():
        prices = [p * 10_000 for a, p, _, _ in sorted(trades) if (MS + a) // 60_000 == minute]
        assert (made.open, made.high, made.low, made.close) == (
            prices[0], max(prices), min(prices), prices[-1],
        )  # fmt: skip
