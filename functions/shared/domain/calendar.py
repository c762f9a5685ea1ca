"""Trading days and hours, settlement days, and the times of a session.

`always-open` has a session and a settlement each calendar day.

Invariant: the answer comes from dated rows; a year that isn't loaded is said to be provisional,
never guessed in silence.

The days are rows of `trading_days`, with their sources; the sessions of a day are rows of
`sessions`. Square-off times are broker policy.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final, Literal
from zoneinfo import ZoneInfo

from functions.shared.domain.market_halts import STOPPED, HaltSource, MarketHalt
from functions.shared.domain.sessions import (
    ALL_DAY,
    Announcement,
    Rows,
    SecurityClass,
    SessionRow,
    last_close,
    rule_set,
    scheduled_phase,
)
from functions.shared.domain.sessions import (
    Phase as Phase,
)
from functions.shared.domain.trading_days import (
    HOLIDAYS,
    LOADED_YEARS,
    SETTLEMENT_ONLY_HOLIDAYS,
    SPECIAL_SESSIONS,
)

Hours = Literal["nse", "always-open"]

INDIA: Final = ZoneInfo("Asia/Kolkata")
#: So long before a special session ends, intraday positions begin to be closed.
_SPECIAL_CUT_OFF: Final = timedelta(minutes=20)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """`provisional`: the year's holidays are not loaded, weekdays are assumed. `past_cut_off`:
    intraday positions are being closed and no new intraday order is taken. `sure_since`: since
    when it surely is this phase, and what the venue announced before that is about another one.
    `text`: why the venue halted. `halt`: of the whole market, while it is why."""

    phase: Phase
    trade_date: date
    provisional: bool
    past_cut_off: bool = False
    sure_since: datetime | None = None
    text: str = ""
    halt: MarketHalt | None = None


@dataclass(frozen=True, slots=True)
class SquareOffTime:
    """A dated row: when the broker begins to close intraday positions, in India's time."""

    valid_from: date
    hours: Hours
    at: time
    source: str


# A stock with a closing auction leaves continuous trading at 15:15 (since 3 August 2026), so the
# cut-off is before it; the others could go on to 15:20, and take the same time for now.
SQUARE_OFF_TIMES: Final = (
    SquareOffTime(date(2025, 1, 1), "nse", time(15, 10), "broker policy"),
    SquareOffTime(date(2025, 1, 1), "always-open", time(23, 49), "broker policy"),
)


def is_trading_day(day: date) -> bool:
    """Whether NSE trades equities that day."""
    return day in SPECIAL_SESSIONS or (day.weekday() < 5 and day not in HOLIDAYS)


def is_settlement_day(day: date) -> bool:
    """Whether money and shares are paid in and out that day."""
    return day.weekday() < 5 and day not in HOLIDAYS and day not in SETTLEMENT_ONLY_HOLIDAYS


def settlement_date(trade_date: date, hours: Hours) -> date:
    """The day a trade settles, T+1: the first settlement day after it."""
    day = trade_date + _DAY
    while hours == "nse" and not is_settlement_day(day):
        day += _DAY
    return day


def previous_trading_day(day: date, hours: Hours) -> date:
    """The last day before `day` that had a session."""
    day -= _DAY
    while hours == "nse" and not is_trading_day(day):
        day -= _DAY
    return day


def next_session_start(after: datetime, hours: Hours, lead: timedelta) -> datetime:
    """The next moment that is `lead` before the first session of a day. `always-open`, whose days
    touch, has no room for a lead: there it is the next midnight of India."""
    day = after.astimezone(INDIA).date()
    if hours == "always-open":
        return datetime.combine(day + _DAY, time.min, INDIA).astimezone(UTC)
    while True:
        if is_trading_day(day):
            begins = min(_rows(day, hours, each)[0].at for each in SecurityClass)
            moment = (datetime.combine(day, begins, INDIA) - lead).astimezone(UTC)
            if moment > after:
                return moment
        day += _DAY


def square_off_time(trade_date: date, hours: Hours) -> datetime:
    """When intraday positions of a trade date begin to be closed, and no new one is taken.

    Raises LookupError when no row covers the day.
    """
    at = _square_off_at(trade_date, hours)
    if at is None:
        raise LookupError(f"no square-off time on {trade_date}")
    return datetime.combine(trade_date, at, INDIA).astimezone(UTC)


def _square_off_at(day: date, hours: Hours) -> time | None:
    if hours == "nse" and (special := SPECIAL_SESSIONS.get(day)) is not None:
        return (datetime.combine(day, special[1]) - _SPECIAL_CUT_OFF).time()
    rows = [row for row in SQUARE_OFF_TIMES if row.hours == hours and row.valid_from <= day]
    return max(rows, key=lambda row: row.valid_from).at if rows else None


def closed_through(now: datetime, hours: Hours) -> date:
    """The last day in India whose last session, if it had one, is over."""
    local = now.astimezone(INDIA)
    closes = last_close(_rows(local.date(), hours, SecurityClass.OTHER))
    return local.date() if local.time() >= closes else local.date() - _DAY


def continuous_trading(
    day: date, hours: Hours, security: SecurityClass
) -> tuple[datetime, datetime] | None:
    """From when to when a class of securities trades continuously on a day, by the calendar; None
    on a day without a session."""
    for row, following in pairwise(_rows(day, hours, security)):
        if row.phase is Phase.OPEN:
            begins, ends = (datetime.combine(day, each.at, INDIA) for each in (row, following))
            return begins.astimezone(UTC), ends.astimezone(UTC)
    return None


def market_status(
    now: datetime, hours: Hours, security: SecurityClass = SecurityClass.OTHER
) -> MarketStatus:
    """What the calendar says of a class of securities at a business time. `always-open` has a
    session each day until 23:59 IST."""
    local = now.astimezone(INDIA)
    day, moment = local.date(), local.time()
    cut_off = _square_off_at(day, hours)
    scheduled = scheduled_phase(_rows(day, hours, security), moment)
    return MarketStatus(
        phase=scheduled.phase,
        trade_date=day,
        provisional=hours == "nse" and day.year not in LOADED_YEARS,
        past_cut_off=cut_off is not None and moment >= cut_off,
        sure_since=datetime.combine(day, scheduled.sure_since or time.min, INDIA),
    )


def ruled(status: MarketStatus, told: Announcement | None) -> MarketStatus:
    """The status with the venue's word in it: a phase rules until the calendar's next boundary has
    passed, a security's halt until it is lifted; from then on it surely is the phase again."""
    if told is None:
        return status
    if status.sure_since is None or told.at >= status.sure_since:
        status = replace(status, phase=told.phase, text=told.text, sure_since=told.at)
    if told.halt is not None and status.phase is not Phase.CLOSED:
        status = replace(status, phase=told.halt, text=told.text)
    lifted, since = told.lifted_at, status.sure_since
    if told.halt is None and lifted is not None and since is not None and lifted > since:
        status = replace(status, sure_since=lifted)
    return status


def in_force(
    status: MarketStatus, told: Announcement | None, halt: MarketHalt | None, now: datetime
) -> MarketStatus:
    """The status with the venue's word on a security, and a halt of the whole market, in it. An
    operator's word on the market goes before what the venue had announced of all by then."""
    if halt is None or halt.trade_date != status.trade_date:
        return ruled(status, told)
    by_operator = halt.source is HaltSource.OPERATOR
    if by_operator and told is not None and told.phase in STOPPED and told.at <= halt.said_at:
        told = told._replace(phase=status.phase, at=halt.said_at)
    status = ruled(status, told)
    phase = halt.phase_at(now)
    if phase is None:
        opened, since = halt.opens_at, status.sure_since
        if opened is not None and since is not None and since < opened <= now:
            return replace(status, sure_since=opened)
        return status
    if status.phase is Phase.CLOSED or (phase is Phase.REOPENING and status.phase is Phase.HALTED):
        return status
    return replace(status, phase=phase, text=halt.text, halt=halt)


def standing_band(told: Announcement | None, trade_date: date) -> tuple[int, int] | None:
    """The price band that the venue announced on that trade date, None when it announced none."""
    if told is None or told.band_at is None:
        return None
    return told.band if told.band_at.astimezone(INDIA).date() == trade_date else None


def _rows(day: date, hours: Hours, security: SecurityClass) -> Rows:
    """The sessions of a day; a day that doesn't trade has none until its last close."""
    if hours == "always-open":
        return ALL_DAY.rows[security]
    if (special := SPECIAL_SESSIONS.get(day)) is not None:
        opens, closes = special
        return (SessionRow(opens, Phase.OPEN), SessionRow(closes, Phase.CLOSED))
    rows = rule_set(day).rows[security]
    return rows if is_trading_day(day) else rows[-1:]
