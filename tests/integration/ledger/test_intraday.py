"""Intraday (MIS) orders and positions on a real PostgreSQL: margin, either direction, closing."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from functions.shared.bookkeeping.placing import Placed
from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.orders import Product, Side
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, RUPEE, TODAY, Trader

MIS = Product.MIS


def charged(side: Side, value: int) -> int:
    return sum(charges_on(value, charge_rates(MIS, "NSE", side, TODAY).rates))


def position(trader: Trader) -> dict[str, int]:
    names = ("net", "open_value", "realised", "open_buy", "open_sell", "reserved_buy",
             "reserved_sell", "held")  # fmt: skip
    row = trader.database().run(
        "SELECT net, open_value, realised, open_buy, open_sell, reserved_buy, reserved_sell,"
        " ledger.position_hold(p) FROM ledger.position p WHERE user_id = :u",
        u=trader.user_id,
    )[0]
    return dict(zip(names, row, strict=True))


def filled(trader: Trader, side: Side, quantity: int, rupees: float = 100) -> None:
    order = (trader.buy if side is Side.BUY else trader.sell)(quantity, rupees, MIS)
    assert trader.fill(order, quantity, rupees).outcome == "APPLIED"


def test_a_position_is_opened_on_a_fifth_of_its_value(new_trader: NewTrader) -> None:
    trader = new_trader()
    filled(trader, Side.BUY, 100)
    value = 10_000 * RUPEE
    funds = trader.funds()
    assert funds.cash == LAKH - charged(Side.BUY, value)
    assert funds.held == value // 5
    assert trader.holding() is None


def test_a_short_sale_is_margined_like_a_buy(new_trader: NewTrader) -> None:
    trader = new_trader()
    filled(trader, Side.SELL, 100)
    assert position(trader)["net"] == -100
    assert trader.funds().held == 2_000 * RUPEE


@pytest.mark.parametrize(("opens", "gain"), [(Side.BUY, 300), (Side.SELL, -300)])
def test_closing_realises_against_the_average_and_frees_the_margin(
    new_trader: NewTrader, opens: Side, gain: int
) -> None:
    trader = new_trader()
    closes = Side.SELL if opens is Side.BUY else Side.BUY
    filled(trader, opens, 10, 100)
    filled(trader, opens, 20, 103)
    filled(trader, closes, 30, 112)
    value = 3_060 * RUPEE
    fees = charged(opens, 1_000 * RUPEE) + charged(opens, 2_060 * RUPEE)
    fees += charged(closes, 3_360 * RUPEE)
    assert value + 300 * RUPEE == 3_360 * RUPEE
    now = position(trader)
    assert (now["net"], now["open_value"], now["realised"]) == (0, 0, gain * RUPEE)
    assert trader.funds().cash == LAKH + gain * RUPEE - fees
    assert trader.funds().held == 0


def test_a_closing_order_needs_no_margin_and_an_order_beyond_it_needs_its_own(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    filled(trader, Side.BUY, 100)
    held = trader.funds().held
    trader.sell(100, 100, MIS)
    assert trader.funds().held == held
    trader.sell(100, 100, MIS)  # would turn the position round: its own margin, not both at once
    assert trader.funds().held >= held
    assert trader.funds().held < 2 * held


def test_a_whole_account_of_margin_still_closes(new_trader: NewTrader) -> None:
    trader = new_trader(2_050 * RUPEE)
    filled(trader, Side.BUY, 100)
    assert trader.place(Side.BUY, 10, product=MIS).rules[0]["code"] == "INSUFFICIENT_MARGIN"
    filled(trader, Side.SELL, 100, 95)
    assert trader.funds().held == 0


def test_a_loss_beyond_the_cash_is_borrowed_and_said_so(new_trader: NewTrader) -> None:
    trader = new_trader(2_005 * RUPEE)
    filled(trader, Side.BUY, 100)
    filled(trader, Side.SELL, 100, 80)
    fees = charged(Side.BUY, 10_000 * RUPEE) + charged(Side.SELL, 8_000 * RUPEE)
    funds = trader.funds()
    assert (funds.cash, funds.borrowed, funds.held) == (0, fees - 5 * RUPEE, 0)
    assert trader.kinds()[-2:] == ["BORROWED", "FILL"]


def test_cancelling_an_intraday_order_frees_what_it_held(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(100, 100, MIS)
    assert trader.funds().held > 0
    trader.cancel(order)
    trader.told(order, "4", request=1)
    assert trader.funds().held == 0
    assert position(trader)["reserved_buy"] == 0


def test_a_profit_of_the_day_is_paid_out_with_its_settlement(new_trader: NewTrader) -> None:
    trader = new_trader()
    filled(trader, Side.BUY, 100)
    filled(trader, Side.SELL, 100, 110)
    funds = trader.funds()
    assert funds.blocked == funds.unsettled == funds.cash - LAKH
    trader.settle()
    assert trader.funds().blocked == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(Side), st.integers(1, 50), st.integers(85, 115), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_margin_never_depends_on_the_order_in_which_orders_came(
    new_trader: NewTrader, wishes: list[tuple[Side, int, int, bool]]
) -> None:
    """After any run of orders, some filled: held is the position's hold, and cash is what went in
    with what was realised and charged taken from it; flat again, nothing is held."""
    trader = new_trader(100 * LAKH)
    working, fees = [], 0
    for side, quantity, rupees, fill in wishes:
        order = (trader.buy if side is Side.BUY else trader.sell)(quantity, rupees, MIS)
        if fill:
            trader.fill(order, quantity, rupees)
            fees += charged(side, quantity * rupees * RUPEE)
        else:
            working.append(order)
        assert trader.funds().held == position(trader)["held"]
    for order in working:
        trader.cancel(order)
        trader.told(order, "4", request=1)
    net = position(trader)["net"]
    if net:
        side = Side.SELL if net > 0 else Side.BUY
        filled(trader, side, abs(net))
        fees += charged(side, abs(net) * 100 * RUPEE)
    end = position(trader)
    assert (end["net"], end["open_value"], end["held"], trader.funds().held) == (0, 0, 0, 0)
    traded = sum(
        (1 if side is Side.SELL else -1) * quantity * rupees
        for side, quantity, rupees, fill in wishes
        if fill
    )
    assert end["realised"] == (traded + net * 100) * RUPEE
    assert trader.funds().cash == 100 * LAKH + end["realised"] - fees


@pytest.mark.parametrize("working", [0, 15])
@pytest.mark.parametrize("held", [Side.BUY, Side.SELL])
def test_the_largest_order_beyond_closing_may_use_the_margin_that_closing_frees(
    new_trader: NewTrader, held: Side, working: int
) -> None:
    trader = new_trader(1_000 * RUPEE)
    other = Side.SELL if held is Side.BUY else Side.BUY
    filled(trader, held, 40)
    if working:
        trader.place(other, working, product=MIS)

    def preview(quantity: int) -> Placed:
        return trader.preview(other, quantity, product=MIS)

    [refused] = preview(500).rules
    largest = refused["largest_quantity"]
    assert isinstance(largest, int)
    assert preview(largest).outcome == "ACCEPTED"
    assert preview(largest + 1).outcome == "DENIED"


def test_the_largest_change_of_a_closing_order_is_one_that_is_accepted(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(1_000 * RUPEE)
    filled(trader, Side.BUY, 40)
    order = trader.sell(40, product=MIS)
    [refused] = trader.modify(order, 200, 100).rules
    largest = refused["largest_quantity"]
    assert isinstance(largest, int)
    assert trader.modify(order, largest + 1, 100).rules
    assert not trader.modify(order, largest, 100).rules
