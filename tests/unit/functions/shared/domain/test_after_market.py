"""After-market orders: when they are taken, and for which session."""

from datetime import date, datetime

import pytest

from functions.shared.domain.after_market import after_market_rules, after_market_terms
from functions.shared.domain.calendar import INDIA, Hours
from functions.shared.domain.orders import Validity


def india(day: int, hour: int, minute: int, month: int = 7) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=INDIA)


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (india(9, 16, 0), date(2026, 7, 10)),  # a Thursday after the close
        (india(10, 8, 57), date(2026, 7, 10)),
        (india(10, 16, 0), date(2026, 7, 13)),  # Friday: over the weekend
        (india(11, 12, 0), date(2026, 7, 13)),
        (india(30, 23, 0, month=4), date(2026, 5, 4)),  # 1 May is a holiday, then a weekend
    ],
)
def test_they_are_taken_while_the_market_is_closed_for_its_next_session(
    now: datetime, session: date
) -> None:
    assert after_market_rules(now, "nse") == []
    terms = after_market_terms(now, "nse", Validity.DAY)
    assert terms.trade_date == session
    assert terms.waits
    assert terms.releases_at is not None
    assert terms.releases_at.astimezone(INDIA) == datetime(*session.timetuple()[:3], 9, 0,
                                                           tzinfo=INDIA)  # fmt: skip
    assert terms.expires_at.astimezone(INDIA).hour == 15


@pytest.mark.parametrize(
    ("now", "hours"),
    [(india(10, 8, 58), "nse"), (india(10, 15, 59), "nse"), (india(11, 12, 0), "always-open")],
)
def test_in_market_hours_none_is_taken(now: datetime, hours: Hours) -> None:
    (rule,) = after_market_rules(now, hours)
    assert rule.code == "AFTER_MARKET_ONLY"
