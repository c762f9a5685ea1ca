"""Candles of a minute, kept in ClickHouse: ingest writes them, curves and charts are drawn of them.

Invariant: a symbol's minute counts once, however often and by whomever it was written: of several
copies the one that saw most of it stands, in whatever order they came (ReplacingMergeTree by what
was traded, read with FINAL). Minutes are kept for as many days as ingest says, by whole months;
what a day came to is kept for ever, made of its minutes while those are there.
"""

import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from functions.shared.stores.clickhouse import ClickHouse, open_clickhouse

_MINUTE: Final = 60
_EPOCH: Final = date(1970, 1, 1)
_COLUMNS: Final = (
    "symbol", "minute", "open", "high", "low", "close", "volume", "turnover", "trades", "seen",
)  # fmt: skip
#: `seen` grows with what a writer saw of the minute, so a part never stands in front of the whole.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS candle (
  symbol   LowCardinality(String),
  minute   DateTime('UTC'),
  open     Int64,  -- prices in ten-thousandths of a rupee
  high     Int64,
  low      Int64,
  close    Int64,
  volume   Int64,  -- shares
  turnover Int64,  -- price times shares, in ten-thousandths of a rupee
  trades   Int64,
  seen     UInt64
) ENGINE = ReplacingMergeTree(seen) PARTITION BY toYYYYMM(minute) ORDER BY (symbol, minute)
SETTINGS ttl_only_drop_parts = 1
"""
_KEPT_FOR: Final = "TTL minute + toIntervalDay(%d)"
_ENGINE: Final = (
    "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'candle'"
)
#: A day is one of India. It is made again while its minutes come in; the fullest stands.
_DAY_TABLE: Final = """
CREATE TABLE IF NOT EXISTS day_candle (
  symbol   LowCardinality(String),
  day      Date,
  open     Int64,
  high     Int64,
  low      Int64,
  close    Int64,
  volume   Int64,
  turnover Int64,
  trades   Int64,
  seen     UInt64
) ENGINE = ReplacingMergeTree(seen) ORDER BY (symbol, day)
"""
_KEEP_DAYS: Final = """
INSERT INTO day_candle
SELECT symbol, toDate(minute, 'Asia/Kolkata'), argMin(open, minute), max(high), min(low),
  argMax(close, minute), sum(volume), sum(turnover), sum(trades), sum(seen)
FROM candle FINAL
WHERE minute >= toDateTime({since:Int64}, 'UTC') AND minute < toDateTime({until:Int64}, 'UTC')
GROUP BY symbol, toDate(minute, 'Asia/Kolkata')
"""
_DAYS: Final = """
SELECT toUInt16(day), open, high, low, close, volume, turnover, trades FROM day_candle FINAL
WHERE symbol = {symbol:String} AND day >= toDate({first:UInt16}) AND day <= toDate({last:UInt16})
ORDER BY day
"""
_OF_SYMBOL: Final = """
SELECT symbol, toUnixTimestamp(minute), open, high, low, close, volume, turnover, trades
FROM candle FINAL WHERE symbol = {symbol:String}
AND minute >= toDateTime({since:Int64}, 'UTC') AND minute < toDateTime({until:Int64}, 'UTC')
ORDER BY minute DESC LIMIT {most:UInt32}
"""
#: Some minutes of a symbol together: they begin `offset` minutes after whole ones of India's day.
_TOGETHER: Final = """
SELECT toUnixTimestamp(greatest(day_begins, day_begins + (slot * {minutes:Int64} - {minutes:Int64}
    + {offset:Int64}) * 60)),
  argMin(open, minute), max(high), min(low), argMax(close, minute), sum(volume)
FROM (SELECT minute, open, high, low, close, volume,
    toStartOfDay(minute, 'Asia/Kolkata') AS day_begins,
    intDiv(intDiv(toUnixTimestamp(minute) - toUnixTimestamp(day_begins), 60) + {minutes:Int64}
      - {offset:Int64}, {minutes:Int64}) AS slot
  FROM candle FINAL WHERE symbol = {symbol:String}
  AND minute >= toDateTime({since:Int64}, 'UTC') AND minute < toDateTime({until:Int64}, 'UTC'))
GROUP BY day_begins, slot ORDER BY day_begins, slot LIMIT {most:UInt32}
"""
_DAYS_OF_MINUTES: Final = """
SELECT toUInt16(toDate(minute, 'Asia/Kolkata')), argMin(open, minute), max(high), min(low),
  argMax(close, minute), sum(volume), sum(turnover), sum(trades)
FROM candle FINAL WHERE symbol = {symbol:String}
AND minute >= toDateTime({since:Int64}, 'UTC') AND minute < toDateTime({until:Int64}, 'UTC')
GROUP BY toDate(minute, 'Asia/Kolkata') ORDER BY 1
"""
_RANGES: Final = """
SELECT symbol, max(high), min(low) FROM day_candle FINAL
WHERE symbol IN (SELECT arrayJoin(JSONExtract({symbols:String}, 'Array(String)')))
AND day >= toDate({first:UInt16}) AND day <= toDate({last:UInt16}) GROUP BY symbol
"""
_VOLUMES: Final = """
SELECT symbol, groupArray(toUnixTimestamp(minute)), groupArray(volume)
FROM candle FINAL
WHERE symbol IN (SELECT arrayJoin(JSONExtract({symbols:String}, 'Array(String)')))
AND minute >= toDateTime({since:Int64}, 'UTC') AND minute < toDateTime({until:Int64}, 'UTC')
GROUP BY symbol
"""
_RECORDED: Final = """
SELECT DISTINCT toUnixTimestamp(minute) FROM candle
WHERE minute >= toDateTime({since:Int64}, 'UTC') AND minute < toDateTime({until:Int64}, 'UTC')
"""


class Candle(NamedTuple):
    """A symbol's minute, counted since 1970: prices in ten-thousandths of a rupee, `volume` in
    shares, `turnover` as price times shares; an index has neither volume nor turnover."""

    symbol: str
    minute: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    trades: int


class DayCandle(NamedTuple):
    """What a day in India came to; the figures as of a Candle."""

    day: date
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    trades: int


class Bar(NamedTuple):
    """Some minutes together, from `begins` on, in seconds since 1970."""

    begins: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class CandleStore:
    """Safe for threads; every method raises Retryable when ClickHouse does not answer. Who gives
    `minutes_days` has minutes kept for so long; others leave that as it is."""

    def __init__(self, clickhouse: ClickHouse, minutes_days: int | None = None) -> None:
        self._clickhouse, self._minutes_days = clickhouse, minutes_days
        self._tables_are_there = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, url: str, minutes_days: int | None = None) -> "CandleStore":
        """Raises SettingsError, as `open_clickhouse`."""
        return cls(open_clickhouse(url), minutes_days)

    def write(self, candles: Sequence[Candle]) -> None:
        """Keeps them; those that are there already count once."""
        if not candles:
            return
        rows = [(c.symbol, c.minute * _MINUTE, *c[2:], c.volume + c.trades) for c in candles]
        self._ready().insert("candle", _COLUMNS, rows)

    def of_symbol(self, symbol: str, since: datetime, until: datetime, most: int) -> list[Candle]:
        """The symbol's candles from `since` on and before `until`, oldest first; the latest `most`
        of them. A minute without a trade has none."""
        rows = self._ask(_OF_SYMBOL, since, until, symbol=symbol, most=most)
        return [Candle(row[0], row[1] // _MINUTE, *row[2:]) for row in reversed(rows)]

    def together(
        self, symbol: str, minutes: int, offset: int, since: datetime, until: datetime, most: int
    ) -> list[Bar]:
        """The symbol's candles of so many minutes, that begin `offset` minutes after whole ones of
        India's day, oldest first; the first `most` of them. None reaches over midnight there."""
        rows = self._ask(
            _TOGETHER, since, until, symbol=symbol, minutes=minutes, offset=offset % minutes,
            most=most,
        )  # fmt: skip
        return [Bar(*row) for row in rows]

    def days_of_minutes(self, symbol: str, since: datetime, until: datetime) -> list[DayCandle]:
        """What the symbol's minutes between two midnights in India come to, by days."""
        rows = self._ask(_DAYS_OF_MINUTES, since, until, symbol=symbol)
        return [DayCandle(_EPOCH + timedelta(days=row[0]), *row[1:]) for row in rows]

    def ranges(self, symbols: Sequence[str], first: date, last: date) -> dict[str, tuple[int, int]]:
        """Each symbol's highest and lowest price in the days that were kept; one without is not
        there."""
        between = {"first": (first - _EPOCH).days, "last": (last - _EPOCH).days}
        listed = msgspec.json.encode(symbols).decode()
        rows = self._ready().ask(_RANGES, {"symbols": listed, **between})
        return {symbol: (high, low) for symbol, high, low in rows}

    def volumes(
        self, symbols: Sequence[str], since: datetime, until: datetime
    ) -> dict[str, dict[int, int]]:
        """What each symbol traded, by minute since 1970; one that did not trade is not there."""
        listed = msgspec.json.encode(symbols).decode()
        rows = self._ask(_VOLUMES, since, until, symbols=listed)
        return {
            symbol: {at // _MINUTE: volume for at, volume in zip(times, volumes, strict=True)}
            for symbol, times, volumes in rows
        }

    def recorded(self, since: datetime, until: datetime) -> set[int]:
        """The minutes, since 1970, in which any symbol has a candle."""
        return {row[0] // _MINUTE for row in self._ask(_RECORDED, since, until)}

    def keep_days(self, since: datetime, until: datetime) -> None:
        """Keeps what the days between two midnights in India came to, by the minutes there are."""
        self._ask(_KEEP_DAYS, since, until)

    def days(self, symbol: str, first: date, last: date) -> list[DayCandle]:
        """The symbol's days that were kept, oldest first."""
        between = {"first": (first - _EPOCH).days, "last": (last - _EPOCH).days}
        rows = self._ready().ask(_DAYS, {"symbol": symbol, **between})
        return [DayCandle(_EPOCH + timedelta(days=row[0]), *row[1:]) for row in rows]

    def close(self) -> None:
        self._clickhouse.close()

    def _ask(
        self, query: str, since: datetime, until: datetime, **more: str | int
    ) -> Sequence[Sequence[Any]]:
        between = {"since": int(since.timestamp()), "until": int(until.timestamp())}
        return self._ready().ask(query, {**between, **more})

    def _ready(self) -> ClickHouse:
        """The store with its tables, which whoever comes first makes."""
        with self._lock:
            if not self._tables_are_there:
                self._clickhouse.run(_TABLE)
                self._clickhouse.run(_DAY_TABLE)
                if self._minutes_days is not None:
                    self._keep_minutes(_KEPT_FOR % self._minutes_days)
                self._tables_are_there = True
            return self._clickhouse

    def _keep_minutes(self, rule: str) -> None:
        """A rule that stands is left alone: setting it looks at every part of the table."""
        ((engine,),) = self._clickhouse.ask(_ENGINE, {})
        if rule not in engine:
            self._clickhouse.run(f"ALTER TABLE candle MODIFY {rule}")
