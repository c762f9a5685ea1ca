"""How much of an account may stand in one share, and orders that would meet: under its lock."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from functions.shared.bookkeeping.limiting import position_limits
from functions.shared.bookkeeping.placing import Placed, Placement, place, place_many
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Shards
from infra.local.postgres import APPLICATION, OWNER, connect
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, RUPEE, Trader
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import release, stopped


def codes(placed: Placed) -> list[object]:
    return [rule["code"] for rule in placed.rules]


def retail(new_trader: NewTrader, funds: int = LAKH) -> Trader:
    return new_trader(funds, account_class=AccountClass.RETAIL)


def test_a_share_takes_the_larger_of_a_quarter_of_the_account_and_a_lakh(
    new_trader: NewTrader,
) -> None:
    trader = retail(new_trader, 10 * LAKH)
    trader.buy(2_000)  # at 100 rupees: two lakh of two and a half
    refused = trader.place(Side.BUY, 501)
    assert codes(refused) == ["STOCK_LIMIT_EXCEEDED"]
    [rule] = refused.rules
    assert (rule["value"], rule["limit"]) == ("250100.00", "250000.00")
    assert rule["largest_quantity"] == 500
    assert codes(trader.preview(Side.BUY, 501)) == ["STOCK_LIMIT_EXCEEDED"]
    assert trader.place(Side.BUY, 500).outcome == "ACCEPTED"
    small = retail(new_trader, 3 * LAKH)  # a quarter of it is less than a lakh
    assert codes(small.place(Side.BUY, 1_001)) == ["STOCK_LIMIT_EXCEEDED"]
    assert small.place(Side.BUY, 1_000).outcome == "ACCEPTED"


def test_what_is_held_counts_at_what_it_cost_and_is_always_sold(new_trader: NewTrader) -> None:
    trader = retail(new_trader, 10 * LAKH)
    trader.own(2_400)
    limit = position_limits(trader.shards, trader.user_id, trader.today)
    assert limit is not None
    assert limit.stocks == (("ACME", 2_400 * 100 * RUPEE),)
    # What the fill's charges took is no longer there: a little less than two and a half lakh.
    assert 0 < 250_000 * RUPEE - limit.stock < 250 * RUPEE
    assert codes(trader.place(Side.BUY, 100)) == ["STOCK_LIMIT_EXCEEDED"]
    assert trader.place(Side.BUY, 90).outcome == "ACCEPTED"
    assert trader.place(Side.SELL, 2_400, 101).outcome == "ACCEPTED"


def test_what_makes_an_order_smaller_passes_and_larger_does_not(new_trader: NewTrader) -> None:
    trader = retail(new_trader, 10 * LAKH)
    order = trader.buy(2_400)
    trader.told(order, "0")
    grown = trader.modify(order, 2_600, 100)
    assert [rule["code"] for rule in grown.rules] == ["STOCK_LIMIT_EXCEEDED"]
    assert grown.rules[0]["largest_quantity"] == 2_500
    assert trader.modify(order, 2_300, 100).rules == []


def test_an_intraday_position_counts_and_may_always_be_closed(new_trader: NewTrader) -> None:
    trader = retail(new_trader, 10 * LAKH)
    trader.fill(trader.sell(2_500, product=Product.MIS), 2_500)
    more = trader.place(Side.SELL, 1, product=Product.MIS)
    assert codes(more) == ["STOCK_LIMIT_EXCEEDED"]
    turned = trader.place(Side.BUY, 5_001, product=Product.MIS)  # closes, and opens 2,501
    assert codes(turned) == ["STOCK_LIMIT_EXCEEDED"]
    assert turned.rules[0]["largest_quantity"] == 4_999  # the charges of the sale are gone
    assert trader.place(Side.BUY, 2_500, product=Product.MIS).outcome == "ACCEPTED"


def test_an_order_that_waits_counts_and_goes_out_without_being_counted_twice(
    new_trader: NewTrader,
) -> None:
    trader = retail(new_trader, 10 * LAKH)
    waiting = stopped(trader, Side.BUY, 2_300, 105)  # 106.05 a share at most
    assert codes(trader.place(Side.BUY, 100)) == ["STOCK_LIMIT_EXCEEDED"]
    assert release(trader, waiting, 105).outcome == "RELEASED"


def test_of_many_orders_at_once_those_pass_that_the_limit_has_room_for(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = retail(new_trader, 10 * LAKH)

    def placed_by_itself(wanted: Placement) -> Placed:
        shards = Shards(ledger_databases.urls(APPLICATION), "test")
        try:
            return place(shards, wanted)
        finally:
            shards.close()

    with ThreadPoolExecutor(8) as pool:
        wanted = [trader.placement(Side.BUY, 1_000) for _ in range(8)]
        placed = list(pool.map(placed_by_itself, wanted))
    assert sorted(answer.outcome for answer in placed) == ["ACCEPTED"] * 2 + ["DENIED"] * 6


def test_the_orders_of_a_basket_count_one_behind_the_other(new_trader: NewTrader) -> None:
    trader = retail(new_trader, 10 * LAKH)
    placed = place_many(trader.shards, [trader.placement(Side.BUY, 1_000) for _ in range(3)])
    assert [codes(answer) for answer in placed] == [[], [], ["STOCK_LIMIT_EXCEEDED"]]


def test_open_orders_and_day_positions_come_to_four_times_what_an_account_has(
    new_trader: NewTrader,
) -> None:
    trader = retail(new_trader, LAKH // 2)  # a lakh in a share, two lakh in all
    for symbol in ("BETA", "GAMA"):
        wanted = trader.placement(Side.BUY, 900, product=Product.MIS)
        assert place(trader.shards, replace(wanted, symbol=symbol)).outcome == "ACCEPTED"
    refused = trader.place(Side.SELL, 201, product=Product.MIS)
    assert codes(refused) == ["EXPOSURE_LIMIT_EXCEEDED"]
    assert (refused.rules[0]["value"], refused.rules[0]["limit"]) == ("200100.00", "200000.00")
    assert refused.rules[0]["largest_quantity"] == 200
    assert trader.place(Side.SELL, 200, product=Product.MIS).outcome == "ACCEPTED"
    limits = position_limits(trader.shards, trader.user_id, trader.today)
    assert limits is not None
    assert (limits.exposed, limits.exposure) == (200_000 * RUPEE, 200_000 * RUPEE)
    assert [symbol for symbol, _ in limits.stocks] == ["BETA", "GAMA", "ACME"]


def test_an_order_that_would_meet_another_of_its_user_is_refused_by_its_number(
    new_trader: NewTrader,
) -> None:
    trader = retail(new_trader)
    trader.own(20)
    resting = trader.sell(10, 102)
    trader.sell(10, 104)
    refused = trader.place(Side.BUY, 1, 103)
    assert codes(refused) == ["SELF_TRADE"]
    assert str(resting) in str(refused.rules[0]["message"])
    assert (refused.rules[0]["value"], refused.rules[0]["limit"]) == ("103.00", "102.00")
    assert codes(trader.preview(Side.BUY, 1, 102)) == ["SELF_TRADE"]
    assert trader.place(Side.BUY, 1, 101.95).outcome == "ACCEPTED"


def test_a_sale_looks_at_the_best_price_that_a_buy_has_or_asks_for(new_trader: NewTrader) -> None:
    trader = retail(new_trader)
    trader.own(20)
    order = trader.buy(1, 98)
    trader.told(order, "0")
    assert trader.modify(order, 1, 99).rules == []
    assert codes(trader.place(Side.SELL, 1, 99)) == ["SELF_TRADE"]
    resting = trader.sell(1, 99.5)
    trader.told(resting, "0")
    trader.told(order, "5", request=1, price=price_of(99), order_quantity=1)
    met = trader.modify(order, 1, 99.5)
    assert [rule["code"] for rule in met.rules] == ["SELF_TRADE"]


def price_of(rupees: int) -> int:
    return rupees * 10_000


def test_a_stop_that_fires_goes_out_whatever_rests_on_the_other_side(
    new_trader: NewTrader,
) -> None:
    trader = retail(new_trader)
    trader.own(10)
    stop = stopped(trader, Side.SELL, 10, 95)
    assert trader.place(Side.BUY, 1, 96).outcome == "ACCEPTED"  # a stop is not at the venue
    assert release(trader, stop, 95).outcome == "RELEASED"


def test_what_would_meet_is_found_by_one_probe_of_the_index(
    ledger_databases: ShardsUnderTest,
) -> None:
    owner = connect(ledger_databases.urls(OWNER)[0])
    owner.run("SET enable_seqscan = off")
    plan = owner.run(
        "EXPLAIN SELECT * FROM ledger.orders o WHERE o.user_id = 1 AND o.symbol = 'ACME'"
        " AND o.side = 'SELL'"
        " AND o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')"
        " AND ledger.meets_at(o.side, o.limit_price, o.pending_price) <= 5"
    )
    owner.close()
    text = "\n".join(str(row[0]) for row in plan)
    assert "orders_open" in text
    assert "<= 5" in text.partition("Index Cond")[2].partition("Filter")[0]
