"""What a chart knows without a screen: its last candle, its groups, its averages, its trades."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.client.models import Fill, Quote
from tui.client.prices import Candle
from tui.state.chart import Chart, Range, average, figures, moved, together, told, trades_at
from tui.state.formats import IST

OPEN = datetime(2026, 7, 10, 9, 15, tzinfo=IST)


def candle(minutes: int = 0, close: str = "100", volume: int = 10, **prices: str) -> Candle:
    of = {name: Decimal(prices.get(name, close)) for name in ("open", "high", "low")}
    time = OPEN + timedelta(minutes=minutes)
    return Candle(time=time, close=Decimal(close), volume=volume, **of)


def quote(price: str, at: datetime, **more: object) -> Quote:
    fields = {"symbol": "TCS", "ltp": Decimal(price), "timestamp": int(at.timestamp() * 1000)}
    return Quote(**{**fields, **more})  # type: ignore[arg-type]


def test_a_price_within_the_last_candle_moves_its_close_and_its_reach() -> None:
    chart = told(Chart("TCS"), [candle(0), candle(5, "101")])

    after = moved(chart, quote("103", OPEN + timedelta(minutes=8)))

    assert after.candles[:-1] == chart.candles[:-1]
    last = after.candles[-1]
    assert (last.close, last.high, last.low) == (Decimal(103), Decimal(103), Decimal(101))


def test_a_price_after_the_last_candle_begins_one_at_its_place_in_time() -> None:
    chart = told(Chart("TCS"), [candle(0)])

    after = moved(chart, quote("103", OPEN + timedelta(minutes=13)))

    assert [each.time for each in after.candles] == [OPEN, OPEN + timedelta(minutes=10)]
    assert after.candles[-1].open == Decimal(103)


def test_a_price_of_before_the_last_candle_changes_nothing() -> None:
    chart = told(Chart("TCS"), [candle(0)])

    assert moved(chart, quote("103", OPEN - timedelta(seconds=1))) == chart


def test_a_day_s_candle_takes_the_day_s_own_high_low_and_volume() -> None:
    midnight = OPEN.replace(hour=0, minute=0)
    chart = told(
        Chart("TCS", Range.YEAR), [candle(-555, "100", 10, open="99", high="101", low="98")]
    )
    day = {"high": Decimal(110), "low": Decimal(95), "volume": 5_000, "open": Decimal(99)}

    after = moved(chart, quote("105", midnight + timedelta(hours=10), **day))

    last = after.candles[-1]
    assert (last.high, last.low, last.volume) == (Decimal(110), Decimal(95), 5_000)


def test_one_day_keeps_the_last_day_that_traded_alone() -> None:
    yesterday = candle(-24 * 60)

    assert told(Chart("TCS"), [yesterday, candle(0)]).candles == (candle(0),)
    assert told(Chart("TCS", Range.WEEK), [yesterday, candle(0)]).candles[0] == yesterday


def test_a_range_without_candles_says_so() -> None:
    assert told(Chart("TCS"), []).remark == "No candles are kept for it yet"


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=300), st.integers(1, 120))
def test_candles_put_together_lose_no_share_and_no_extreme(closes: list[int], most: int) -> None:
    candles = [candle(at, str(close), close) for at, close in enumerate(closes)]

    grouped = together(candles, most)

    assert len(grouped) <= most
    assert sum(each.volume for each in grouped) == sum(closes)
    assert max(each.high for each in grouped) == max(closes)
    assert min(each.low for each in grouped) == min(closes)
    assert (grouped[0].open, grouped[-1].close) == (candles[0].open, candles[-1].close)


def test_an_average_begins_with_the_candle_that_makes_it_whole() -> None:
    candles = [candle(at, str(close)) for at, close in enumerate((1, 2, 3, 10))]

    assert average(candles, 3, 4) == [None, None, Decimal(2), Decimal(5)]


def test_an_average_counts_the_market_s_candles_however_few_are_drawn() -> None:
    candles = [candle(at, str(close)) for at, close in enumerate((1, 2, 3, 10))]

    assert average(candles, 3, 2) == [None, Decimal(5)]


def test_trades_are_marked_in_the_candle_of_their_time() -> None:
    candles = [candle(0), candle(5)]

    def fill(side: str, minutes: int) -> Fill:
        return Fill(
            order_id="1", symbol="TCS", side=side, quantity=1, price=Decimal(1), exec_id=side,
            user_seq=1, time=OPEN + timedelta(minutes=minutes),
        )  # fmt: skip

    marks = trades_at(candles, [fill("BUY", 6), fill("SELL", 4), fill("SELL", -1)])

    assert marks == {1: {"BUY"}, 0: {"SELL"}}


@pytest.mark.parametrize(
    ("span", "when"),
    [(Range.DAY, "09:15"), (Range.WEEK, "10 Jul 09:15"), (Range.YEAR, "10 Jul 2026")],
)
def test_the_figures_say_when_and_how_far(span: Range, when: str) -> None:
    line = figures([candle(0, "102", 250_000, open="100", high="103", low="99")], 0, span)

    assert line == f"{when}  O 100.00  H 103.00  L 99.00  C 102.00  +2.00%  V 2.50 L"


def test_ranges_end_at_one_day_and_five_years() -> None:
    assert Range.DAY.beside(-1) is Range.DAY
    assert Range.DAY.beside(1) is Range.WEEK
    assert Range.FIVE_YEARS.beside(1) is Range.FIVE_YEARS
