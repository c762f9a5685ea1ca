"""A chart as data: candles of a range, what the live price does to the last, how many stand in one
column, their averages, and the figures of the one under the crosshair.

Invariant: prices stay exact decimals; a candle is the market's as given, save the last of a range
that reaches to now, which follows the live price until the broker's own takes its place.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from tui.client.models import Fill, Quote
from tui.client.prices import Candle
from tui.state import formats

AVERAGES = (20, 50)
"""Simple moving averages of the closes, over so many candles."""
NO_CANDLES = "No candles are kept for it yet"


class Range(Enum):
    """What the chart reaches over: the interval of a candle as the API names it, the days asked
    for, and how many of the days that traded are kept (0: all)."""

    DAY = ("1D", "5m", 10, 1)
    WEEK = ("5D", "30m", 14, 5)
    MONTH = ("1M", "60m", 31, 0)
    HALF_YEAR = ("6M", "day", 183, 0)
    YEAR = ("1Y", "day", 366, 0)
    FIVE_YEARS = ("5Y", "week", 1_827, 0)

    def __init__(self, label: str, interval: str, days: int, kept: int) -> None:
        self.label = label
        self.interval = interval
        self.days = days
        self.kept = kept

    @property
    def length(self) -> timedelta:
        """How long one candle takes."""
        minutes = {"5m": 5, "30m": 30, "60m": 60, "day": 24 * 60, "week": 7 * 24 * 60}
        return timedelta(minutes=minutes[self.interval])

    @property
    def is_intraday(self) -> bool:
        return self.length < timedelta(days=1)

    def beside(self, step: int) -> "Range":
        """The range `step` further; the first and the last are ends."""
        every = list(Range)
        return every[max(0, min(len(every) - 1, every.index(self) + step))]


@dataclass(frozen=True, slots=True)
class Chart:
    """One symbol over one range. `remark` says why there is nothing, or what is missing."""

    symbol: str
    span: Range = Range.DAY
    candles: tuple[Candle, ...] = ()
    remark: str = "Loading…"
    fills: tuple[Fill, ...] = field(default=())


def told(chart: Chart, candles: Sequence[Candle]) -> Chart:
    """The chart with what the broker gave, oldest first."""
    kept = tuple(candles)
    if chart.span.kept and kept:
        days = sorted({each.time.astimezone(formats.IST).date() for each in kept})
        first = days[-chart.span.kept :][0]
        kept = tuple(c for c in kept if c.time.astimezone(formats.IST).date() >= first)
    return replace(chart, candles=kept, remark="" if kept else NO_CANDLES)


def moved(chart: Chart, quote: Quote) -> Chart:
    """The chart with its last candle at the live price; a new one where its time is over. A quote
    from before the last candle, or without a time, changes nothing."""
    if not chart.candles or not quote.timestamp:
        return chart
    last, length = chart.candles[-1], chart.span.length
    at = datetime.fromtimestamp(quote.timestamp / 1000, formats.IST)
    if at < last.time:
        return chart
    if at < last.time + length:
        grown = _grown(last, quote, at, chart.span)
        return chart if grown == last else replace(chart, candles=(*chart.candles[:-1], grown))
    price = quote.ltp
    begins = last.time + (at - last.time) // length * length
    fresh = Candle(time=begins, open=price, high=price, low=price, close=price, volume=0)
    if not chart.span.is_intraday:
        fresh = _grown(_opened(fresh, quote), quote, at, chart.span)
    return replace(chart, candles=(*chart.candles, fresh))


def _opened(candle: Candle, quote: Quote) -> Candle:
    """A running day begins at its open, where that is known."""
    opened = quote.open or candle.open
    return Candle(
        time=candle.time,
        open=opened,
        high=max(candle.high, opened),
        low=min(candle.low, opened),
        close=candle.close,
        volume=candle.volume,
    )


def _grown(candle: Candle, quote: Quote, at: datetime, span: Range) -> Candle:
    """The day's own high, low and volume are a day's candle's; others know the last price alone."""
    is_day = span.interval == "day" and at - candle.time < timedelta(days=1)
    highs = [candle.high, quote.ltp, *([quote.high] if is_day and quote.high else [])]
    lows = [candle.low, quote.ltp, *([quote.low] if is_day and quote.low else [])]
    volume = max(candle.volume, quote.volume or 0) if is_day else candle.volume
    return Candle(
        time=candle.time,
        open=candle.open,
        high=max(highs),
        low=min(lows),
        close=quote.ltp,
        volume=volume,
    )


def last_of_each(count: int, most: int) -> list[int]:
    """No more than `most` groups of neighbours, the same number in each, counted from the newest so
    that a whole group stands at the right: the place of the last of each."""
    if most < 1:
        return []
    size = max(1, -(-count // most))
    return list(range(count - 1, -1, -size))[::-1]


def together(candles: Sequence[Candle], most: int) -> list[Candle]:
    """No more than `most` candles, each a group of `last_of_each`."""
    ends = last_of_each(len(candles), most)
    begins = [0, *(end + 1 for end in ends[:-1])]
    groups = [candles[first : last + 1] for first, last in zip(begins, ends, strict=False)]
    return [
        Candle(
            time=group[0].time,
            open=group[0].open,
            high=max(each.high for each in group),
            low=min(each.low for each in group),
            close=group[-1].close,
            volume=sum(each.volume for each in group),
        )
        for group in groups
    ]


def average(candles: Sequence[Candle], over: int, most: int) -> list[Decimal | None]:
    """The mean close of the last `over` candles at each of no more than `most` groups; None before
    there are so many. Candles are counted as the market made them, however they are drawn."""
    means: list[Decimal | None] = []
    total = Decimal(0)
    for at, candle in enumerate(candles):
        total += candle.close
        if at >= over:
            total -= candles[at - over].close
        means.append(total / over if at >= over - 1 else None)
    return [means[at] for at in last_of_each(len(means), most)]


def trades_at(candles: Sequence[Candle], fills: Iterable[Fill]) -> dict[int, set[str]]:
    """The sides that the user traded in each candle, by its place."""
    begins = [each.time for each in candles]
    found: dict[int, set[str]] = {}
    for fill in fills:
        place = bisect_right(begins, fill.time) - 1 if fill.time is not None else -1
        if place >= 0:
            found.setdefault(place, set()).add(fill.side)
    return found


def figures(candles: Sequence[Candle], at: int, span: Range) -> str:
    """What the candle at a place is, as one line."""
    candle = candles[at]
    gain = (candle.close - candle.open) / candle.open * 100 if candle.open else None
    parts = [
        moment(candle.time, span),
        *(
            f"{name} {formats.amount(price)}"
            for name, price in zip(
                "OHLC", (candle.open, candle.high, candle.low, candle.close), strict=True
            )
        ),
        formats.percent(gain),
        f"V {formats.volume(candle.volume)}",
    ]
    return "  ".join(parts)


def moment(at: datetime, span: Range) -> str:
    """When a candle begins: a time of a day for those shorter than one."""
    local = at.astimezone(formats.IST)
    if span is Range.DAY:
        return f"{local:%H:%M}"
    if span.is_intraday:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y}"
