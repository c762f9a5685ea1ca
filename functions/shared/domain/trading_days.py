"""The days that NSE trades equities on and that settle, year by year: rows, and nothing else.

Trading and settlement are two calendars: on some days shares trade and nothing is paid in or out.
Invariant: a year is either here whole, with what was added to it later, or it isn't loaded.

Sources: 2025: the lists of NSE (trading) and NCL (settlement), the Muhurat notice of
September 2025. 2026: NSE CMTR71775 of 12 December 2025, the 15 January 2026 addition, CMTR72349
(Sunday 1 February 2026, full session, no settlement); NCL CMPT71904 (settlement). The closed
weekdays of both years are those of pandas_market_calendars 5.5.0. Not here: the Muhurat session of
Sunday 8 November 2026, whose hours were not found, and 2027, which was not published.
"""

from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Final

_Day = tuple[int, int]


def _days(year: int, days: Iterable[_Day]) -> frozenset[date]:
    return frozenset(date(year, month, day) for month, day in days)


LOADED_YEARS: Final = frozenset({2025, 2026})
#: Weekdays without a usual session.
HOLIDAYS: Final = _days(
    2025,
    (
        (2, 26), (3, 14), (3, 31), (4, 10), (4, 14), (4, 18), (5, 1), (8, 15), (8, 27),
        (10, 2), (10, 21), (10, 22), (11, 5), (12, 25),
    ),
) | _days(
    2026,
    (
        (1, 15), (1, 26), (3, 3), (3, 26), (3, 31), (4, 3), (4, 14), (5, 1), (5, 28),
        (6, 26), (9, 14), (10, 2), (10, 20), (11, 10), (11, 24), (12, 25),
    ),
)  # fmt: skip
#: Sessions on holidays and at weekends, from when to when; None: the hours of any other day.
SPECIAL_SESSIONS: Final[Mapping[date, tuple[time, time] | None]] = {
    date(2025, 2, 1): None,
    date(2025, 10, 21): (time(13, 45), time(14, 45)),
    date(2026, 2, 1): None,
}
#: Days that trade without pay-in and pay-out. Weekends and other holidays settle nothing anyway.
SETTLEMENT_ONLY_HOLIDAYS: Final = _days(
    2025, ((2, 1), (2, 19), (4, 1), (5, 12), (9, 5), (9, 8))
) | _days(2026, ((2, 1), (2, 19), (3, 19), (4, 1), (8, 26)))
