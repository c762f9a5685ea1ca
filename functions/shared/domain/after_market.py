"""After-market orders: taken while the market is closed, for the next session's opening.

Invariant: such an order is judged by the rules of the session that it is for, and again, on that
session's own prices and phase, when it is released.

Source: brokers' help pages (equity from 16:00 to 08:58, released as the pre-open session begins);
broker policy for the rest.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from functions.shared.domain.calendar import INDIA, Hours, is_trading_day
from functions.shared.domain.orders import Validity
from functions.shared.domain.pretrade import Rule
from functions.shared.domain.waiting import Terms, good_till, session_end

#: The validities that such an order may have.
AFTER_MARKET: Final = frozenset({Validity.DAY, Validity.GTC})
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AfterMarketHours:
    """A dated row: from when to when they are taken, and when they go to the exchange: those that
    an auction takes, and those that show a part of themselves."""

    valid_from: date
    hours: Hours
    taken_from: time
    taken_until: time
    released_at: time
    open_at: time
    source: str


AFTER_MARKET_HOURS: Final = (
    AfterMarketHours(
        date(2023, 1, 1), "nse", time(16, 0), time(8, 58), time(9, 0), time(9, 15),
        "a broker's help page",
    ),
    AfterMarketHours(
        date(2023, 1, 1), "always-open", time(23, 59), time(0, 0), time(0, 0), time(0, 0),
        "the demo's clock",
    ),
)  # fmt: skip


def after_market_rules(now: datetime, hours: Hours) -> list[Rule]:
    """Why no after-market order is taken now, if so. Raises LookupError without a row."""
    local, row = now.astimezone(INDIA), _row(now, hours)
    open_now = row.taken_until <= local.time() < row.taken_from
    if open_now and (hours == "always-open" or is_trading_day(local.date())):
        return [
            Rule("AFTER_MARKET_ONLY", "after-market orders are taken while the market is closed",
                 f"{local:%H:%M}", f"{row.taken_from:%H:%M} to {row.taken_until:%H:%M}")
        ]  # fmt: skip
    return []


def after_market_terms(
    now: datetime, hours: Hours, validity: Validity, *, discloses: bool = False
) -> Terms:
    """When the order goes to the exchange, and when it ends. `discloses`: whether it shows a part
    of itself, which no auction takes."""
    row, day = _row(now, hours), next_session(now, hours)
    at = row.open_at if discloses else row.released_at
    released = datetime.combine(day, at, INDIA).astimezone(UTC)
    ends = good_till if validity is Validity.GTC else session_end
    return Terms(None, ends(day, hours), released, day)


def next_session(now: datetime, hours: Hours) -> date:
    """The first session that begins after now."""
    local = now.astimezone(INDIA)
    day = local.date()
    if local.time() >= _row(now, hours).taken_until:
        day += _DAY
    while hours == "nse" and not is_trading_day(day):
        day += _DAY
    return day


def _row(now: datetime, hours: Hours) -> AfterMarketHours:
    on = now.astimezone(INDIA).date()
    rows = [row for row in AFTER_MARKET_HOURS if row.hours == hours and row.valid_from <= on]
    if not rows:
        raise LookupError(f"no after-market hours on {on}")
    return max(rows, key=lambda row: row.valid_from)
