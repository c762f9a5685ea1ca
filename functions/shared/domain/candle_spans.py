"""Candles of minutes, days and weeks: which there are, how far one question reaches, and how days
make weeks.

Invariant: a candle of several minutes begins where the session's do: those of an hour at a quarter
past, as the market opens at 09:15; it never reaches over midnight in India. A week begins on
Monday.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final, NamedTuple

#: Minute of India's day that the market opens at: 09:15.
OPENS_AT_MINUTE: Final = 9 * 60 + 15


class Interval(StrEnum):
    """What one candle stands for."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HALF_HOUR = "30m"
    HOUR = "60m"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Span:
    """Of one question: `minutes` of a candle (0: made of days), the most days it may be about, and
    how many days before the last it begins when nothing is said."""

    minutes: int
    days_most: int
    days_back: int


SPANS: Final = {
    Interval.MINUTE: Span(1, 7, 0),
    Interval.FIVE_MINUTES: Span(5, 30, 4),
    Interval.QUARTER: Span(15, 60, 9),
    Interval.HALF_HOUR: Span(30, 90, 19),
    Interval.HOUR: Span(60, 180, 29),
    Interval.DAY: Span(0, 3_653, 364),
    Interval.WEEK: Span(0, 7_306, 1_825),
}


class DayBar(NamedTuple):
    """What a stretch of days came to, named by its first; prices in ten-thousandths of a rupee."""

    day: date
    open: int
    high: int
    low: int
    close: int
    volume: int


def weeks_of(days: Iterable[DayBar]) -> Iterator[DayBar]:
    """The weeks that the days, oldest first, are of; each named by its Monday, a last one as far as
    it has gone."""
    for monday, group in groupby(days, lambda bar: bar.day - timedelta(days=bar.day.weekday())):
        bars = list(group)
        yield DayBar(
            monday,
            bars[0].open,
            max(bar.high for bar in bars),
            min(bar.low for bar in bars),
            bars[-1].close,
            sum(bar.volume for bar in bars),
        )
