"""A symbol's volume curve out of what its minutes traded on the days before.

Flow: the sessions like today's -> those of them that were recorded whole -> the average of a
symbol's days, which becomes a row of `ledger.volume_curve`. Invariant: each day weighs the same,
however much was traded on it; the minutes of the average add up to it to the last share; a holiday
has no session, and half a day, or one that nobody recorded, is no day of the average.

Minutes are counted since 1970, in UTC. Broker policy: twenty days, as a VWAP's curve is described.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from functions.shared.domain.calendar import (
    INDIA,
    Hours,
    continuous_trading,
    previous_trading_day,
)
from functions.shared.domain.money import divide_half_up
from functions.shared.domain.sessions import SecurityClass

#: A day counts when trades of the market are known in so many of its minutes, in per cent.
WHOLE_PERCENT: Final = 90
#: Trading days looked back through for each that is wanted: the rest may be missing or cut short.
REACH: Final = 2
_MINUTE: Final = 60
#: A day's shares of its volume are whole parts of this.
_PARTS: Final = 10**12


@dataclass(frozen=True, slots=True)
class Session:
    """Continuous trading of a day, from the minute `first` on, so many `minutes`."""

    day: date
    first: int
    minutes: int

    @property
    def begins(self) -> time:
        """India's time."""
        return datetime.fromtimestamp(self.first * _MINUTE, INDIA).time()


@dataclass(frozen=True, slots=True)
class AverageDay:
    """What a symbol trades in each minute of a session, in shares, on the average of the `days` on
    which it traded, oldest first."""

    days: tuple[date, ...]
    volumes: tuple[int, ...]


def session_of(day: date, hours: Hours, security: SecurityClass) -> Session | None:
    """The day's continuous trading in a class of securities, None on a day without."""
    trading = continuous_trading(day, hours, security)
    if trading is None:
        return None
    first, end = (int(at.timestamp()) // _MINUTE for at in trading)
    return Session(day, first, end - first)


def sessions_like(
    today: Session, hours: Hours, security: SecurityClass, days: int
) -> list[Session]:
    """Sessions before today's that traded through all of its hours, each cut to them: newest
    first, out of REACH times as many trading days as are wanted."""
    found, day = [], today.day
    for _ in range(days * REACH):
        day = previous_trading_day(day, hours)
        before = session_of(day, hours, security)
        if before is None:
            continue
        cut = datetime.combine(day, today.begins, INDIA).astimezone(UTC)
        first = int(cut.timestamp()) // _MINUTE
        if before.first <= first and first + today.minutes <= before.first + before.minutes:
            found.append(Session(day, first, today.minutes))
    return found


def recorded_whole(
    sessions: Sequence[Session], recorded: Collection[int], days: int
) -> list[Session]:
    """The first so many of the sessions in whose minutes trades of the market are known."""
    whole = (
        each for each in sessions
        if sum(each.first + n in recorded for n in range(each.minutes)) * 100
        >= each.minutes * WHOLE_PERCENT
    )  # fmt: skip
    return [each for each, _ in zip(whole, range(days), strict=False)]


def average_day(sessions: Sequence[Session], traded: Mapping[int, int]) -> AverageDay:
    """`traded`: a symbol's volume by minute. A day on which it did not trade says nothing of how
    its volume is spread, and is left out; the average of no day has no minutes."""
    days, totals = [], []
    parts = [0] * max((each.minutes for each in sessions), default=0)
    for session in sorted(sessions, key=lambda each: each.day):
        volumes = [traded.get(session.first + n, 0) for n in range(session.minutes)]
        total = sum(volumes)
        if total:
            days.append(session.day)
            totals.append(total)
            for n, volume in enumerate(volumes):
                parts[n] += volume * _PARTS // total
    if not totals:
        return AverageDay((), ())
    return AverageDay(tuple(days), _spread(divide_half_up(sum(totals), len(totals)), parts))


def _spread(volume: int, parts: Sequence[int]) -> tuple[int, ...]:
    """A day's volume by its parts: what has passed by each minute is rounded, so that all of it
    adds up to the whole."""
    whole, passed, before = sum(parts), 0, 0
    volumes = []
    for part in parts:
        passed += part
        until = divide_half_up(volume * passed, whole)
        volumes.append(until - before)
        before = until
    return tuple(volumes)
