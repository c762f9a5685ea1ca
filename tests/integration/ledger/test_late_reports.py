"""Fills told late: after the day's end, after a cancel, after their shares were sold again.

A fill is a fact: it is booked at once, from what the account has, and what it lacks is short.
"""

import pytest

from functions.shared.bookkeeping import settling
from functions.shared.bookkeeping.pledging import set_pledge
from functions.shared.bookkeeping.settling import OpenPosition
from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.short_delivery import SHORTAGE_RATES
from tests.integration.ledger.conftest import NewTrader
from tests.support.day_end import (
    deliver,
    intraday,
    left_by,
    posted,
    shard_of,
    value_shortage,
)
from tests.support.ledger import ACME, LAKH, RUPEE, TODAY, Trader, price

FRIDAY = TODAY.isoformat()


def charged(product: Product, side: Side, rupees: int) -> int:
    return sum(charges_on(rupees * RUPEE, charge_rates(product, "NSE", side, TODAY).rates))


def cancelled_sell(trader: Trader, quantity: int, product: Product = Product.CNC) -> int:
    """An order that the venue says is cancelled; that it traded before is still on its way."""
    order = trader.sell(quantity, product=product)
    assert trader.told(order, "4").outcome == "APPLIED"
    return order


def delivered_friday(trader: Trader, quantity: int = 10) -> int:
    """Monday, the day's buy in the holding; the day's sale, of which nobody was told."""
    intraday(trader, Side.BUY, quantity)
    order = cancelled_sell(trader, quantity, Product.MIS)
    assert deliver(trader)
    trader.settle()
    return order


def pledge(trader: Trader, quantity: int) -> None:
    set_pledge(trader.shards, trader.user_id, ACME.symbol, quantity, trader.today, trader.now)


def held(trader: Trader) -> tuple[int, int, int]:
    """Shares, those in open sells, cost."""
    holding = trader.holding()
    return (holding.quantity, holding.open_sell, holding.cost) if holding else (0, 0, 0)


# After the position was delivered


def test_a_late_sale_of_delivered_shares_takes_them_from_the_holding(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = delivered_friday(trader)
    trader.fill(order, 10, 102, trade_date=FRIDAY)
    assert left_by(trader).net == -10
    assert deliver(trader)
    assert left_by(trader).net == 0
    assert trader.holding() is None
    fees = charged(Product.MIS, Side.BUY, 1_000) + charged(Product.MIS, Side.SELL, 1_020)
    funds = trader.funds()
    assert (funds.cash, funds.held, funds.unsettled) == (LAKH + 20 * RUPEE - fees, 0, 0)
    assert posted(trader, "SHORT_DELIVERED") == {
        ("client:cash", "INR"): 1_020 * RUPEE,
        ("client:position", "INR"): -1_020 * RUPEE,
        ("client:position", "ACME"): 10,
        ("client:holding", "ACME"): -10,
    }
    assert not deliver(trader)
    assert not value_shortage(trader, 100)


def test_a_late_buy_is_delivered_by_the_next_run(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10, product=Product.MIS)
    trader.told(order, "C")
    trader.settle()
    trader.fill(order, 10, trade_date=FRIDAY)
    (left,) = [
        each for each in settling.left_open(shard_of(trader), TODAY)
        if each.user_id == trader.user_id
    ]  # fmt: skip
    assert (left.trade_date, left.net) == (TODAY, 10)
    assert deliver(trader)
    assert held(trader) == (10, 0, 1_000 * RUPEE)


def test_what_the_holding_lacks_stays_short_and_is_closed_out(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = delivered_friday(trader, 10)
    trader.fill(trader.sell(6), 6)
    trader.fill(order, 10, trade_date=FRIDAY)
    assert deliver(trader)
    assert left_by(trader).net == -6
    assert value_shortage(trader, 100)
    assert not deliver(trader)


def test_shares_promised_pledged_or_bought_later_are_not_delivered(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = delivered_friday(trader, 10)
    pledge(trader, 3)
    promised = trader.sell(2)
    trader.own(50)
    trader.fill(order, 10, trade_date=FRIDAY)
    assert deliver(trader)
    # Of Friday's ten three are pledged; Monday's fifty are not there by Friday's pay-in.
    assert left_by(trader).net == -3
    assert held(trader) == (53, 2, 5_300 * RUPEE)
    trader.fill(promised, 2)
    assert held(trader)[:2] == (51, 0)


def test_what_was_valued_as_a_shortage_is_closed_out_whatever_comes_free(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    order = trader.sell(10)
    intraday(trader, Side.SELL, 4)
    late = cancelled_sell(trader, 3, Product.MIS)
    assert not deliver(trader)
    trader.settle()
    assert value_shortage(trader, 100)
    trader.told(order, "4")
    assert not deliver(trader)
    trader.fill(late, 3, trade_date=FRIDAY)
    assert deliver(trader)
    assert left_by(trader).net == -4
    assert held(trader)[0] == 7


def test_proceeds_of_a_short_delivered_in_the_evening_settle_with_its_day(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    trader.settle()
    intraday(trader, Side.SELL, 10, 110)
    before, day = trader.funds(), trader.today
    assert deliver(trader, day)
    funds = trader.funds()
    assert (funds.cash - before.cash, funds.held) == (1_100 * RUPEE, 0)
    assert (funds.unsettled, funds.blocked) == (1_100 * RUPEE, 220 * RUPEE)
    trader.settle()
    assert trader.funds().unsettled == 0


# After what it sold was sold again


def test_a_sale_of_shares_sold_meanwhile_is_a_short_delivery(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    late = cancelled_sell(trader, 10)
    trader.fill(trader.sell(7), 7)
    before = trader.funds()
    assert trader.fill(late, 10, 110).outcome == "APPLIED"
    assert trader.order(late).status == "FILLED"
    assert trader.holding() is None
    funds, fees = trader.funds(), charged(Product.CNC, Side.SELL, 1_100)
    assert funds.cash == before.cash + 330 * RUPEE - fees
    assert funds.held == 770 * RUPEE // 5
    assert left_by(trader).net == -7
    trader.settle()
    assert value_shortage(trader, 100)
    short = OpenPosition(trader.user_id, ACME.symbol, TODAY, -7)
    assert settling.close_out(
        trader.shards, short, price(130), SHORTAGE_RATES[-1], trader.today, trader.now
    )
    penalty, tax = 46, 8  # 0.05 % of 910 rupees, and 18 % of that
    after = trader.funds()
    assert after.cash == funds.cash + (770 - 910) * RUPEE - penalty - tax
    assert (after.held, after.unsettled) == (0, 0)


def test_the_order_that_a_late_sale_took_from_stays_right(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    late = cancelled_sell(trader, 10)
    open_ = trader.sell(10)
    trader.fill(late, 6)
    assert held(trader) == (4, 10, 400 * RUPEE)
    assert trader.place(Side.SELL, 1).rules[0]["largest_quantity"] == 0
    trader.fill(open_, 10)
    assert held(trader) == (0, 0, 0)
    assert left_by(trader).net == -6
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"  # nobody has to look


def test_a_late_sale_does_not_take_what_was_pledged_meanwhile(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    trader.settle()
    day = trader.today
    late = cancelled_sell(trader, 10)
    pledge(trader, 8)
    trader.fill(late, 10)
    holding = trader.holding()
    assert holding is not None
    assert (holding.quantity, holding.pledged) == (8, 8)
    assert left_by(trader, day).net == -8
    pledge(trader, 0)
    assert deliver(trader, day)
    assert trader.holding() is None


def test_a_short_delivery_can_be_bought_back_before_the_day_ends(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    late = cancelled_sell(trader, 10)
    trader.fill(trader.sell(10), 10)
    trader.fill(late, 10, 110)
    intraday(trader, Side.BUY, 10, 105)
    assert left_by(trader).net == 0
    assert trader.funds().held == 0


def test_a_late_sale_takes_nothing_that_was_bought_after_its_trade_date(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    late = cancelled_sell(trader, 10)
    trader.fill(trader.sell(4), 4)
    trader.settle()
    trader.own(10)
    trader.fill(late, 10, 110, trade_date=FRIDAY)
    assert held(trader) == (10, 0, 1_000 * RUPEE)
    assert left_by(trader).net == -4
    assert not deliver(trader)
    assert value_shortage(trader, 100)


def test_a_delivery_sale_that_closes_a_position_counts_among_the_days_trades(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    late = cancelled_sell(trader, 10)
    trader.fill(trader.sell(10), 10)
    before = trader.funds()
    intraday(trader, Side.BUY, 10)
    trader.fill(late, 10, 110)
    fees = charged(Product.MIS, Side.BUY, 1_000)  # the sale's own are what its proceeds lack
    funds = trader.funds()
    assert funds.unsettled - before.unsettled == 100 * RUPEE - fees
    assert funds.blocked - before.blocked == 100 * RUPEE - fees
    intraday(trader, Side.BUY, 10)
    intraday(trader, Side.SELL, 10, 90)
    funds = trader.funds()
    assert (funds.unsettled, funds.blocked) == (before.unsettled, before.blocked)


# What is not settled


def test_a_loss_takes_back_what_is_left_of_the_profit_and_not_what_shares_brought(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(30_000 * RUPEE)
    trader.own(200)
    trader.settle()
    late = trader.buy(95)
    trader.told(late, "4")
    intraday(trader, Side.BUY, 100)
    intraday(trader, Side.SELL, 100, 110)
    trader.fill(late, 95, 115)  # uses up all but a little of the day's profit
    left = trader.funds()
    assert 0 < left.blocked == left.unsettled == left.cash
    trader.fill(trader.sell(50), 50)
    assert trader.funds().blocked == left.blocked + 1_000 * RUPEE
    intraday(trader, Side.BUY, 100)
    intraday(trader, Side.SELL, 100, 90)
    assert trader.funds().blocked == 1_000 * RUPEE


def test_proceeds_that_repaid_a_loan_settle_no_more(new_trader: NewTrader) -> None:
    trader = new_trader(funds=1_100 * RUPEE)
    trader.own(10)
    trader.settle()
    trader.fill(trader.buy(1, 100, Product.MIS), 1, 900)  # far above what was held for it
    trader.fill(trader.sell(1, 100, Product.MIS), 1, 100)
    lent = trader.funds().borrowed
    assert lent > 0
    trader.fill(trader.sell(10), 10)
    funds = trader.funds()
    assert funds.borrowed == 0
    assert funds.unsettled == funds.cash
    assert funds.blocked == min(200 * RUPEE, funds.cash)
    trader.deposit(500 * RUPEE)
    assert withdrawable(trader) == 500 * RUPEE


@pytest.mark.parametrize("exits", [(110, 85), (85, 110), (110, 95), (95, 110)])
def test_a_days_intraday_trades_are_due_as_one_sum(
    new_trader: NewTrader, exits: tuple[int, int]
) -> None:
    trader = new_trader()
    for rupees in exits:
        intraday(trader, Side.BUY, 100)
        intraday(trader, Side.SELL, 100, rupees)
    funds = trader.funds()
    profit = max(0, funds.cash - LAKH)
    assert (funds.unsettled, funds.blocked) == (profit, profit)
    trader.settle()
    assert trader.funds().unsettled == 0


def test_what_proceeds_were_spent_on_is_not_asked_of_later_money(new_trader: NewTrader) -> None:
    trader = new_trader(funds=10_100 * RUPEE)
    trader.own(100)
    trader.settle()
    trader.fill(trader.sell(100), 100)
    trader.own(79)
    funds = trader.funds()
    assert (funds.unsettled, funds.blocked) == (funds.cash, 2_000 * RUPEE)
    trader.deposit(300 * RUPEE)
    assert withdrawable(trader) == 300 * RUPEE


def withdrawable(trader: Trader) -> int:
    funds = trader.funds()
    return funds.cash - funds.held - funds.unsettled - funds.borrowed


# Pledged shares


def test_a_sale_takes_the_oldest_shares_behind_those_pledged(new_trader: NewTrader) -> None:
    trader = new_trader(funds=3 * LAKH)
    trader.own(10, 100)
    trader.settle()
    trader.own(10, 110)
    pledge(trader, 6)
    trader.fill(trader.sell(9), 9)
    assert held(trader) == (11, 0, 6 * 100 * RUPEE + 5 * 110 * RUPEE)
    rows = trader.database().run(
        "SELECT settles_on <= :today, quantity FROM ledger.holding_lot WHERE user_id = :u"
        " ORDER BY lot",
        u=trader.user_id, today=trader.today,
    )  # fmt: skip
    assert rows == [[True, 6], [False, 5]]
