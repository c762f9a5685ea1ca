"""How many orders an account may place: counted under its lock, by the orders themselves."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from functions.shared.bookkeeping.accounts import (
    OrderRates,
    Registration,
    order_rates,
    register_algo,
)
from functions.shared.bookkeeping.placing import Placed, place, place_many
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.orders import Side
from functions.shared.stores.postgres import Shards
from infra.local.postgres import APPLICATION
from tests.integration.ledger.conftest import NewTrader
from tests.support.eventually import until
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import ShardsUnderTest


def registered(
    new_trader: NewTrader, per_second: int = 1_000, per_minute: int = 1_000, per_day: int = 1_000
) -> Trader:
    trader = new_trader(account_class=AccountClass.REGISTERED_ALGO)
    today = trader.today
    terms = Registration(today, today, "ALGO7", per_second, per_minute, per_day)
    register_algo(trader.shards, trader.user_id, terms)
    return trader


def outcomes(placed: list[Placed]) -> list[str]:
    return [each.outcome for each in placed]


def test_a_retail_account_places_ten_orders_a_second_and_is_told_when_it_may_go_on(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(account_class=AccountClass.RETAIL)
    # The call takes less than two seconds or fails: some second of it has more than ten.
    placed = place_many(trader.shards, [trader.placement(Side.BUY, 1) for _ in range(40)])
    refused = [each for each in placed if each.outcome == "RATE_LIMITED"]
    assert refused
    assert outcomes(placed[:10]) == ["ACCEPTED"] * 10
    reached = refused[0].reached
    assert reached is not None
    assert (reached.per, reached.most, refused[0].order) == ("second", 10, None)
    assert 1 <= reached.wait_ms <= 1_000
    assert trader.kinds().count("ORDER_PLACED") == 40 - len(refused)
    assert "ORDER_DENIED" not in trader.kinds()


def test_of_many_orders_at_once_exactly_as_many_pass_as_may(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = registered(new_trader, per_minute=5)

    def send(_: int) -> str:
        shards = Shards(ledger_databases.urls(APPLICATION), "test")
        try:
            return place(shards, trader.placement(Side.BUY, 1)).outcome
        finally:
            shards.close()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(send, range(16)))
    assert (found.count("ACCEPTED"), found.count("RATE_LIMITED")) == (5, 11)


def test_an_order_sent_again_has_its_first_answer_and_is_not_counted(new_trader: NewTrader) -> None:
    trader = registered(new_trader, per_minute=2)
    wanted = trader.placement(Side.BUY, 1, key="mine")
    assert outcomes([place(trader.shards, wanted) for _ in range(5)]) == ["ACCEPTED"] + 4 * [
        "REPLAY"
    ]
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"
    assert trader.place(Side.BUY, 1).outcome == "RATE_LIMITED"
    assert place(trader.shards, wanted).outcome == "REPLAY"
    other = replace(wanted, fingerprint=b"another body")
    assert place(trader.shards, other).outcome == "KEY_REUSED"


async def test_a_limited_id_is_free_to_be_used_later(new_trader: NewTrader) -> None:
    trader = registered(new_trader, per_second=1)
    batch = [trader.placement(Side.BUY, 1) for _ in range(2)]
    while place_many(trader.shards, batch)[1].outcome != "RATE_LIMITED":
        batch = [trader.placement(Side.BUY, 1) for _ in range(2)]  # a second went by between them
    await until(lambda: place(trader.shards, batch[1]).outcome == "ACCEPTED", 30)


def test_a_day_is_a_trade_date(new_trader: NewTrader) -> None:
    trader = registered(new_trader, per_day=3)
    assert outcomes([trader.place(Side.BUY, 1) for _ in range(4)]) == ["ACCEPTED"] * 3 + [
        "RATE_LIMITED"
    ]
    trader.now += timedelta(days=3)  # the registration has ended: as a retail account from now on
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"


def test_cancels_and_changes_and_previews_are_never_limited(new_trader: NewTrader) -> None:
    trader = registered(new_trader, per_minute=1)
    order = trader.buy(10)
    assert trader.place(Side.BUY, 1).outcome == "RATE_LIMITED"
    assert trader.preview(Side.BUY, 1).outcome == "ACCEPTED"
    assert not trader.modify(order, 9, 100).rules
    trader.told(order, "5", request=1)
    assert trader.cancel(order).pending_change == "CANCEL"


def test_an_account_for_load_has_no_limit_and_the_brokers_own_orders_neither(
    new_trader: NewTrader,
) -> None:
    load = new_trader(LAKH * 10)
    batch = [load.placement(Side.BUY, 1) for _ in range(60)]
    assert set(outcomes(place_many(load.shards, batch))) == {"ACCEPTED"}
    trader = registered(new_trader, per_minute=1)
    renewed = [trader.place(Side.BUY, 1, key=f"GTC-{n}") for n in range(3)]
    assert outcomes(renewed) == ["ACCEPTED"] * 3
    trader.buy(1)
    assert trader.place(Side.BUY, 1).outcome == "RATE_LIMITED"
    squared = trader.place(Side.SELL, 1, key="SQ-1")
    assert squared.outcome == "DENIED"  # judged: it owns none


def test_the_rates_of_an_account_say_where_they_stand(new_trader: NewTrader) -> None:
    retail = new_trader(account_class=AccountClass.RETAIL)
    found = order_rates(retail.shards, retail.user_id, retail.today)
    assert found is not None
    assert (found.account_class, found.per_second, found.per_minute) == ("RETAIL", 10, 400)
    assert found.per_day == 5_000
    algo = registered(new_trader, 20, 30, 40)
    assert order_rates(algo.shards, algo.user_id, algo.today) == OrderRates(
        "REGISTERED_ALGO", 20, 30, 40, algo.today, "registration ALGO7"
    )
    load = new_trader()
    assert order_rates(load.shards, load.user_id, load.today) is None
