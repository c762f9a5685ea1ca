"""A stock that an account may only close for a while: set once, judged with every order, ended."""

from collections.abc import Callable
from datetime import timedelta

from functions.shared.bookkeeping.restricting import (
    RestrictionCause,
    end_restriction,
    restrict_symbol,
    restrictions_due,
)
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Shards
from functions.shared.stores.user_events import UserEvents
from functions.shared.wire.events import render_event
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER, connect
from tests.support.ledger import ACME, LAKH, Trader
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import release, stopped

NewTrader = Callable[..., Trader]
CAUSE = RestrictionCause(order_id=7, side="SELL", price=1_000_000, round_trips=11)
DAY = timedelta(hours=24)


def codes(placed: object) -> list[object]:
    return [rule["code"] for rule in placed.rules]  # type: ignore[attr-defined]


def restrict(trader: Trader, alert: int) -> int | None:
    ends_at = trader.now + DAY
    return restrict_symbol(
        trader.shards, trader.user_id, alert, ACME.symbol, CAUSE, ends_at, trader.now
    )


def end(trader: Trader, alert: int) -> int | None:
    return end_restriction(trader.shards, trader.user_id, alert, trader.now)


def test_a_restricted_stock_takes_what_closes_alone_and_other_accounts_trade_on(
    new_trader: NewTrader,
) -> None:
    trader, other = new_trader(account_class=AccountClass.RETAIL), new_trader()
    trader.own(10)
    trader.fill(trader.buy(5, product=Product.MIS), 5)
    resting = trader.buy(1, 90)
    restrict(trader, 1)
    assert codes(trader.place(Side.BUY, 1)) == ["SYMBOL_RESTRICTED"]
    beyond = trader.place(Side.SELL, 6, product=Product.MIS)
    assert (codes(beyond), beyond.rules[0]["largest_quantity"]) == (["SYMBOL_RESTRICTED"], 5)
    assert trader.place(Side.SELL, 5, product=Product.MIS).outcome == "ACCEPTED"
    assert trader.place(Side.SELL, 10).outcome == "ACCEPTED"
    trader.cancel(resting)
    assert other.place(Side.BUY, 1).outcome == "ACCEPTED"
    assert end(trader, 1) is not None
    assert trader.place(Side.BUY, 1, 90).outcome == "ACCEPTED"


def test_a_stop_that_opens_waits_the_restriction_out(new_trader: NewTrader) -> None:
    trader = new_trader(account_class=AccountClass.RETAIL)
    waiting = stopped(trader, Side.BUY, 5, 105)
    restrict(trader, 1)
    assert release(trader, waiting, 105).outcome == "PUT_OFF"
    end(trader, 1)
    assert release(trader, waiting, 105).outcome == "RELEASED"


def test_an_alert_restricts_once_is_told_once_and_verify_and_rebuild_know_it(
    shards: Shards, databases: ShardsUnderTest
) -> None:
    trader = Trader(shards, 4711, LAKH, account_class=AccountClass.RETAIL)
    first = restrict(trader, 1)
    assert restrict(trader, 1) == first == trader.funds().seq
    assert first is not None
    assert end(trader, 2) is None
    [told] = UserEvents(shards).after(trader.user_id, first - 1, 1)
    [alert] = [each for each in render_event(told) if each["type"] == "alert"]
    assert (alert["code"], alert["symbol"]) == ("WASH_TRADING", ACME.symbol)
    assert "11 round trips" in str(alert["message"])
    database = shards.database(shards.number_of_user(trader.user_id))
    assert restrictions_due(database, trader.now + DAY - timedelta(seconds=1), 10) == []
    assert restrictions_due(database, trader.now + DAY, 10) == [(trader.user_id, 1)]
    assert end(trader, 1) == first + 1
    assert end(trader, 1) is None
    assert restrict(trader, 1) == first  # an alert that comes again restricts nothing again
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"
    assert restrictions_due(database, trader.now + DAY, 10) == []
    assert rebuild_ledger.run(databases.urls(OWNER)).problems == []
    assert verify_ledger.run(databases.urls(OWNER)).problems == []


def test_a_restriction_that_was_lifted_by_hand_is_found(
    shards: Shards, databases: ShardsUnderTest
) -> None:
    trader = Trader(shards, 4711, LAKH, account_class=AccountClass.RETAIL)
    restrict(trader, 1)
    owner = connect(databases.urls(OWNER)[shards.number_of_user(trader.user_id)])
    owner.run("UPDATE ledger.symbol_restriction SET ended_seq = seq + 1")
    owner.close()
    [found] = verify_ledger.run(databases.urls(OWNER)).problems
    assert "the row says SYMBOL_RESTRICTION_ENDED of alert 1" in found
    assert rebuild_ledger.run(databases.urls(OWNER)).problems != []


def test_an_account_that_is_there_for_load_is_not_restricted(new_trader: NewTrader) -> None:
    trader = new_trader(account_class=AccountClass.TEST)
    assert restrict(trader, 1) is None
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"
