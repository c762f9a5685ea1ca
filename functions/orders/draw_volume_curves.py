"""The schedule that draws each symbol's curve of volume, once a trading day, before it trades, and
keeps what the days before came to.

Candles of the last days -> the average day of each symbol -> every shard. It finds out by itself
whether the day's are drawn, so what a run that failed left, or a clock that moved, the next makes
up for. Invariant: plans never ask the candles' store. While it is away the curves that were drawn
last hold, and a symbol with fewer days than are wanted goes by the curve of all.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from functions.shared.bookkeeping.curves import DrawnCurve, are_drawn, end_draw, keep_curves
from functions.shared.domain.calendar import INDIA, Hours, market_status
from functions.shared.domain.errors import Retryable
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.sessions import SecurityClass
from functions.shared.domain.volume_history import (
    AverageDay,
    Session,
    average_day,
    recorded_whole,
    session_of,
    sessions_like,
)
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.settings import Settings
from functions.shared.stores.candles import CandleStore
from functions.shared.stores.postgres import Database

#: Candles of a day's last minutes are on their way for so long after midnight in India.
_ARRIVES: Final = timedelta(minutes=2)
#: Days whose candle is made again: whatever did not run for as long is made up for.
_DAYS_KEPT_AGAIN: Final = timedelta(days=10)
#: Symbols asked for at once: twenty days of each are some ten thousand minutes.
_PAGE: Final = 25
#: No page takes that long.
_RESERVE_MILLISECONDS: Final = 10_000
_BUCKET_MINUTES: Final = 1


class CurveSettings(Settings, frozen=True, kw_only=True):
    """`volume_curve_days`: so many days a curve is the average of, `volume_curve_days_least` at
    least. Without a `clickhouse_url` there are no candles, and nothing is drawn."""

    clickhouse_url: str | None = None
    volume_curve_days: int = 20
    volume_curve_days_least: int = 5


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many curves were drawn. Raises SettingsError; a store that doesn't answer is left to the
    next run."""
    settings = CurveSettings.from_environment()
    if settings.clickhouse_url is None:
        return {"drawn": 0}
    candles = CandleStore.open(settings.clickhouse_url)
    try:
        return {"drawn": _Draw(composition.stores(), candles, settings, context).run()}
    except Retryable as error:
        logger().warning("curves left to the next run", why=str(error))
        return {"drawn": 0}
    finally:
        candles.close()


class _Draw:
    """The curves of one trading day."""

    def __init__(
        self, stores: Stores, candles: CandleStore, settings: CurveSettings, context: Any
    ) -> None:
        self._stores, self._candles, self._settings = stores, candles, settings
        self._context = context
        self._now = stores.clock.now()
        self._hours: Hours = stores.clock.hours
        self._day = market_status(self._now, self._hours).trade_date

    def run(self) -> int:
        """Raises Retryable when a store doesn't answer."""
        midnight = datetime.combine(self._day, datetime.min.time(), INDIA)
        if self._now - midnight < _ARRIVES:
            return 0
        shards = [
            each
            for each in self._stores.shards.databases
            if not are_drawn(each, self._hours, self._day)
        ]
        if not shards:
            return 0
        self._candles.keep_days(midnight - _DAYS_KEPT_AGAIN, midnight)
        drawn = 0
        for security, sessions in self._classes():
            for page in self._pages(security):
                if self._context.get_remaining_time_in_millis() < _RESERVE_MILLISECONDS:
                    logger().warning("run out of time", step="drawn")
                    return drawn
                drawn += self._draw(shards, sessions, page)
        for database in shards:
            end_draw(database, self._hours, self._day, drawn, self._now)
        return drawn

    def _classes(self) -> Iterator[tuple[SecurityClass, list[Session]]]:
        """The days that count, of each class that trades today."""
        for security in SecurityClass:
            today = session_of(self._day, self._hours, security)
            if today is None:
                continue
            like = sessions_like(today, self._hours, security, self._settings.volume_curve_days)
            if like:
                recorded = self._candles.recorded(*_reach(like))
                yield security, recorded_whole(like, recorded, self._settings.volume_curve_days)

    def _pages(self, security: SecurityClass) -> Iterator[list[Instrument]]:
        listed = [
            each
            for _, each in sorted(self._stores.instruments.by_symbol().items())
            if each.kind == "EQUITY" and each.security_class is security
        ]
        for first in range(0, len(listed), _PAGE):
            yield listed[first : first + _PAGE]

    def _draw(
        self, shards: Sequence[Database], sessions: Sequence[Session], page: Sequence[Instrument]
    ) -> int:
        """The curves of some symbols; how many there are."""
        least = max(1, self._settings.volume_curve_days_least)
        if len(sessions) < least:
            return 0
        symbols = [each.symbol for each in page]
        volumes = self._candles.volumes(symbols, *_reach(sessions))
        averages = {symbol: average_day(sessions, traded) for symbol, traded in volumes.items()}
        curves = [
            _curve(symbol, sessions[0], average)
            for symbol, average in averages.items()
            if len(average.days) >= least
        ]
        if curves:
            for database in shards:
                keep_curves(database, self._hours, self._day, curves)
        return len(curves)


def _curve(symbol: str, session: Session, average: AverageDay) -> DrawnCurve:
    days: Sequence[date] = average.days
    return DrawnCurve(
        symbol=symbol,
        begins=session.begins.isoformat(),
        minutes=_BUCKET_MINUTES,
        volumes=average.volumes,
        source=f"{symbol} by the minute, {len(days)} days from {days[0]} to {days[-1]}",
        days=len(days),
    )


def _reach(sessions: Sequence[Session]) -> tuple[datetime, datetime]:
    """From the first minute of the earliest to behind the last of the latest."""
    first = min(each.first for each in sessions)
    end = max(each.first + each.minutes for each in sessions)
    return datetime.fromtimestamp(first * 60, UTC), datetime.fromtimestamp(end * 60, UTC)
