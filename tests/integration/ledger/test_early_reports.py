"""Reports that come before one they follow from, and endings that never come."""

from dataclasses import replace
from datetime import timedelta

from functions.shared.bookkeeping import placing
from functions.shared.bookkeeping.renewing import left_over
from functions.shared.domain.orders import Side, Validity
from functions.shared.domain.waiting import Terms
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import Trader
from tests.support.postgres import ShardsUnderTest


def gtc(trader: Trader, quantity: int = 10) -> int:
    wanted = replace(
        trader.placement(Side.BUY, quantity),
        validity=Validity.GTC,
        terms=Terms(None, trader.now + timedelta(days=90)),
    )
    placed = placing.place(trader.shards, wanted)
    assert placed.order is not None
    return placed.order.order_id


def placed_again(trader: Trader) -> dict[int, int]:
    """Quantities by order, of the trader's GTC orders that go on."""
    left = left_over(trader.database(), trader.now + timedelta(days=1))
    return {x.order_id: x.quantity for x in left if x.user_id == trader.user_id}


def find_nothing_wrong(databases: ShardsUnderTest) -> None:
    """Besides reports that other tests of these databases have parked."""
    problems = verify_ledger.run(databases.urls(OWNER)).problems
    assert [problem for problem in problems if "parked reports" not in problem] == []
    assert rebuild_ledger.run(databases.urls(OWNER)).problems == []


def test_a_fill_of_a_changed_order_says_that_the_change_was_accepted(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    """By its ClOrdID, or by what it leaves open; the Replaced that comes later says nothing new."""
    for request, status in ((1, "1"), (0, "1"), (1, "0")):
        trader = new_trader()
        order = trader.buy(10)
        trader.told(order, "0")
        trader.modify(order, 20, 101)
        replaced = trader.report(order, "5", request=1)
        fill = trader.fill(order, 10, request=request, ord_status=status, cumulative_quantity=10)
        assert fill.outcome == "APPLIED"
        assert trader.kinds()[-2:] == ["ORDER_REPLACED", "FILL"]
        assert trader.apply(replaced).outcome == "NOTHING"
        found = trader.order(order)
        assert (found.status, found.quantity) == ("PARTIALLY_FILLED", 20)
        held = trader.funds().held
        trader.fill(order, 10, 101, request=1)
        assert held > 0
        assert (trader.order(order).status, trader.funds().held) == ("FILLED", 0)
    find_nothing_wrong(ledger_databases)


def test_a_fill_that_was_on_its_way_leaves_a_change_open(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "0")
    trader.modify(order, 20, 100)
    trader.fill(order, 4, ord_status="1")
    assert trader.order(order).pending_change == "MODIFY"
    trader.fill(order, 6, ord_status="2")
    assert trader.order(order).status == "FILLED"


def test_an_order_that_ends_with_its_change_ends_as_changed(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = gtc(trader)
    trader.told(order, "0")
    trader.modify(order, 20, 100)
    trader.told(order, "C", request=1)
    assert (trader.order(order).status, placed_again(trader)) == ("EXPIRED", {order: 20})


def test_an_ending_waits_for_the_fills_it_counts(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    order = gtc(trader)
    trader.told(order, "0")
    held = trader.funds().held
    ending = trader.report(order, "C", ord_status="C", cumulative_quantity=6)
    for _ in range(2):
        told = trader.apply(ending)
        assert (told.outcome, told.why) == ("WAITING", "BEFORE_ITS_FILLS")
    assert (trader.order(order).status, trader.funds().held) == ("OPEN", held)
    assert placed_again(trader) == {}
    missing = trader.fill(order, 2, cumulative_quantity=6)
    assert (missing.outcome, missing.why) == ("APPLIED", "MISSING_FILLS")
    assert trader.order(order).status == "PARTIALLY_FILLED"
    find_nothing_wrong(ledger_databases)
    trader.fill(order, 4, cumulative_quantity=4)
    assert trader.kinds()[-2:] == ["FILL", "ORDER_EXPIRED"]
    assert (trader.order(order).status, trader.funds().held) == ("EXPIRED", 0)
    assert placed_again(trader) == {order: 4}
    assert trader.apply(ending).outcome == "DUPLICATE"
    find_nothing_wrong(ledger_databases)


def test_an_order_that_the_venue_lost_ends_when_its_day_is_over(new_trader: NewTrader) -> None:
    """Its ending never came. What it traded nobody knows, so that a GTC order is not placed again;
    a fill that the drop copy tells later is booked."""
    trader = new_trader()
    order = gtc(trader)
    trader.told(order, "0")
    trader.fill(order, 2, exec_id="L1")
    unknown = {"ord_status": "8", "reject_code": 5}
    assert trader.told(order, "I", **unknown).outcome == "NOTHING"
    assert trader.order(order).status == "PARTIALLY_FILLED"
    day = trader.today.isoformat()
    trader.settle()
    assert trader.told(order, "I", **unknown).outcome == "APPLIED"
    found = trader.order(order)
    assert (found.status, found.reason_code) == ("EXPIRED", "LOST_AT_VENUE")
    assert (trader.funds().held, placed_again(trader)) == (0, {})
    late = trader.told(order, "C", ord_status="C", trade_date=day, cumulative_quantity=5)
    assert late.outcome == "NOTHING"
    assert trader.fill(order, 3, exec_id="L2", trade_date=day).outcome == "APPLIED"
    assert (trader.order(order).status, trader.order(order).filled_quantity) == ("EXPIRED", 5)


def test_the_cancel_of_an_order_that_the_venue_lost_ends_it_when_its_day_is_over(
    new_trader: NewTrader,
) -> None:
    """Also one whose ending waits for fills that never come."""
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "0")
    trader.told(order, "C", ord_status="C", cumulative_quantity=4)
    day = trader.today.isoformat()
    trader.cancel(order)
    trader.told(order, "9", request=1, exec_id="", reject_code=1)
    assert trader.order(order).status == "OPEN"
    trader.settle()
    trader.cancel(order)
    trader.told(order, "9", request=2, exec_id="", reject_code=1)
    assert (trader.order(order).status, trader.funds().held) == ("CANCELLED", 0)
    assert (
        trader.database().run("SELECT FROM ledger.early_ending WHERE order_id = :o", o=order) == []
    )
    late = trader.told(order, "C", ord_status="C", trade_date=day)
    assert late.outcome == "NOTHING"


def test_a_gtc_order_that_a_halt_refused_goes_on(new_trader: NewTrader) -> None:
    trader = new_trader()
    halted, wrong = gtc(trader), gtc(trader)
    trader.told(halted, "8", ord_status="8", reject_code=2, text="trading is halted")
    trader.told(wrong, "8", ord_status="8", reject_code=3)
    assert placed_again(trader) == {halted: 10}


def test_a_filled_order_has_no_reason_of_a_trade_that_was_made_good(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "0")
    trader.fill(order, 5, exec_id="M3")
    trader.told(order, "H", exec_ref="M3", ord_status="0")
    assert trader.order(order).reason_code == "TRADE_BUSTED"
    trader.fill(order, 10)
    found = trader.order(order)
    assert (found.status, found.reason_code, found.reason) == ("FILLED", None, None)
