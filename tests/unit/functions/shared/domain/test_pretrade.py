"""Each rule of an order on public facts, with its numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.calendar import MarketStatus, Phase
from functions.shared.domain.orders import OrderType, Product, Side
from functions.shared.domain.pretrade import Judgement, OrderIntent, Rule, judge, protected_price
from tests.support.ledger import ACME, OPEN, TODAY, price, verdict


def rules(judgement: Judgement) -> dict[str, Rule]:
    return {rule.code: rule for rule in judgement.rules}


def test_a_sound_order_breaks_no_rule_and_reserves_value_and_charges() -> None:
    found = verdict(Side.BUY, 10, 100)
    assert found.rules == ()
    assert (found.value, found.reserved) == (100_000, 100_000 + sum(found.charges))
    assert verdict(Side.SELL, 10, 100).reserved == 0


@pytest.mark.parametrize(
    ("rupees", "code", "limit", "nearest"),
    [
        (100.03, "PRICE_OFF_TICK", "0.05", "100.05"),
        (100.02, "PRICE_OFF_TICK", "0.05", "100.00"),
        (120.05, "PRICE_OUTSIDE_BAND", "80.00 to 120.00", "120.00"),
        (79.95, "PRICE_OUTSIDE_BAND", "80.00 to 120.00", "80.00"),
    ],
)
def test_a_bad_price_names_the_nearest_good_one(
    rupees: float, code: str, limit: str, nearest: str
) -> None:
    rule = rules(verdict(Side.BUY, 1, rupees))[code]
    assert (rule.limit, rule.nearest) == (limit, nearest)
    assert verdict(Side.BUY, 1, float(nearest)).rules == ()


def test_after_the_cut_off_only_delivery_orders_are_taken() -> None:
    late = replace(OPEN, past_cut_off=True)
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, 1, price(100))
    refused = judge(intent, Product.MIS, ACME, price(100), price(100), late)
    taken = judge(intent, Product.CNC, ACME, price(100), price(100), late)
    assert [(r.code, r.value, r.limit) for r in refused.rules] == [("MIS_CUT_OFF", "MIS", "CNC")]
    assert taken.rules == ()


@pytest.mark.parametrize("rupees", [80, 120])
def test_the_band_includes_its_ends(rupees: int) -> None:
    assert verdict(Side.BUY, 1, rupees).rules == ()


def test_too_many_shares_and_too_much_value_name_the_largest_quantity() -> None:
    found = rules(verdict(Side.BUY, 100_001, 100))
    assert found["QUANTITY_TOO_LARGE"].largest_quantity == 100_000
    dear = replace(ACME, previous_close=price(20_000))
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, 6_000, price(20_000))
    found = rules(judge(intent, Product.CNC, dear, price(20_000), price(20_000), OPEN))
    rule = found["ORDER_VALUE_TOO_LARGE"]
    assert (rule.value, rule.limit) == ("120000000.00", "100000000.00")
    assert rule.largest_quantity == 5_000


def test_a_quantity_off_its_lot_names_a_whole_number_of_lots() -> None:
    found = rules(verdict(Side.BUY, 7, 100, replace(ACME, lot=3)))
    assert found["QUANTITY_OFF_LOT"].largest_quantity == 99_999


def test_an_index_and_a_closed_market_take_no_order() -> None:
    index = replace(ACME, kind="INDEX")
    closed = MarketStatus(Phase.CLOSED, TODAY, provisional=False)
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, 1, price(100))
    found = judge(intent, Product.CNC, index, price(100), price(100), closed)
    assert set(rules(found)) == {"NOT_TRADABLE", "MARKET_CLOSED"}


def test_every_broken_rule_is_named_at_once() -> None:
    found = rules(verdict(Side.SELL, 100_001, 500.03))
    assert set(found) == {"PRICE_OFF_TICK", "PRICE_OUTSIDE_BAND", "QUANTITY_TOO_LARGE"}


@pytest.mark.parametrize(
    ("last", "buy", "sell"),
    [(50, 51, 49), (99.95, 101.95, 97.95), (100, 101, 99), (500, 502.5, 497.5)],
)
def test_a_market_order_is_protected_by_its_slab(last: float, buy: float, sell: float) -> None:
    for side, worst in ((Side.BUY, buy), (Side.SELL, sell)):
        assert protected_price(ACME, side, price(last), price(last)) == price(worst)


@given(
    side=st.sampled_from(Side),
    close=st.integers(2_000, 10**9),
    moved=st.integers(-20, 20),
    tick=st.sampled_from([100, 500, 1_000, 5_000]),
)
def test_a_protected_price_is_on_a_tick_and_inside_the_band(
    side: Side, close: int, moved: int, tick: int
) -> None:
    instrument = replace(ACME, tick=tick)
    low, high = instrument.band(close)
    if low > high or low <= 0:
        return
    last = min(max(close * (100 + moved) // 100, low), high)
    worst = protected_price(instrument, side, last, close)
    assert low <= worst <= high
    assert worst % tick == 0
