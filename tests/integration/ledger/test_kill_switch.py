"""A user's own kill switch: what it ends, what it lets through, and when it may be turned off."""

from datetime import timedelta

from functions.shared.bookkeeping import limiting, planning, reading
from functions.shared.bookkeeping.limiting import Cancelled
from functions.shared.bookkeeping.placing import Placed
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.plans import PlanKind
from functions.shared.stores.postgres import Shards
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER, connect
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, Trader
from tests.support.linked_exits import bracket
from tests.support.plans import open_iceberg, open_timed, place_slice
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import gtt, release, stopped


def codes(placed: Placed) -> list[object]:
    return [rule["code"] for rule in placed.rules]


def turn_on(trader: Trader) -> Cancelled:
    return limiting.turn_on_kill_switch(trader.shards, trader.user_id, trader.today, trader.now)


def test_it_cancels_what_could_open_and_leaves_what_can_only_reduce(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    trader.own(20)
    trader.fill(trader.buy(10, product=Product.MIS), 10)
    buy, waiting_buy = trader.buy(5, 98), stopped(trader, Side.BUY, 5, 105)
    short = trader.sell(10, 103, product=Product.MIS)  # closes the position
    sale, stop = trader.sell(5, 104), stopped(trader, Side.SELL, 5, 95)

    assert turn_on(trader) == Cancelled((buy, waiting_buy), ())

    assert (trader.order(buy).status, trader.order(buy).pending_change) == ("PENDING", "CANCEL")
    ended = trader.order(waiting_buy)
    assert (ended.status, ended.reason_code) == ("CANCELLED", "KILL_SWITCH")
    assert {trader.order(order).status for order in (short, sale)} == {"PENDING"}
    assert trader.order(stop).status == "TRIGGER_PENDING"
    trader.told(buy, "4", request=1)
    assert trader.order(buy).reason_code == "KILL_SWITCH"
    assert release(trader, stop, 95).outcome == "RELEASED"


def test_under_it_nothing_opens_and_what_closes_passes(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    trader.own(20)
    trader.fill(trader.sell(10, product=Product.MIS), 10)
    turn_on(trader)
    refused = trader.place(Side.BUY, 1)
    assert codes(refused) == ["KILL_SWITCH_ON"]
    assert refused.rules[0]["largest_quantity"] == 0
    assert codes(trader.preview(Side.BUY, 1)) == ["KILL_SWITCH_ON"]
    turned = trader.place(Side.BUY, 11, product=Product.MIS)
    assert codes(turned) == ["KILL_SWITCH_ON"]
    assert turned.rules[0]["largest_quantity"] == 10
    assert trader.place(Side.BUY, 10, product=Product.MIS).outcome == "ACCEPTED"
    assert trader.place(Side.SELL, 20, 101).outcome == "ACCEPTED"


def test_an_order_over_committed_to_close_is_one_that_could_open(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    trader.fill(trader.buy(10, product=Product.MIS), 10)
    first = trader.sell(10, 103, product=Product.MIS)
    second = trader.sell(1, 104, product=Product.MIS)  # beyond what is open
    assert turn_on(trader).orders == (first, second)


def test_turned_on_again_it_is_the_same_switch(new_trader: NewTrader) -> None:
    trader = new_trader()
    buy = trader.buy(5)
    assert turn_on(trader).orders == (buy,)
    before = limiting.kill_switch_of(trader.shards, trader.user_id, trader.today)
    trader.now += timedelta(minutes=1)
    assert turn_on(trader) == Cancelled((), ())
    assert limiting.kill_switch_of(trader.shards, trader.user_id, trader.today) == before
    assert trader.kinds().count("KILL_SWITCH_ON") == 1
    # The venue would not: it is asked anew.
    trader.told(buy, "9", request=1)
    assert turn_on(trader).orders == (buy,)


def test_it_is_turned_off_no_sooner_than_its_time_and_then_orders_pass(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    turn_on(trader)
    switch = limiting.kill_switch_of(trader.shards, trader.user_id, trader.today)
    assert switch.is_on
    assert switch.since is not None
    assert switch.may_end_at == switch.since + timedelta(hours=12)
    off = limiting.turn_off_kill_switch
    early = trader.now + timedelta(hours=11, minutes=59)
    assert off(trader.shards, trader.user_id, trader.today, early) == switch.may_end_at
    assert codes(trader.place(Side.BUY, 1)) == ["KILL_SWITCH_ON"]
    trader.now += timedelta(hours=13)
    assert off(trader.shards, trader.user_id, trader.today, trader.now) is None
    assert off(trader.shards, trader.user_id, trader.today, trader.now) is None
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"
    assert trader.kinds().count("KILL_SWITCH_OFF") == 1


def test_the_books_know_every_turn_and_name_a_row_that_differs(
    shards: Shards, databases: ShardsUnderTest
) -> None:
    trader = Trader(shards, 4711, LAKH)
    trader.buy(5)
    turn_on(trader)
    urls = databases.urls(OWNER)
    assert verify_ledger.run(urls).problems == []
    assert rebuild_ledger.run(urls).problems == []
    shard = shards.number_of_user(trader.user_id)
    owner = connect(urls[shard])
    owner.run("UPDATE ledger.kill_switch SET is_on = false")
    owner.close()
    assert any("the row says" in problem for problem in verify_ledger.run(urls).problems)
    assert any("kill_switch" in problem for problem in rebuild_ledger.run(urls).problems)


def test_plans_that_could_open_end_and_their_slices_are_not_taken(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    trader.own(8)
    bought, sold = open_iceberg(trader), open_timed(trader, PlanKind.TWAP, Side.SELL)
    cancelled = turn_on(trader)
    assert cancelled.plans == (bought.plan_id,)
    states = {
        plan.plan_id: planning.view(trader.shards, plan.user_id, plan.plan_id).facts.state
        for plan in (bought, sold)
    }
    assert states == {bought.plan_id: "CANCELLING", sold.plan_id: "ACTIVE"}
    assert trader.order(place_slice(trader, sold, 1, 2)).status == "PENDING"


def test_an_entry_ends_and_the_exits_of_what_it_had_filled_wait_on(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    entry = bracket(trader, Side.BUY, 5, 100, stop=95, target=105)
    trader.fill(entry, 3)
    assert turn_on(trader).orders == (entry,)
    trader.fill(entry, 1)  # it was filled before the cancel came
    trader.told(entry, "4", request=1)
    assert trader.order(entry).status == "CANCELLED"
    exits = reading.linked(trader.shards, trader.user_id, entry)
    assert {order.status for order in exits} == {"TRIGGER_PENDING"}
    assert {order.leg: order.quantity for order in exits} == {"STOP": 4, "TARGET": 4}


def test_a_gtt_that_buys_ends_and_one_that_sells_waits_on(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    trader.own(3)
    buys, sells = gtt(trader, Side.BUY, 3, 90, 91), gtt(trader, Side.SELL, 3, 110, 109)
    assert buys.order is not None
    assert sells.order is not None
    assert turn_on(trader).orders == (buys.order.order_id,)
    assert trader.order(sells.order.order_id).status == "TRIGGER_PENDING"


def test_a_gtc_buy_that_is_to_be_placed_again_ends_instead(new_trader: NewTrader) -> None:
    trader = new_trader(10 * LAKH)
    turn_on(trader)
    again = trader.place(Side.BUY, 1, key="GTC-1-2026-07-13")
    assert (again.outcome, codes(again)) == ("DENIED", ["KILL_SWITCH_ON"])
