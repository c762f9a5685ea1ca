"""Lots, sale proceeds and their day of settlement, on a real PostgreSQL."""

from datetime import timedelta

import pytest

from functions.shared.bookkeeping.placing import place_many
from functions.shared.bookkeeping.pledging import set_pledge
from functions.shared.bookkeeping.statements import state_at
from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.errors import Refused
from functions.shared.domain.orders import Product, Side
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, RUPEE, TODAY, Trader

CHARGES = {
    side: charge_rates(Product.CNC, "NSE", side, TODAY).rates for side in (Side.BUY, Side.SELL)
}


def proceeds(quantity: int, rupees: int) -> int:
    value = quantity * rupees * RUPEE
    return value - sum(charges_on(value, CHARGES[Side.SELL]))


def sold(trader: Trader, quantity: int, rupees: float = 100) -> None:
    trader.fill(trader.sell(quantity, rupees), quantity, rupees)


def test_a_buy_is_todays_then_t1_then_settled(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    bought = trader.holding()
    assert bought is not None
    assert (bought.bought_today, bought.t1, bought.settled) == (10, 0, 0)
    trader.now = trader.now.replace(day=11)  # the Saturday between: traded Friday, settles Monday
    between = trader.holding()
    assert between is not None
    assert (between.bought_today, between.t1, between.settled) == (0, 10, 0)
    trader.now = trader.now.replace(day=13)
    there = trader.holding()
    assert there is not None
    assert (there.bought_today, there.t1, there.settled) == (0, 0, 10)


def test_of_settled_shares_sold_four_fifths_can_be_spent_at_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(100)
    trader.settle()
    before = trader.funds()
    sold(trader, 100)
    after, net = trader.funds(), proceeds(100, 100)
    assert after.cash == before.cash + net
    assert (after.unsettled, after.blocked) == (net, 2_000 * RUPEE)
    trader.settle()
    later = trader.funds()
    assert (later.cash, later.unsettled, later.blocked) == (after.cash, 0, 0)


def test_each_lot_of_a_sale_frees_money_by_what_it_was(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(100)
    trader.now = trader.now.replace(day=13)
    trader.own(100)
    trader.now = trader.now.replace(day=14, hour=3)  # Tuesday: the second buy settles today
    trader.own(10)
    trader.now = trader.now.replace(day=15)
    # Lots: 100 and 100 settled, 10 settled; buy ten more and sell across all of them.
    trader.own(10)
    sold(trader, 215)
    funds = trader.funds()
    # 210 settled ones keep a fifth; of today's ten, five sold at cost free all of what they cost.
    assert funds.blocked == 210 * 100 * RUPEE // 5
    assert funds.unsettled == proceeds(215, 100)


def test_of_t1_shares_sold_nothing_can_be_spent_before_they_settle(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.now = trader.now.replace(day=13)
    trader.own(100)
    # A settlement holiday would do it on one calendar; two trading days in a row do on any.
    trader.now = trader.now.replace(month=8, day=25)
    trader.own(50)
    trader.now = trader.now.replace(day=26)  # trades, settles nothing: the fifty are T1 still
    held = trader.holding()
    assert held is not None
    assert (held.settled, held.t1) == (100, 50)
    sold(trader, 150)
    assert trader.funds().blocked == 100 * 100 * RUPEE // 5 + 50 * 100 * RUPEE


def test_a_profit_on_shares_bought_the_same_day_waits_for_settlement(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(100, 100)
    sold(trader, 100, 110)
    assert trader.funds().blocked == 100 * 10 * RUPEE


def test_lots_are_sold_first_in_first_out_at_their_exact_cost(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(3, 100)
    trader.own(7, 103.15)
    trader.settle()
    sold(trader, 5)
    left = trader.holding()
    assert left is not None
    assert (left.quantity, left.cost) == (5, 722_05 - 206_30)
    rows = trader.database().run(
        "SELECT quantity, cost, proceeds FROM ledger.lot_sale WHERE user_id = :u ORDER BY lot",
        u=trader.user_id,
    )
    assert rows == [[3, 300_00, 300_00], [2, 206_30, 200_00]]


def test_blocked_money_buys_nothing_and_is_said_to_be_blocked(new_trader: NewTrader) -> None:
    trader = new_trader(10_100 * RUPEE)
    trader.own(100)
    trader.settle()
    sold(trader, 100)
    answer = trader.place(Side.BUY, 95)
    assert answer.outcome == "DENIED"
    assert answer.rules[0]["code"] == "INSUFFICIENT_FUNDS"
    trader.settle()
    assert trader.place(Side.BUY, 95).outcome == "ACCEPTED"


def test_settling_is_an_event_of_its_own_and_comes_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(100)
    trader.settle()
    sold(trader, 100)
    trader.settle()
    trader.deposit(1)
    trader.deposit(1)
    assert trader.kinds().count("SETTLED") == 1
    assert trader.kinds()[-3:] == ["SETTLED", "DEPOSITED", "DEPOSITED"]


def test_what_was_told_of_a_moment_stays_when_a_settlement_is_written_later(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(100)
    trader.settle()
    sold(trader, 100)
    trader.settle()
    morning = trader.now - timedelta(hours=6)  # of the day of settlement, and nobody came since
    told = state_at(trader.shards, trader.user_id, morning)
    trader.deposit(1)
    assert state_at(trader.shards, trader.user_id, morning) == told
    [(at, days)] = trader.database().run(
        "SELECT at, body::jsonb #> '{settled}' FROM ledger.ledger_event"
        " WHERE user_id = :u AND kind = 'SETTLED'", u=trader.user_id,
    )  # fmt: skip
    assert (at, [day["settles_on"] for day in days]) == (trader.now, [trader.today.isoformat()])


def test_a_preview_counts_as_settled_what_placing_would_settle(new_trader: NewTrader) -> None:
    trader = new_trader(10_100 * RUPEE)
    trader.own(100)
    trader.settle()
    sold(trader, 100)
    trader.settle()
    seen = trader.preview(Side.BUY, 95)
    placed = trader.place(Side.BUY, 95)
    assert (seen.outcome, seen.largest) == (placed.outcome, placed.largest)


def test_pledged_shares_can_not_be_sold(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(100)
    with pytest.raises(Refused) as early:
        set_pledge(trader.shards, trader.user_id, "ACME", 60, trader.today, trader.now)
    assert early.value.extra == {"largest_quantity": 0}
    trader.settle()
    set_pledge(trader.shards, trader.user_id, "ACME", 60, trader.today, trader.now)
    answer = trader.place(Side.SELL, 41)
    assert answer.rules[0]["code"] == "INSUFFICIENT_HOLDINGS"
    assert answer.largest == 40
    assert trader.place(Side.SELL, 40).outcome == "ACCEPTED"
    with pytest.raises(Refused):
        set_pledge(trader.shards, trader.user_id, "ACME", 61, trader.today, trader.now)


def test_many_orders_go_in_one_commit_each_judged_behind_those_before(
    new_trader: NewTrader,
) -> None:
    rich, poor = new_trader(), new_trader(10_100 * RUPEE)
    wanted = [
        rich.placement(Side.BUY, 10, key="a"), poor.placement(Side.BUY, 60),
        rich.placement(Side.BUY, 10, key="b"), poor.placement(Side.BUY, 60),
        rich.placement(Side.BUY, 10, key="a"),
    ]  # fmt: skip
    answers = place_many(rich.shards, wanted)
    assert [answer.outcome for answer in answers] == [
        "ACCEPTED", "ACCEPTED", "ACCEPTED", "DENIED", "REPLAY"
    ]  # fmt: skip
    assert answers[4].order == answers[0].order
    again = place_many(rich.shards, wanted)
    assert [answer.outcome for answer in again] == ["REPLAY"] * 5
    assert rich.funds().held == 2 * rich.placement(Side.BUY, 10).judgement.reserved
    assert rich.funds().cash == LAKH
