"""What a session leaves open, on a real PostgreSQL: delivery, close-out, the square-off fee."""

from concurrent.futures import ThreadPoolExecutor
from copy import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.bookkeeping import squaring_off
from functions.shared.bookkeeping.placing import Placed
from functions.shared.bookkeeping.squaring_off import OrderOf
from functions.shared.domain.charges import RATE_UNIT
from functions.shared.domain.money import divide_half_up
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.short_delivery import shortage_rates
from functions.shared.domain.square_off import square_off_fee
from functions.shared.stores.postgres import Shards
from infra.command import rebuild_ledger
from infra.local.postgres import APPLICATION, OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.day_end import (
    close_out,
    deliver,
    intraday,
    left_by,
    posted,
    shard_of,
    value_shortage,
)
from tests.support.ledger import LAKH, RUPEE, TODAY, Trader
from tests.support.postgres import ShardsUnderTest

RATES = shortage_rates(TODAY)


# Delivery


def test_a_long_position_left_open_becomes_a_lot_of_its_trade_date(new_trader: NewTrader) -> None:
    trader = new_trader()
    intraday(trader, Side.BUY, 100)
    before = trader.funds()
    assert deliver(trader)
    after, holding = trader.funds(), trader.holding()
    assert after.cash == before.cash - 10_000 * RUPEE
    assert after.held == 0
    assert holding is not None
    assert (holding.quantity, holding.bought_today, holding.cost) == (100, 100, 10_000 * RUPEE)
    assert left_by(trader).net == 0
    assert trader.kinds()[-1] == "POSITION_DELIVERED"
    assert posted(trader, "POSITION_DELIVERED") == {
        ("client:cash", "INR"): -10_000 * RUPEE,
        ("client:position", "INR"): 10_000 * RUPEE,
        ("client:position", "ACME"): -100,
        ("client:holding", "ACME"): 100,
    }
    trader.settle()
    settled = trader.holding()
    assert settled is not None
    assert (settled.settled, settled.t1) == (100, 0)


def test_a_delivery_that_cash_does_not_cover_is_lent(new_trader: NewTrader) -> None:
    trader = new_trader(funds=3_000 * RUPEE)
    intraday(trader, Side.BUY, 100)
    cash = trader.funds().cash
    assert deliver(trader)
    after = trader.funds()
    assert (after.cash, after.held, after.borrowed) == (0, 0, 10_000 * RUPEE - cash)
    assert trader.kinds()[-2:] == ["BORROWED", "POSITION_DELIVERED"]


def test_a_delivery_happens_once_and_again_only_for_a_late_fill(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(30, 100, Product.MIS)
    trader.fill(order, 10)
    assert not deliver(trader)  # the rest may still trade
    trader.told(order, "C")
    assert deliver(trader)
    assert not deliver(trader)
    trader.settle()
    trader.fill(order, 20, trade_date=TODAY.isoformat())  # what the venue told after all
    assert deliver(trader)
    holding = trader.holding()
    assert holding is not None
    assert (holding.quantity, holding.settled) == (30, 30)
    assert trader.kinds().count("POSITION_DELIVERED") == 2


def test_delivered_shares_are_sold_first_in_first_out(new_trader: NewTrader) -> None:
    trader = new_trader(funds=3 * LAKH)
    trader.own(10, 100)
    intraday(trader, Side.BUY, 10, 110)
    deliver(trader)
    trader.settle()
    trader.fill(trader.sell(15), 15)
    holding = trader.holding()
    assert holding is not None
    assert (holding.quantity, holding.cost) == (5, 550 * RUPEE)


# Short delivery


def test_a_short_position_is_valued_on_pay_in_and_closed_out_after_the_auction(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    intraday(trader, Side.SELL, 100)
    start = trader.funds()
    trader.settle()
    assert value_shortage(trader, 90)
    valued = trader.funds()
    assert valued.cash == start.cash - 9_000 * RUPEE
    assert valued.held == start.held  # its margin stays until it is closed
    assert close_out(trader, 108)
    closed = trader.funds()
    penalty, tax = 540, 97  # 0.05 % of 10,800 rupees, and 18 % of that
    assert closed.cash == start.cash + (10_000 - 10_800) * RUPEE - penalty - tax
    assert closed.held == 0
    assert left_by(trader).net == 0
    assert posted(trader, "SHORT_CLOSED_OUT") == {
        ("client:cash", "INR"): (10_000 - 10_800 + 9_000) * RUPEE - penalty - tax,
        ("client:position", "INR"): -10_000 * RUPEE,
        ("client:position", "ACME"): 100,
        ("house:clearing", "INR"): (10_800 - 9_000) * RUPEE,
        ("house:clearing", "ACME"): -100,
        ("house:penalty", "INR"): penalty,
        ("charge:gst", "INR"): tax,
    }


def test_a_shortage_is_valued_and_closed_out_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    intraday(trader, Side.SELL, 10)
    assert not close_out(trader, 120)  # not valued yet
    assert value_shortage(trader, 100)
    assert not value_shortage(trader, 101)
    assert close_out(trader, 120)
    assert not close_out(trader, 120)
    assert trader.kinds()[-2:] == ["SHORT_VALUED", "SHORT_CLOSED_OUT"]


def test_what_a_late_fill_covered_gives_the_valuation_back(new_trader: NewTrader) -> None:
    trader = new_trader()
    intraday(trader, Side.SELL, 10)
    cover = trader.buy(10, 100, Product.MIS)
    trader.told(cover, "C")
    value_shortage(trader, 100)
    trader.fill(cover, 10, 95)
    before = trader.funds()
    assert close_out(trader, 120)
    assert trader.funds().cash == before.cash + 1_000 * RUPEE
    assert posted(trader, "SHORT_CLOSED_OUT") == {
        ("client:cash", "INR"): 1_000 * RUPEE,
        ("house:clearing", "INR"): -1_000 * RUPEE,
    }


def test_a_close_out_beyond_the_cash_is_lent(new_trader: NewTrader) -> None:
    trader = new_trader(funds=2_500 * RUPEE)
    intraday(trader, Side.SELL, 100)
    value_shortage(trader, 100)
    assert trader.funds().borrowed > 0
    close_out(trader, 200)
    after = trader.funds()
    assert (after.cash, after.held) == (0, 0)
    assert after.borrowed > 7_500 * RUPEE


@given(
    fills=st.lists(
        st.tuples(st.sampled_from(Side), st.integers(1, 40), st.integers(1_600, 2_400)),
        min_size=1,
        max_size=8,
    ),
    valued=st.integers(1, 500),
    closed=st.integers(1, 500),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_however_a_day_ends_cash_is_what_was_traded_for(
    new_trader: NewTrader, fills: list[tuple[Side, int, int]], valued: int, closed: int
) -> None:
    """The whole day in one sum, without averages: what came in, less what went out."""
    trader = new_trader(funds=10 * LAKH)
    expected, net = 10 * LAKH, 0
    for side, quantity, twentieths in fills:
        order = intraday(trader, side, quantity, twentieths / 20)
        sign = 1 if side is Side.BUY else -1
        net += sign * quantity
        expected -= sign * quantity * twentieths * RUPEE // 20 + charged(trader, order)
    if net > 0:
        assert deliver(trader)
    elif net < 0:
        assert value_shortage(trader, valued)
        assert close_out(trader, closed)
        value = -net * closed * RUPEE
        penalty = divide_half_up(value * RATES.penalty, RATE_UNIT)
        expected -= value + penalty + divide_half_up(penalty * RATES.tax, RATE_UNIT)
    funds, holding = trader.funds(), trader.holding()
    assert (funds.cash - funds.borrowed, funds.held) == (expected, 0)
    assert (holding.quantity if holding else 0) == max(0, net)
    assert left_by(trader).net == 0


def charged(trader: Trader, order_id: int) -> int:
    """What an order's fills were charged."""
    rows = trader.database().run(
        "SELECT coalesce(sum(charges), 0)::bigint FROM ledger.execution WHERE order_id = :o",
        o=order_id,
    )
    return int(rows[0][0])


def test_two_runs_at_once_do_each_thing_once(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    longs = [new_trader() for _ in range(6)]
    shorts = [new_trader() for _ in range(6)]
    for trader in longs:
        intraday(trader, Side.BUY, 10)
    for trader in shorts:
        intraday(trader, Side.SELL, 10)

    def run(_: int) -> list[bool]:
        shards = Shards(ledger_databases.urls(APPLICATION), "run")
        try:
            return [
                *(deliver(as_seen(trader, shards)) for trader in longs),
                *(value_shortage(as_seen(trader, shards), 100) for trader in shorts),
                *(close_out(as_seen(trader, shards), 120) for trader in shorts),
            ]
        finally:
            shards.close()

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(run, range(4)))
    assert [sum(done) for done in zip(*runs, strict=True)] == [1] * 18


def as_seen(trader: Trader, shards: Shards) -> Trader:
    """The same trader over connections of another run."""
    seen = copy(trader)
    seen.shards = shards
    return seen


# The fee for squaring off


def test_a_square_off_order_that_traded_is_charged_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    fee = square_off_fee(TODAY)
    intraday(trader, Side.BUY, 10)
    placed = trader.place(Side.SELL, 10, key="SQ-20260710-1-1", product=Product.MIS)
    assert placed.order is not None
    order = OrderOf(trader.user_id, placed.order.order_id)
    assert not squaring_off.charge(trader.shards, order, fee, TODAY, trader.now)  # working
    trader.fill(order.order_id, 10)
    before = trader.funds().cash
    assert order in squaring_off.uncharged(shard_of(trader), TODAY)
    assert squaring_off.charge(trader.shards, order, fee, TODAY, trader.now)
    assert not squaring_off.charge(trader.shards, order, fee, TODAY, trader.now)
    assert trader.funds().cash == before - 59 * RUPEE
    assert order not in squaring_off.uncharged(shard_of(trader), TODAY)
    rows = trader.database().run(
        "SELECT job, day, instrument FROM ledger.job_entry WHERE user_id = :u", u=trader.user_id
    )
    assert rows == [["SQUARE_OFF", TODAY, "SQ-20260710-1-1"]]


def test_the_fee_is_given_back_with_the_last_trade_and_charged_for_another(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    fee = square_off_fee(TODAY)
    intraday(trader, Side.BUY, 10)
    placed = trader.place(Side.SELL, 10, key="SQ-20260710-1-1", product=Product.MIS)
    assert placed.order is not None
    number = placed.order.order_id
    order = OrderOf(trader.user_id, number)
    before = trader.funds().cash
    trader.fill(number, 4, 100, exec_id="SQ1")
    trader.fill(number, 6, 100, exec_id="SQ2")
    assert squaring_off.charge(trader.shards, order, fee, TODAY, trader.now)
    trader.told(number, "H", exec_ref="SQ1", ord_status="1")
    assert "SQUARE_OFF_REFUNDED" not in trader.kinds()  # six were squared off
    trader.told(number, "H", exec_ref="SQ2", ord_status="0")
    assert trader.kinds()[-1] == "SQUARE_OFF_REFUNDED"
    assert trader.funds().cash == before
    trader.fill(number, 10, 100, exec_id="SQ3")
    after = trader.funds().cash
    assert order in squaring_off.uncharged(shard_of(trader), TODAY)
    assert squaring_off.charge(trader.shards, order, fee, TODAY, trader.now)
    assert not squaring_off.charge(trader.shards, order, fee, TODAY, trader.now)
    assert trader.funds().cash == after - 59 * RUPEE
    assert order not in squaring_off.uncharged(shard_of(trader), TODAY)
    assert rebuild_ledger.run(ledger_databases.urls(OWNER)).problems == []


@pytest.mark.parametrize("state", ["HALTED", "REDUCING"])
def test_an_account_that_may_not_trade_is_squared_off_all_the_same(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest, state: str
) -> None:
    trader = new_trader()
    intraday(trader, Side.SELL, 10)
    shard = ledger_databases.superuser(trader.shards.number_of_user(trader.user_id))
    change = "UPDATE ledger.account SET state = :s WHERE user_id = :u"
    shard.run(change, s=state, u=trader.user_id)
    own = trader.place(Side.SELL, 10, key="own", product=Product.MIS)
    broker = trader.place(Side.BUY, 10, key="SQ-20260710-1-1", product=Product.MIS)
    shard.run(change, s="ACTIVE", u=trader.user_id)
    shard.close()
    assert [rule["code"] for rule in own.rules] == [f"ACCOUNT_{state}"]
    assert broker.outcome == "ACCEPTED"


def test_a_second_run_at_once_squares_off_only_what_is_still_open(new_trader: NewTrader) -> None:
    trader = new_trader()
    intraday(trader, Side.BUY, 10)

    def attempt(number: int, quantity: int) -> Placed:
        key = f"SQ-20260710-1-{number}"
        return trader.place(Side.SELL, quantity, key=key, product=Product.MIS)

    first = attempt(1, 10)
    assert first.order is not None
    assert [rule["code"] for rule in attempt(2, 10).rules] == ["NOTHING_TO_SQUARE_OFF"]
    trader.fill(first.order.order_id, 6)
    trader.told(first.order.order_id, "4")
    assert [rule["largest_quantity"] for rule in attempt(3, 10).rules] == [4]
    assert attempt(4, 4).outcome == "ACCEPTED"


def test_an_account_that_only_reduces_closes_on_either_side(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    intraday(trader, Side.SELL, 10)
    shard = ledger_databases.superuser(trader.shards.number_of_user(trader.user_id))
    change = "UPDATE ledger.account SET state = :s WHERE user_id = :u"
    shard.run(change, s="REDUCING", u=trader.user_id)
    deeper = trader.place(Side.SELL, 1, product=Product.MIS)
    beyond = trader.place(Side.BUY, 11, product=Product.MIS)
    cover = trader.place(Side.BUY, 10, product=Product.MIS)
    delivery = trader.place(Side.BUY, 1)
    shard.run(change, s="ACTIVE", u=trader.user_id)
    shard.close()
    refused = [[rule["code"] for rule in each.rules] for each in (deeper, beyond, delivery)]
    assert refused == [["ACCOUNT_REDUCING"]] * 3
    assert cover.outcome == "ACCEPTED"
