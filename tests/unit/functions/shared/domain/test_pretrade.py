"""Each rule of an order on public facts, with its numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.calendar import MarketStatus, Phase
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import (
    Judgement,
    OrderIntent,
    Rule,
    away_rules,
    judge,
    protected_price,
)
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


def test_a_share_takes_its_products_alone() -> None:
    share = replace(ACME, products="CNC")
    refused = rules(verdict(Side.BUY, 1, 100, share, Product.MIS))["PRODUCT_NOT_ELIGIBLE"]
    assert (refused.value, refused.limit) == ("MIS", "CNC")
    assert verdict(Side.SELL, 1, 100, share).rules == ()


def test_a_delisted_share_takes_no_order() -> None:
    found = rules(verdict(Side.SELL, 1, 100, replace(ACME, kind="DELISTED")))
    assert found["NOT_TRADABLE"].value == "DELISTED"


def test_an_index_and_a_closed_market_take_no_order() -> None:
    index = replace(ACME, kind="INDEX")
    closed = MarketStatus(Phase.CLOSED, TODAY, provisional=False)
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, 1, price(100))
    found = judge(intent, Product.CNC, index, price(100), price(100), closed)
    assert set(rules(found)) == {"NOT_TRADABLE", "MARKET_CLOSED"}


def test_a_closed_market_has_no_band_to_break() -> None:
    closed = MarketStatus(Phase.CLOSED, TODAY, provisional=False)
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, 1, price(100.03))
    at_close = (price(99), price(99))
    found = judge(intent, Product.CNC, ACME, price(99), price(99), closed, Validity.DAY, at_close)
    assert set(rules(found)) == {"MARKET_CLOSED", "PRICE_OFF_TICK"}
    assert rules(found)["PRICE_OFF_TICK"].nearest == "100.05"


def test_more_than_the_freeze_quantity_is_refused_and_all_of_it_taken() -> None:
    frozen = replace(ACME, freeze_quantity=500)
    rule = rules(verdict(Side.BUY, 501, 100, frozen))["QUANTITY_ABOVE_FREEZE"]
    assert (rule.value, rule.limit, rule.largest_quantity) == ("501", "500", 500)
    assert verdict(Side.BUY, 500, 100, frozen).rules == ()


@pytest.mark.parametrize("series", ["BE", "BT", "BZ", "ST"])
def test_a_trade_to_trade_series_takes_delivery_only(series: str) -> None:
    share = replace(ACME, series=series)
    refused = rules(verdict(Side.BUY, 1, 100, share, Product.MIS))
    assert (refused["DELIVERY_ONLY"].value, refused["DELIVERY_ONLY"].limit) == ("MIS", "CNC")
    assert verdict(Side.BUY, 1, 100, share).rules == ()


@pytest.mark.parametrize(
    ("quantity", "shown", "limit"),
    [(100, 9, "10 to 99"), (100, 100, "10 to 99"), (101, 10, "11 to 100"), (1, 1, "1 to 0")],
)
def test_a_disclosed_quantity_is_a_tenth_up_to_below_all(
    quantity: int, shown: int, limit: str
) -> None:
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, quantity, price(100), shown)
    found = rules(judge(intent, Product.CNC, ACME, price(100), price(100), OPEN))
    assert found["DISCLOSED_OUT_OF_RANGE"].limit == limit


@pytest.mark.parametrize(("quantity", "shown"), [(100, 10), (100, 99), (101, 11)])
def test_a_sound_disclosed_quantity_passes(quantity: int, shown: int) -> None:
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, quantity, price(100), shown)
    assert judge(intent, Product.CNC, ACME, price(100), price(100), OPEN).rules == ()


LIMIT = OrderIntent(Side.BUY, OrderType.LIMIT, 100, price(100))
MARKET = OrderIntent(Side.BUY, OrderType.MARKET, 100, None)
SHOWN = replace(LIMIT, disclosed=10)


@pytest.mark.parametrize(
    ("phase", "limit", "market", "ioc", "shown"),
    [
        (Phase.OPEN, "", "", "", ""),
        (Phase.PRE_OPEN, "", "", "VALIDITY_NOT_IN_PHASE", "DISCLOSED_NOT_IN_PHASE"),
        (Phase.PRE_OPEN_LIMIT, "", "TYPE_NOT_IN_PHASE", "VALIDITY_NOT_IN_PHASE",
         "DISCLOSED_NOT_IN_PHASE"),
        (Phase.CLOSING, "", "", "VALIDITY_NOT_IN_PHASE", "DISCLOSED_NOT_IN_PHASE"),
        (Phase.CLOSING_LIMIT, "", "TYPE_NOT_IN_PHASE", "VALIDITY_NOT_IN_PHASE",
         "DISCLOSED_NOT_IN_PHASE"),
        (Phase.POST_CLOSE, "", "TYPE_NOT_IN_PHASE", "VALIDITY_NOT_IN_PHASE",
         "DISCLOSED_NOT_IN_PHASE"),
        (Phase.REOPENING, "", "", "VALIDITY_NOT_IN_PHASE", "DISCLOSED_NOT_IN_PHASE"),
        (Phase.HALTED, *4 * ("TRADING_HALTED",)),
        (Phase.CLOSED, *4 * ("MARKET_CLOSED",)),
        (Phase.PRE_OPEN_MATCH, *4 * ("PHASE_TAKES_NO_ORDERS",)),
        (Phase.CLOSING_REFERENCE, *4 * ("PHASE_TAKES_NO_ORDERS",)),
        (Phase.CLOSING_MATCH, *4 * ("PHASE_TAKES_NO_ORDERS",)),
    ],
)  # fmt: skip
def test_a_phase_takes_what_its_row_says(
    phase: Phase, limit: str, market: str, ioc: str, shown: str
) -> None:
    now = replace(OPEN, phase=phase)
    asked = ((LIMIT, Validity.DAY), (MARKET, Validity.DAY), (LIMIT, Validity.IOC),
             (SHOWN, Validity.DAY))  # fmt: skip
    for (intent, validity), code in zip(asked, (limit, market, ioc, shown), strict=True):
        found = judge(intent, Product.CNC, ACME, price(100), price(100), now, validity)
        assert [rule.code for rule in found.rules] == ([code] if code else [])


def test_the_band_that_the_venue_moved_rules_over_the_masters() -> None:
    moved = (price(95), price(125))
    for rupees, code in ((90, "PRICE_OUTSIDE_BAND"), (123, "")):
        intent = OrderIntent(Side.BUY, OrderType.LIMIT, 1, price(rupees))
        found = judge(intent, Product.CNC, ACME, price(100), price(100), OPEN, Validity.DAY, moved)
        assert [rule.code for rule in found.rules] == ([code] if code else [])


def test_every_broken_rule_is_named_at_once() -> None:
    found = rules(verdict(Side.SELL, 100_001, 500.03))
    assert set(found) == {"PRICE_OFF_TICK", "PRICE_OUTSIDE_BAND", "QUANTITY_TOO_LARGE"}


@pytest.mark.parametrize(
    ("last", "buy", "sell"),
    [(50, 51, 49), (99.95, 101.95, 97.95), (100, 101, 99), (500, 502.5, 497.5)],
)
def test_a_market_order_is_protected_by_its_slab(last: float, buy: float, sell: float) -> None:
    for side, worst in ((Side.BUY, buy), (Side.SELL, sell)):
        assert protected_price(ACME, side, price(last), ACME.band(price(last))) == price(worst)


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
    worst = protected_price(instrument, side, last, (low, high))
    assert low <= worst <= high
    assert worst % tick == 0


@pytest.mark.parametrize(
    ("side", "rupees", "nearest"),
    [
        (Side.BUY, 110.05, "110.00"),
        (Side.BUY, 110, None),
        (Side.BUY, 80, None),  # a better price than the last may be far from it
        (Side.SELL, 89.95, "90.00"),
        (Side.SELL, 90, None),
        (Side.SELL, 120, None),
    ],
)
def test_a_limit_far_worse_than_the_last_price_names_the_nearest_one(
    side: Side, rupees: float, nearest: str | None
) -> None:
    intent = OrderIntent(side, OrderType.LIMIT, 1, price(rupees))
    found = away_rules(intent, ACME, price(100), 10)
    assert [(rule.code, rule.nearest) for rule in found] == (
        [] if nearest is None else [("PRICE_FAR_FROM_LAST", nearest)]
    )


@given(st.integers(1, 10**9), st.sampled_from(Side), st.integers(1, 99))
def test_the_nearest_price_to_one_far_away_is_on_a_tick_and_passes(
    last: int, side: Side, percent: int
) -> None:
    wild = 3 * last + 1_000_000 if side is Side.BUY else 1
    for rule in away_rules(OrderIntent(side, OrderType.LIMIT, 1, wild), ACME, last, percent):
        near = round(float(rule.nearest or "") * 10_000)
        assert near % ACME.tick == 0
        intent = OrderIntent(side, OrderType.LIMIT, 1, near)
        assert away_rules(intent, ACME, last, percent) == []
