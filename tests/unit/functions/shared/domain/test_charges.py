"""Charges of an order: published calculators' vectors, and what must hold for any trade."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.charges import (
    HEADS,
    RATE_ROWS,
    RATE_UNIT,
    Charges,
    charge_rates,
    charges_on,
)
from functions.shared.domain.orders import Product, Side

DAY = date(2026, 7, 10)
EARLY_2023 = date(2023, 2, 1)
CNC, MIS = Product.CNC, Product.MIS

#: 400 shares bought at 1,000 and sold at 1,100, one order each.
BOUGHT, SOLD = 400 * 1_000_00, 400 * 1_100_00


def on(side: Side, value: int, product: Product = CNC, exchange: str = "NSE") -> Charges:
    return charges_on(value, charge_rates(product, exchange, side, DAY).rates)


def round_trip(product: Product, exchange: str, day: date) -> dict[str, int]:
    bought = charges_on(BOUGHT, charge_rates(product, exchange, Side.BUY, day).rates)
    sold = charges_on(SOLD, charge_rates(product, exchange, Side.SELL, day).rates)
    return {head: b + s for head, b, s in zip(HEADS, bought, sold, strict=True)}


@pytest.mark.parametrize(
    ("product", "exchange", "day", "heads", "total"),
    [
        # Published in early 2023; the calculator shows the regulator's fee with its tax, 0.99.
        (MIS, "NSE", EARLY_2023, (40_00, 110_00, 28_98, 0, 84, 12_00, 12_57), 204_39),
        (MIS, "NSE", DAY, (40_00, 110_00, 25_79, 0, 84, 12_00, 11_99), 200_62),
        (MIS, "BSE", DAY, (40_00, 110_00, 31_50, 0, 84, 12_00, 13_02), 207_36),
        (CNC, "NSE", DAY, (0, 840_00, 25_79, 0, 84, 60_00, 4_79), 931_42),
        (CNC, "BSE", DAY, (0, 840_00, 31_50, 0, 84, 60_00, 5_82), 938_16),
    ],
)
def test_a_round_trip_costs_what_the_calculators_say(
    product: Product, exchange: str, day: date, heads: Charges, total: int
) -> None:
    found = round_trip(product, exchange, day)
    assert found == dict(zip(HEADS, heads, strict=True))
    assert sum(found.values()) == total
    assert SOLD - BOUGHT - total == {
        204_39: 39_795_61, 200_62: 39_799_38, 207_36: 39_792_64,
        931_42: 39_068_58, 938_16: 39_061_84,
    }[total]  # fmt: skip


#: What a broker's virtual contract note answers, unrounded, at the rates of its day: the value, the
#: brokerage (flat for two of them), the rates of STT, exchange, fund and regulator, and then the
#: STT, the exchange's charge with the fund's, the regulator's fee, the stamp, the tax, the total.
MOCKS = [
    ("560", "0", (1_000_000, 32_500, 1_000, 1_000),
     ("0.56", "0.01876", "0.00056", "0", "0.0033768"), "0.5826968"),
    ("150", "20", (0, 500_000, 5_000, 1_000),
     ("0", "0.07575", "0.00015", "0", "3.613527"), "23.689427"),
    ("5862", "1.7586", (100_000, 26_000, 0, 1_000),
     ("0.5862", "0.152412", "0.005862", "0", "0.34503732"), "2.84811132"),
    ("1498", "0.01", (1_000_000, 34_500, 0, 1_000),
     ("1.498", "0.051681", "0.001498", "0.22", "0.01137222"), "1.79255122"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "brokerage", "rates", "heads", "total"), MOCKS)
def test_a_brokers_unrounded_answers_follow_from_rates_we_can_hold(
    value: str, brokerage: str, rates: tuple[int, ...], heads: tuple[str, ...], total: str
) -> None:
    stt, exchange, fund, regulator = (Fraction(value) * rate / RATE_UNIT for rate in rates)
    tax = (Fraction(brokerage) + exchange + regulator) * Fraction(180_000_000, RATE_UNIT)
    stamp = Fraction(heads[3])
    assert (stt, exchange + fund, regulator, stamp, tax) == tuple(Fraction(h) for h in heads)
    assert Fraction(brokerage) + stt + exchange + fund + regulator + stamp + tax == Fraction(total)


@pytest.mark.parametrize(
    ("value", "brokerage"), [(66_666_00, 2000), (66_650_00, 2000), (66_649_00, 1999), (100_00, 3)]
)
def test_the_brokerage_of_an_intraday_order_is_capped(value: int, brokerage: int) -> None:
    """0.03 % of the order's value, at most 20 rupees."""
    assert on(Side.BUY, value, MIS)[0] == brokerage


def test_delivery_has_no_brokerage() -> None:
    assert on(Side.BUY, 10**10)[0] == 0


def test_only_a_buy_is_stamped() -> None:
    assert on(Side.BUY, 10_000_00)[5] == 150
    assert on(Side.BUY, 10_000_00, MIS)[5] == 30
    assert on(Side.SELL, 10_000_00)[5] == 0


def test_only_the_sale_of_an_intraday_trade_pays_securities_tax() -> None:
    assert on(Side.BUY, 10_000_00, MIS)[1] == 0
    assert on(Side.SELL, 10_000_00, MIS)[1] == 250


def test_nothing_traded_costs_nothing() -> None:
    assert on(Side.BUY, 0) == (0,) * 7


@given(
    side=st.sampled_from(Side),
    product=st.sampled_from(Product),
    values=st.lists(st.integers(0, 10**10), max_size=20),
)
def test_charges_booked_as_differences_add_up_to_those_of_the_whole(
    side: Side, product: Product, values: list[int]
) -> None:
    total = 0
    booked = before = on(side, 0, product)
    for value in values:
        total += value
        after = on(side, total, product)
        steps = tuple(a - b for a, b in zip(after, before, strict=True))
        assert min(steps) >= 0  # a fill never gives a charge back
        booked = tuple(b + s for b, s in zip(booked, steps, strict=True))
        before = after
    assert booked == on(side, sum(values), product)


def test_the_exchanges_own_charge_follows_its_announcements() -> None:
    def exchange_and_fund(day: date) -> tuple[int, int]:
        rates = charge_rates(CNC, "NSE", Side.BUY, day).rates
        return rates[2], rates[3]

    assert exchange_and_fund(date(2023, 3, 31)) == (34_500, 0)
    assert exchange_and_fund(date(2024, 10, 1)) == exchange_and_fund(date(2026, 2, 28))
    assert exchange_and_fund(date(2026, 2, 28)) == (29_700, 1_000)
    assert exchange_and_fund(date(2026, 3, 1)) == (30_699, 1)


@pytest.mark.parametrize("day", [date(2022, 12, 31), date(2023, 4, 1), date(2024, 9, 30)])
def test_a_day_without_a_loaded_rate_has_none(day: date) -> None:
    with pytest.raises(LookupError, match="no "):
        charge_rates(CNC, "NSE", Side.BUY, day)


def test_an_exchange_without_rates_has_none() -> None:
    with pytest.raises(LookupError):
        charge_rates(CNC, "MCX", Side.BUY, DAY)


def kinds() -> Iterator[tuple[Product, str, Side]]:
    for product in Product:
        for exchange in ("NSE", "BSE"):
            for side in Side:
                yield product, exchange, side


@given(on=st.dates(date(2023, 1, 1), date(2027, 12, 31)), kind=st.sampled_from(list(kinds())))
def test_a_charge_has_one_rate_a_day_at_most(on: date, kind: tuple[Product, str, Side]) -> None:
    holding = [row.head for row in RATE_ROWS if row.holds(*kind, on)]
    assert len(holding) == len(set(holding))
    assert all(row.source for row in RATE_ROWS)


def test_the_version_of_the_rates_is_the_day_of_the_latest_change() -> None:
    assert charge_rates(CNC, "NSE", Side.BUY, DAY).valid_from == date(2026, 3, 1)
