"""Exits that wait together: one at the venue, both for the same rest, none beyond what is held."""

import threading
from datetime import timedelta

import pytest

from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Shards
from infra.command import rebuild_ledger
from infra.local.postgres import APPLICATION, OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import Trader, price
from tests.support.linked_exits import (
    alive,
    at_venue,
    bracket,
    causes,
    gtt_pair,
    legs,
    pair,
    place_pair,
    trail,
    trailing_stop,
)
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import expire, modify_stop, release, stopped


def owner_of(new_trader: NewTrader, quantity: int = 100) -> Trader:
    trader = new_trader()
    trader.own(quantity)
    return trader


def sellable(trader: Trader) -> int:
    holding = trader.holding()
    assert holding is not None
    return holding.quantity - holding.open_sell


def test_two_exits_keep_the_shares_once_and_what_one_fills_is_no_more_for_the_other(
    new_trader: NewTrader,
) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    assert sellable(trader) == 0
    assert trader.place(Side.SELL, 1).outcome == "DENIED"

    assert release(trader, target, 105).outcome == "RELEASED"

    assert sellable(trader) == 0
    trader.fill(target, 30, 105)
    assert trader.order(stop).quantity == 70
    trader.fill(target, 70, 105)
    ended = trader.order(stop)
    assert (ended.status, ended.reason_code) == ("CANCELLED", "SIBLING_FILLED")
    assert causes(trader, stop) == ["SIBLING_FIRED", "SIBLING_FILLED", "SIBLING_FILLED"]
    assert causes(trader, target) == ["EXITS_TOGETHER"]
    assert trader.holding() is None


def test_a_price_that_jumps_through_both_fires_one(new_trader: NewTrader) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 10, stop=95, target=105)
    seen = trader.order(target).version
    assert release(trader, stop, 94).outcome == "RELEASED"
    assert release(trader, target, 106, seen).outcome == "NOT_WAITING"
    assert release(trader, target, 106).outcome == "NOT_DUE"
    assert [leg.order_id for leg in at_venue(trader, stop)] == [stop]


def test_a_leg_that_dies_at_the_venue_waits_again_for_the_rest_and_not_for_ever(
    new_trader: NewTrader,
) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    release(trader, stop, 94)
    trader.fill(stop, 40, 94)
    trader.told(stop, "4")

    again = alive(trader, stop)["STOP"]
    assert (again.status, again.quantity) == ("TRIGGER_PENDING", 60)
    assert again.trigger_price == trader.order(stop).trigger_price
    assert causes(trader, again.order_id) == ["WAITS_AGAIN"]
    assert release(trader, target, 105).outcome == "RELEASED"
    trader.told(target, "8")
    for _ in range(3):
        stop = alive(trader, target)["STOP"].order_id
        assert release(trader, stop, 94).outcome == "RELEASED"
        trader.told(stop, "8")
    left = alive(trader, target)
    assert list(left) == ["TARGET"]
    assert (left["TARGET"].quantity, sellable(trader)) == (60, 0)
    assert causes(trader, left["TARGET"].order_id)[-1] == "SIBLING_ENDED"
    release(trader, left["TARGET"].order_id, 105)
    trader.fill(left["TARGET"].order_id, 60, 105)
    assert alive(trader, target) == {}


@pytest.mark.parametrize("fired", [False, True])
def test_cancelling_one_cancels_both(new_trader: NewTrader, fired: bool) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    if fired:
        release(trader, stop, 94)
    trader.cancel(target)
    assert trader.order(target).status == "CANCELLED"
    if fired:
        assert trader.order(stop).pending_change == "CANCEL"
        trader.told(stop, "4", request=1)
    ended = trader.order(stop)
    assert (ended.status, ended.reason_code) == ("CANCELLED", "SIBLING_CANCELLED")
    assert alive(trader, stop) == {}
    assert sellable(trader) == 100


def test_a_fill_of_a_dead_leg_takes_back_what_its_successor_has_too_much(
    new_trader: NewTrader,
) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    release(trader, stop, 94)
    trader.told(stop, "4")
    again = alive(trader, stop)["STOP"].order_id
    release(trader, again, 94)

    trader.fill(stop, 20, 94)

    assert trader.order(target).quantity == 80
    assert trader.order(again).pending_change == "CANCEL"
    trader.told(again, "4", request=1)
    left = alive(trader, stop)
    assert {name: leg.quantity for name, leg in left.items()} == {"STOP": 80, "TARGET": 80}


def test_an_exit_is_for_no_more_than_what_is_open_when_it_fires(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.fill(trader.buy(100, product=Product.MIS), 100)
    assert place_pair(trader, Side.SELL, 101, 95, 105, Product.MIS).outcome == "DENIED"
    assert place_pair(trader, Side.BUY, 1, 105, 95, Product.MIS).outcome == "DENIED"
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105, product=Product.MIS)
    trader.fill(trader.sell(60, product=Product.MIS), 60)

    assert (trader.order(stop).quantity, trader.order(target).quantity) == (40, 40)
    first = stopped(trader, Side.SELL, 30, 99, product=Product.MIS)
    assert release(trader, first, 98).outcome == "RELEASED"  # ahead of the pair, and not filled
    assert release(trader, stop, 94).outcome == "RELEASED"
    assert (trader.order(stop).quantity, trader.order(target).quantity) == (10, 10)
    trader.fill(first, 30)
    trader.fill(stop, 10, 94)
    assert alive(trader, stop) == {}


def test_a_two_leg_gtt_waits_on_after_the_day_that_it_fired_on(new_trader: NewTrader) -> None:
    trader = owner_of(new_trader)
    stop, target = gtt_pair(trader, 100, stop=90, target=110)
    assert sellable(trader) == 100
    assert release(trader, target, 111).outcome == "RELEASED"
    trader.fill(target, 25, 111)
    trader.told(target, "C")
    left = alive(trader, stop)
    assert {name: leg.quantity for name, leg in left.items()} == {"STOP": 75, "TARGET": 75}
    assert left["TARGET"].expires_at == trader.order(target).expires_at
    trader.settle()
    assert release(trader, stop, 89).outcome == "RELEASED"
    trader.fill(stop, 75, 90)
    assert alive(trader, stop) == {}


def test_two_exits_end_together_with_their_day(new_trader: NewTrader) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    assert expire(trader, target)
    assert [leg.status for leg in legs(trader, stop)] == ["EXPIRED", "EXPIRED"]
    assert not expire(trader, stop)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    release(trader, stop, 94)
    trader.apply(trader.report(stop, "C"), timedelta(hours=3))
    left = alive(trader, stop)
    assert list(left) == ["TARGET"]


def test_one_of_two_exits_moves_its_price_and_never_its_quantity(new_trader: NewTrader) -> None:
    trader = owner_of(new_trader)
    stop, _ = pair(trader, Side.SELL, 100, stop=95, target=105)
    with pytest.raises(Conflict):
        modify_stop(trader, stop, 50, 96)
    assert modify_stop(trader, stop, 100, 96).rules == []
    assert release(trader, stop, 95.5).outcome == "RELEASED"


def test_the_exits_of_an_entry_grow_with_what_it_fills(new_trader: NewTrader) -> None:
    trader = new_trader()
    entry = bracket(trader, Side.BUY, 100, 100, stop=95, target=105)
    assert legs(trader, entry) == []
    trader.fill(entry, 30)
    trader.fill(entry, 20)
    stop, target = legs(trader, entry)
    assert (stop.quantity, target.quantity) == (50, 50)
    assert (stop.parent_order_id, target.parent_order_id) == (entry, entry)
    assert causes(trader, target.order_id) == ["ENTRY_FILLED", "ENTRY_FILLED"]
    release(trader, target.order_id, 105)

    trader.fill(entry, 10)  # the pair that fired is on its way: these ten have one of their own

    first, second = {leg.group_id for leg in legs(trader, entry)}
    assert {leg.quantity for leg in alive(trader, max(first or 0, second or 0)).values()} == {10}
    trader.cancel(entry)
    trader.told(entry, "4", request=1)
    trader.fill(target.order_id, 50, 105)
    assert [leg.quantity for leg in legs(trader, entry) if leg.status == "TRIGGER_PENDING"] == [
        10,
        10,
    ]


def test_the_exits_of_a_short_position_buy(new_trader: NewTrader) -> None:
    trader = new_trader()
    entry = bracket(trader, Side.SELL, 40, 100, stop=105, target=95, product=Product.MIS)
    trader.fill(entry, 40)
    stop, target = legs(trader, entry)
    assert (stop.side, target.side) == ("BUY", "BUY")
    held = trader.funds().held
    assert release(trader, target.order_id, 94).outcome == "RELEASED"
    assert trader.funds().held == held  # what only closes needs no margin of its own
    trader.fill(target.order_id, 40, 94)
    assert trader.order(stop.order_id).status == "CANCELLED"
    assert trader.funds().held == 0


def test_of_both_legs_asked_for_at_once_one_is_let_go(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = owner_of(new_trader)
    stop, target = pair(trader, Side.SELL, 100, stop=95, target=105)
    other = Shards(ledger_databases.urls(APPLICATION), "race")
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def fire(shards: Shards, order_id: int, rupees: float) -> None:
        racer = Trader.__new__(Trader)
        racer.__dict__.update(trader.__dict__, shards=shards)
        together.wait(60)
        outcomes.append(release(racer, order_id, rupees).outcome)

    racers = [
        threading.Thread(target=fire, args=(trader.shards, stop, 94)),
        threading.Thread(target=fire, args=(other, target, 106)),
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    other.close()
    assert outcomes.count("RELEASED") == 1
    assert len(at_venue(trader, stop)) == 1


def test_a_trailing_stop_follows_by_steps_and_never_back(new_trader: NewTrader) -> None:
    trader = owner_of(new_trader)
    order = trailing_stop(trader, Side.SELL, 10, 5)
    assert not trail(trader, order, 100.45)  # not a step
    assert trail(trader, order, 104)
    assert trader.order(order).trigger_price == price(99)
    assert not trail(trader, order, 101)
    assert release(trader, order, 99.5).outcome == "NOT_DUE"
    assert causes(trader, order) == ["TRAILED"]
    assert release(trader, order, 98.5).outcome == "RELEASED"
    assert not trail(trader, order, 110)
    buy = trailing_stop(trader, Side.BUY, 10, 5)
    assert trail(trader, buy, 99.5)
    assert trader.order(buy).trigger_price == price(104.5)
    assert trader.order(buy).trail == price(5)


def test_the_tables_of_linked_exits_are_what_their_events_say(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = owner_of(new_trader)
    stop, _ = pair(trader, Side.SELL, 60, stop=95, target=105)
    bracket_entry = bracket(trader, Side.BUY, 10, 100, stop=95, target=105)
    trader.fill(bracket_entry, 4)
    release(trader, stop, 94)
    trader.fill(stop, 10, 94)
    trail(trader, trailing_stop(trader, Side.BUY, 1, 5), 99)
    assert rebuild_ledger.run(ledger_databases.urls(OWNER)).problems == []
