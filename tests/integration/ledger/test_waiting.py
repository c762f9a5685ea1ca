"""Orders that wait: reserved while they wait, handed over once, changed without the venue."""

import threading
from datetime import timedelta

import msgspec
import pytest

from functions.shared.bookkeeping import reading
from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.waiting import judge_stop
from functions.shared.stores.postgres import Shards
from infra.local.postgres import APPLICATION
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import ACME, OPEN, Trader, price, verdict
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import (
    LAST,
    expire,
    gtt,
    modify_stop,
    release,
    stop,
    stop_placement,
    stopped,
)

_COMMANDS = (
    "SELECT b.command FROM ledger.outbox b JOIN ledger.ledger_event e USING (user_id, seq)"
    " WHERE b.user_id = :u AND e.ref = :o AND b.command IS NOT NULL"
)


def commands(trader: Trader, order: int) -> list[dict[str, object]]:
    rows = trader.database().run(_COMMANDS, u=trader.user_id, o=order)
    return [msgspec.json.decode(row[0]) for row in rows]


def test_a_stop_keeps_what_it_will_need_and_goes_to_the_venue_when_it_is_released(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = stopped(trader, Side.BUY, 10, 105)
    asked = judge_stop(
        stop_placement(trader, Side.BUY, 10, 105).intent, Product.CNC, ACME, LAST, LAST, OPEN
    )
    assert asked.limit_price == price(106.05)  # 1 % beyond the trigger
    assert trader.funds().held == asked.reserved
    assert (trader.order(order).status, commands(trader, order)) == ("TRIGGER_PENDING", [])

    released = release(trader, order, 105.5)

    assert released.outcome == "RELEASED"
    facts = trader.order(order)
    assert (facts.status, facts.expires_at) == ("PENDING", None)
    (command,) = commands(trader, order)
    assert (command["kind"], command["type"], command["price"]) == ("new", "LIMIT", price(106.6))
    assert trader.funds().held == verdict(Side.BUY, 10, 106.6).reserved
    seen = reading.history(trader.shards, trader.user_id, order)[-1].facts.trigger
    assert seen is not None
    assert (seen.why, seen.price, seen.seq) == ("PRICE", price(105.5), 7)
    trader.fill(order, 10, 106)
    assert trader.order(order).status == "FILLED"
    assert trader.funds().held == 0


def test_a_stop_limit_keeps_its_limit_and_can_be_replaced_at_the_venue(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = stopped(trader, Side.BUY, 10, 105, limit=107)
    release(trader, order, 110)
    assert trader.order(order).price == price(107)
    trader.told(order, "0")
    trader.modify(order, 10, 108)
    trader.told(order, "5", request=1)
    assert trader.order(order).price == price(108)


def test_however_many_release_it_at_once_it_goes_once(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    order = stopped(trader, Side.BUY, 10, 105)
    outcomes: list[str] = []

    def watch() -> None:
        shards = Shards(ledger_databases.urls(APPLICATION), "test")
        watcher = object.__new__(Trader)
        watcher.shards, watcher.user_id, watcher.now = shards, trader.user_id, trader.now
        outcomes.extend(release(watcher, order, 105, version=1).outcome for _ in range(5))
        shards.close()

    threads = [threading.Thread(target=watch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["NOT_WAITING"] * 29 + ["RELEASED"]
    assert len(commands(trader, order)) == 1


def test_what_has_not_come_releases_nothing_and_an_older_version_neither(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = stopped(trader, Side.BUY, 10, 105)
    assert release(trader, order, 104.95).outcome == "NOT_DUE"
    trader.deposit(1)
    modify_stop(trader, order, quantity=20, trigger=104)
    assert release(trader, order, 105, version=1).outcome == "NOT_WAITING"
    assert trader.order(order).status == "TRIGGER_PENDING"
    assert release(trader, order, 104).outcome == "RELEASED"


def test_a_waiting_order_is_changed_and_cancelled_without_the_venue(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = stopped(trader, Side.BUY, 10, 105)
    held = trader.funds().held
    changed = modify_stop(trader, order, quantity=20, trigger=110)
    assert (changed.order.quantity, changed.order.trigger_price) == (20, price(110))
    assert trader.funds().held > 2 * held
    refused = modify_stop(trader, order, quantity=1_000_000, trigger=110)
    assert [rule["code"] for rule in refused.rules][-1] == "INSUFFICIENT_FUNDS"
    assert trader.order(order).quantity == 20
    assert trader.cancel(order).status == "CANCELLED"
    assert (trader.funds().held, commands(trader, order)) == (0, [])
    assert release(trader, order, 200).outcome == "NOT_WAITING"
    with pytest.raises(Conflict):
        trader.cancel(order)


def test_what_the_account_can_no_longer_carry_is_denied_when_it_is_released(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(funds=1_100_00)
    order = stopped(trader, Side.BUY, 10, 105)
    released = release(trader, order, 115)  # the market jumped over its trigger
    assert released.outcome == "DENIED"
    assert [rule["code"] for rule in released.rules] == ["INSUFFICIENT_FUNDS"]
    facts = trader.order(order)
    assert (facts.status, facts.reason_code) == ("DENIED", "INSUFFICIENT_FUNDS")
    assert (trader.funds().held, commands(trader, order)) == (0, [])
    assert trader.kinds()[-1] == "ORDER_RELEASE_DENIED"


def test_a_stop_that_fires_during_a_review_of_its_account_waits_until_that_is_over(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    trader.own(10)
    order = stopped(trader, Side.SELL, 10, 95)
    trader.told(999, "F", last_quantity=1, last_price=price(100))  # of no order of ours: parked
    put_off = release(trader, order, 94)
    assert (put_off.outcome, put_off.rules[0]["code"]) == ("PUT_OFF", "ACCOUNT_UNDER_REVIEW")
    assert trader.order(order).status == "TRIGGER_PENDING"
    shard = ledger_databases.superuser(trader.shards.number_of_user(trader.user_id))
    shard.run("DELETE FROM ledger.parked_execution WHERE user_id = :u", u=trader.user_id)
    shard.close()
    assert release(trader, order, 94).outcome == "RELEASED"


def test_an_order_that_waited_in_vain_expires_and_not_before_its_time(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    order = stopped(trader, Side.SELL, 10, 95)
    assert not expire(trader, order, after=timedelta(hours=3))
    assert trader.place(Side.SELL, 1).outcome == "DENIED"  # its shares are promised
    assert expire(trader, order)
    assert not expire(trader, order)
    assert (trader.order(order).status, trader.order(order).reason_code) == (
        "EXPIRED", "NOT_TRIGGERED",
    )  # fmt: skip
    assert trader.place(Side.SELL, 10).outcome == "ACCEPTED"


@pytest.mark.parametrize("side", Side)
def test_an_intraday_stop_is_margined_while_it_waits_and_after(
    new_trader: NewTrader, side: Side
) -> None:
    trader = new_trader()
    trigger = 105 if side is Side.BUY else 95
    order = stopped(trader, side, 10, trigger, product=Product.MIS)
    held = trader.funds().held
    assert 0 < held < 300_00
    release(trader, order, trigger)
    trader.fill(order, 10, trigger)
    assert trader.order(order).status == "FILLED"


def test_the_venue_has_nothing_to_say_of_an_order_it_was_never_sent(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = stopped(trader, Side.BUY, 10, 105)
    trader.cancel(order)
    told = trader.fill(order, 10, 105)
    assert (told.outcome, told.why) == ("PARKED", "NEVER_SENT")


def test_a_stop_placed_again_is_answered_as_it_was_first(new_trader: NewTrader) -> None:
    trader = new_trader()
    first = stop(trader, Side.BUY, 10, 105, key="once")
    again = stop(trader, Side.BUY, 10, 105, key="once")
    assert (first.outcome, again.outcome) == ("ACCEPTED", "REPLAY")
    assert again.order == first.order


def test_a_gtt_keeps_nothing_until_it_fires_whichever_way_its_price_comes_from(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(funds=1_100_00)
    dip = placed_gtt(trader, Side.BUY, 10, 90, limit=91)
    assert trader.funds().held == 0
    trader.settle()
    other = trader.buy(9, 100)  # what it will need is free until then
    assert release(trader, dip, 90.05).outcome == "NOT_DUE"
    trader.cancel(other)
    trader.told(other, "4", request=1)
    assert release(trader, dip, 90).outcome == "RELEASED"
    assert trader.funds().held == verdict(Side.BUY, 10, 91).reserved
    facts = trader.order(dip)
    assert (facts.status, facts.validity, facts.price) == ("PENDING", "GTT", price(91))
    assert commands(trader, dip)[0]["validity"] == "DAY"


def test_a_gtt_that_can_not_be_paid_for_or_delivered_when_it_fires_is_denied(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(funds=500_00)
    dear, bare = (
        placed_gtt(trader, Side.BUY, 10, 90, limit=91),
        placed_gtt(trader, Side.SELL, 10, 110, limit=109),
    )
    assert [r["code"] for r in release(trader, dear, 90).rules] == ["INSUFFICIENT_FUNDS"]
    assert [r["code"] for r in release(trader, bare, 110).rules] == ["INSUFFICIENT_HOLDINGS"]


def test_an_account_has_so_many_gtts_at_most(new_trader: NewTrader) -> None:
    trader = new_trader()
    placed_gtt(trader, Side.BUY, 1, 90, limit=91)
    denied = gtt(trader, Side.BUY, 1, 90, 91, most=1)
    assert [rule["code"] for rule in denied.rules] == ["TOO_MANY_GTT"]


def placed_gtt(trader: Trader, side: Side, quantity: int, trigger: float, limit: float) -> int:
    placed = gtt(trader, side, quantity, trigger, limit)
    assert placed.order is not None
    assert placed.outcome == "ACCEPTED", placed.rules
    return placed.order.order_id
