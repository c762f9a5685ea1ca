"""Stops as they are placed: the trigger ahead of the market, the limit behind the trigger."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import Judgement, OrderIntent
from functions.shared.domain.waiting import judge_stop, session_end, terms_of
from tests.support.ledger import ACME, NOON, OPEN, price

LAST = price(100)


def verdict(side: Side, trigger: float, limit: float | None = None, last: int = LAST) -> Judgement:
    kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    intent = OrderIntent(
        side, kind, 10, None if limit is None else price(limit), trigger_price=price(trigger)
    )
    return judge_stop(intent, Product.CNC, ACME, last, LAST, OPEN)


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "code", "nearest"),
    [
        (Side.BUY, 100, None, "TRIGGER_PASSED", "100.05"),
        (Side.SELL, 100, None, "TRIGGER_PASSED", "99.95"),
        (Side.BUY, 105.02, None, "TRIGGER_OFF_TICK", "105.00"),
        (Side.BUY, 125, None, "TRIGGER_OUTSIDE_BAND", "120.00"),
        (Side.BUY, 105, 104, "LIMIT_BEFORE_TRIGGER", "105.00"),
        (Side.SELL, 95, 96, "LIMIT_BEFORE_TRIGGER", "95.00"),
        (Side.BUY, 105, 108.2, "STOP_LIMIT_GAP", "108.15"),
        (Side.SELL, 95, 92.1, "STOP_LIMIT_GAP", "92.15"),
    ],
)
def test_a_stop_that_makes_no_sense_is_told_the_nearest_that_does(
    side: Side, trigger: float, limit: float | None, code: str, nearest: str
) -> None:
    (rule,) = verdict(side, trigger, limit).rules
    assert (rule.code, rule.nearest) == (code, nearest)


def test_up_to_fifty_rupees_the_gap_is_a_rupee_and_a_half() -> None:
    cheap = judge_stop(
        OrderIntent(Side.BUY, OrderType.STOP_LIMIT, 1, price(46.6), trigger_price=price(45)),
        Product.CNC, ACME, price(44), price(44), OPEN,
    )  # fmt: skip
    assert [(r.code, r.nearest) for r in cheap.rules] == [("STOP_LIMIT_GAP", "46.50")]


@given(side=st.sampled_from(Side), away=st.integers(1, 380))
def test_a_stop_reserves_at_the_protected_price_of_its_trigger(side: Side, away: int) -> None:
    trigger = LAST + (500 * away if side is Side.BUY else -500 * away)
    judged = verdict(side, trigger / 10_000)
    assert judged.rules == ()
    worse = judged.limit_price >= trigger if side is Side.BUY else judged.limit_price <= trigger
    assert worse
    assert (judged.reserved > 0) is (side is Side.BUY)


@pytest.mark.parametrize(
    ("kind", "validity", "minutes", "after"),
    [
        (OrderType.LIMIT, Validity.DAY, None, None),
        (OrderType.STOP, Validity.DAY, None, timedelta(hours=3, minutes=30)),
        (OrderType.LIMIT, Validity.TTL, 5, timedelta(minutes=5)),
        (OrderType.LIMIT, Validity.TTL, 600, timedelta(hours=3, minutes=30)),
    ],
)
def test_a_waiting_or_short_lived_order_ends_with_the_session_at_the_latest(
    kind: OrderType, validity: Validity, minutes: int | None, after: timedelta | None
) -> None:
    trigger = LAST if kind is OrderType.STOP else None
    intent = OrderIntent(Side.BUY, kind, 1, None, trigger_price=trigger)
    terms = terms_of(intent, validity, minutes, OPEN, NOON, "nse", LAST)
    assert (None if terms is None else terms.expires_at - NOON) == after


def test_a_session_ends_by_its_dated_row() -> None:
    assert session_end(date(2026, 7, 10), "nse") == datetime(2026, 7, 10, 10, 0, tzinfo=UTC)
    with pytest.raises(LookupError):
        session_end(date(2022, 1, 3), "nse")
