"""Valuation and close-out of shares that were not delivered."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.charges import RATE_UNIT
from functions.shared.domain.money import divide_half_up
from functions.shared.domain.short_delivery import (
    DayPrice,
    close_out_price,
    settlement_price,
    shortage_rates,
)

TRADED = date(2026, 7, 9)
AUCTION = date(2026, 7, 10)
RUPEE = 10_000


def days(*rows: tuple[int, float, float]) -> list[DayPrice]:
    """(days after the trade date, high, close in rupees)."""
    return [
        DayPrice(TRADED + timedelta(days=after), round(high * RUPEE), round(close * RUPEE))
        for after, high, close in rows
    ]


def test_the_close_out_is_a_fifth_above_the_settlement_price() -> None:
    assert close_out_price(days((0, 18, 17), (1, 18.5, 18)), TRADED, AUCTION) == 216_000


def test_the_close_out_is_the_highest_price_when_that_is_more() -> None:
    assert close_out_price(days((0, 25, 17), (1, 18.5, 18)), TRADED, AUCTION) == 250_000


def test_prices_before_the_trade_and_after_the_auction_do_not_count() -> None:
    prices = days((-1, 90, 80), (0, 18, 18), (1, 18, 18), (2, 99, 99))
    assert close_out_price(prices, TRADED, AUCTION) == 216_000


def test_a_day_without_a_price_settles_at_the_last_close() -> None:
    prices = days((-1, 11, 10), (0, 13, 12))
    assert settlement_price(prices, AUCTION) == 120_000
    assert close_out_price(prices, TRADED, AUCTION) == 144_000


def test_nothing_is_closed_out_without_a_price() -> None:
    assert settlement_price([], AUCTION) is None
    assert close_out_price(days((2, 9, 9)), TRADED, AUCTION) is None


def test_the_penalty_is_half_a_tenth_of_a_per_cent_and_taxed() -> None:
    # A broker's example: 46.88 on 93,760.00, and 8.44 of tax.
    rates = shortage_rates(AUCTION)
    penalty = divide_half_up(93_760_00 * rates.penalty, RATE_UNIT)
    assert penalty == 46_88
    assert divide_half_up(penalty * rates.tax, RATE_UNIT) == 8_44


def test_a_day_before_the_first_row_has_no_rates() -> None:
    with pytest.raises(LookupError):
        shortage_rates(date(2023, 1, 26))


@given(
    st.lists(
        st.builds(
            DayPrice,
            st.dates(TRADED - timedelta(days=3), AUCTION + timedelta(days=3)),
            st.integers(1, 10**9),
            st.integers(1, 10**9),
        ),
        unique_by=lambda price: price.trade_date,
    )
)
def test_a_close_out_is_at_least_every_price_that_counts(prices: list[DayPrice]) -> None:
    price = close_out_price(prices, TRADED, AUCTION)
    if price is not None:
        counted = [p.high for p in prices if TRADED <= p.trade_date <= AUCTION]
        settled = settlement_price(prices, AUCTION)
        assert settled is not None
        assert price * 100 >= settled * 120
        assert all(price >= high for high in counted)
