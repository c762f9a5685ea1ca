"""Placing on a real PostgreSQL: reserve, refuse, replay; and what concurrency must not change."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from functions.shared.bookkeeping import placing
from functions.shared.bookkeeping.placing import Placed, Placement
from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.errors import NotFound, Retryable
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Shards
from infra.local.postgres import APPLICATION
from tests.integration.ledger.conftest import NewTrader
from tests.support.eventually import WAIT_SECONDS
from tests.support.ledger import RUPEE, TODAY, Trader, verdict
from tests.support.postgres import ShardsUnderTest


def cost(quantity: int, rupees: float = 100) -> int:
    """Paise a buy needs, charges included."""
    return verdict(Side.BUY, quantity, rupees).reserved


def test_an_accepted_buy_holds_its_cost_and_its_charges(new_trader: NewTrader) -> None:
    trader = new_trader(funds=2_000 * RUPEE)
    placed = trader.place(Side.BUY, 10)
    assert placed.outcome == "ACCEPTED"
    assert placed.order is not None
    assert placed.order.status == "PENDING"
    value = 10 * 100 * RUPEE
    rates = charge_rates(Product.CNC, "NSE", Side.BUY, TODAY).rates
    assert cost(10) == value + sum(charges_on(value, rates))
    funds = trader.funds()
    assert (funds.cash, funds.held) == (2_000 * RUPEE, cost(10))
    assert placed.available == 2_000 * RUPEE - cost(10)


def test_a_buy_beyond_the_money_is_denied_with_the_largest_that_would_do(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(funds=1_000 * RUPEE)
    placed = trader.place(Side.BUY, 10)
    assert placed.outcome == "DENIED"
    (rule,) = placed.rules
    assert rule["code"] == "INSUFFICIENT_FUNDS"
    assert rule["limit"] == "1000.00"
    assert rule["largest_quantity"] == placed.largest == 9
    assert cost(9) <= 1_000 * RUPEE < cost(10)
    assert placed.order is not None
    assert (placed.order.status, placed.order.reason_code) == ("DENIED", "INSUFFICIENT_FUNDS")
    assert trader.funds().held == 0
    assert trader.kinds()[-1] == "ORDER_DENIED"


def test_an_order_that_costs_exactly_what_is_there_is_accepted(new_trader: NewTrader) -> None:
    trader = new_trader(funds=cost(7))
    assert trader.place(Side.BUY, 7).outcome == "ACCEPTED"
    assert trader.funds().held == trader.funds().cash


def test_a_denial_leaves_no_command_for_the_venue(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader(funds=0)
    trader.place(Side.BUY, 1)
    commands = [
        row
        for shard in range(2)
        for row in _rows(
            ledger_databases, shard,
            f"SELECT command FROM ledger.outbox WHERE user_id = {trader.user_id}"
            " AND command IS NOT NULL",
        )
    ]  # fmt: skip
    assert commands == []


def test_the_same_request_again_gets_the_first_answer(new_trader: NewTrader) -> None:
    trader = new_trader()
    first = trader.place(Side.BUY, 10, key="once")
    assert first.order is not None
    trader.told(first.order.order_id, "0")
    again = trader.place(Side.BUY, 10, key="once")
    assert again.outcome == "REPLAY"
    assert again.order == first.order  # as it was answered, not as it is by now
    assert trader.funds().held == cost(10)


def test_a_denied_request_again_is_denied_as_before_whatever_came_in(new_trader: NewTrader) -> None:
    trader = new_trader(funds=0)
    first = trader.place(Side.BUY, 1, key="once")
    trader.deposit(1_000 * RUPEE)
    again = trader.place(Side.BUY, 1, key="once")
    assert again.outcome == "REPLAY"
    assert again.order == first.order
    assert again.rules == first.rules


def test_the_same_key_with_another_body_is_told_apart(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.place(Side.BUY, 10, key="once")
    assert trader.place(Side.BUY, 11, key="once").outcome == "KEY_REUSED"
    assert trader.funds().held == cost(10)


def test_a_preview_answers_as_placing_would_and_writes_nothing(new_trader: NewTrader) -> None:
    trader = new_trader(funds=1_000 * RUPEE)
    before = trader.kinds()
    for quantity in (9, 10):
        preview = trader.preview(Side.BUY, quantity)
        assert trader.kinds() == before
        assert preview.order is None
        placed = trader.place(Side.BUY, quantity) if quantity == 10 else None
        if placed is not None:
            assert (preview.outcome, preview.rules) == (placed.outcome, placed.rules)
    assert preview.largest == 9


def test_an_order_of_a_user_without_an_account_is_not_found(new_trader: NewTrader) -> None:
    trader = new_trader()
    stranger = replace(trader.placement(Side.BUY, 1), user_id=trader.user_id + 1)
    with pytest.raises(NotFound):
        placing.place(trader.shards, stranger)


def test_a_sell_takes_only_what_is_held_and_not_in_another_sell(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    trader.sell(6)
    placed = trader.place(Side.SELL, 5)
    assert placed.outcome == "DENIED"
    (rule,) = placed.rules
    assert (rule["code"], rule["largest_quantity"]) == ("INSUFFICIENT_HOLDINGS", 4)
    assert trader.place(Side.SELL, 4).outcome == "ACCEPTED"
    holding = trader.holding()
    assert holding is not None
    assert (holding.quantity, holding.open_sell) == (10, 10)


def test_a_sell_of_what_was_never_held_is_denied(new_trader: NewTrader) -> None:
    assert new_trader().place(Side.SELL, 1).outcome == "DENIED"


def test_open_orders_are_counted_and_limited(new_trader: NewTrader) -> None:
    trader = new_trader()
    first = trader.buy(1)
    wanted = trader.placement(Side.BUY, 1, open_orders_max=1)
    denied = placing.place(trader.shards, wanted)
    assert [rule["code"] for rule in denied.rules] == ["TOO_MANY_OPEN_ORDERS"]
    trader.told(first, "0")
    trader.told(first, "4")
    again = trader.placement(Side.BUY, 1, open_orders_max=1)
    assert placing.place(trader.shards, again).outcome == "ACCEPTED"


def test_fifty_identical_requests_at_once_make_one_order(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    wanted = trader.placement(Side.BUY, 10, key="once")
    answers = at_once(ledger_databases, [wanted] * 50)
    assert Counter(a.outcome for a in answers) == {"ACCEPTED": 1, "REPLAY": 49}
    assert len({a.order.order_id for a in answers if a.order is not None}) == 1
    assert trader.funds().held == cost(10)
    assert trader.kinds().count("ORDER_PLACED") == 1


def test_of_fifty_orders_that_each_take_all_the_cash_exactly_one_passes(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader(funds=cost(10))
    wanted = [trader.placement(Side.BUY, 10) for _ in range(50)]
    answers = at_once(ledger_databases, wanted)
    assert Counter(a.outcome for a in answers) == {"ACCEPTED": 1, "DENIED": 49}
    assert trader.funds().held == cost(10)


def test_of_fifty_sells_that_each_take_all_the_shares_exactly_one_passes(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    trader.own(10)
    wanted = [trader.placement(Side.SELL, 10) for _ in range(50)]
    answers = at_once(ledger_databases, wanted)
    assert Counter(a.outcome for a in answers) == {"ACCEPTED": 1, "DENIED": 49}


CONNECTIONS = 10


def at_once(databases: ShardsUnderTest, wanted: Sequence[Placement]) -> list[Placed]:
    """Places every order from threads with a connection each. A request that waited too long for
    the account is asked again with the same key, as a client does."""
    answers: list[Placed] = []
    barrier = threading.Barrier(CONNECTIONS)

    def work(mine: Sequence[Placement]) -> None:
        shards = Shards(databases.urls(APPLICATION), "test-thread")
        try:
            shards.of_user(mine[0].user_id).run("SELECT 1")
            barrier.wait(WAIT_SECONDS)
            answers.extend(_until_answered(lambda p=p: placing.place(shards, p)) for p in mine)
        finally:
            shards.close()

    threads = [
        threading.Thread(target=work, args=(wanted[start::CONNECTIONS],))
        for start in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert len(answers) == len(wanted)
    return answers


def _until_answered(ask: Callable[[], Placed]) -> Placed:
    for _ in range(200):
        try:
            return ask()
        except Retryable:
            continue
    raise AssertionError("the ledger never answered")


def _rows(databases: ShardsUnderTest, shard: int, sql: str) -> list[list[object]]:
    connection = databases.superuser(shard)
    try:
        rows: list[list[object]] = connection.run(sql)
    finally:
        connection.close()
    return rows


def test_the_traders_of_these_tests_live_on_both_shards(new_trader: NewTrader) -> None:
    traders: list[Trader] = [new_trader() for _ in range(4)]
    assert len({t.shards.number_of_user(t.user_id) for t in traders}) == 2
