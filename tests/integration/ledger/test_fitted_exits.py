"""Exits when a trade is taken back, or another order closes their position: for what is there."""

import pytest

from functions.shared.domain.orders import Product, Side
from infra.command import rebuild_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, Trader, price
from tests.support.linked_exits import alive, bracket, causes, legs, pair
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import release


def entered(
    trader: Trader, exec_id: str, quantity: int = 10, product: Product = Product.CNC
) -> int:
    """An entry at 100 with exits at 95 and 105, filled by one trade."""
    entry = bracket(trader, Side.BUY, quantity, 100, 95, 105, product)
    trader.told(entry, "0")
    trader.fill(entry, quantity, 100, exec_id=exec_id)
    return entry


def take_back(trader: Trader, order: int, exec_id: str, status: str) -> None:
    assert trader.told(order, "H", exec_ref=exec_id, ord_status=status).outcome == "APPLIED"


def rests(trader: Trader, order: int) -> dict[str, int]:
    return {name: leg.quantity - leg.filled_quantity for name, leg in alive(trader, order).items()}


@pytest.mark.parametrize("product", Product)
def test_exits_of_a_busted_entry_end_and_keep_nothing(
    new_trader: NewTrader, product: Product
) -> None:
    trader = new_trader(3 * LAKH)
    trader.own(10)  # shares, and a position, that no exit was ever for
    trader.fill(trader.buy(10, product=Product.MIS), 10)
    before = trader.funds()
    entry = entered(trader, f"E{product}", product=product)
    take_back(trader, entry, f"E{product}", "4")
    ended = legs(trader, entry)
    assert [(leg.status, leg.reason_code) for leg in ended] == [("CANCELLED", "ENTRY_BUSTED")] * 2
    assert causes(trader, ended[0].order_id) == ["ENTRY_FILLED", "ENTRY_BUSTED"]
    assert release(trader, ended[0].order_id, 94).outcome == "NOT_WAITING"
    assert (trader.funds().held, trader.funds().cash) == (before.held, before.cash)


def test_an_entry_that_fills_again_has_exits_once(new_trader: NewTrader) -> None:
    trader = new_trader(3 * LAKH)
    entry = bracket(trader, Side.BUY, 20, 100, 95, 105)
    trader.told(entry, "0")
    trader.fill(entry, 10, exec_id="F1")
    take_back(trader, entry, "F1", "0")
    trader.fill(entry, 20, exec_id="F2")
    assert rests(trader, entry) == {"STOP": 20, "TARGET": 20}
    trader.told(
        entry, "G", exec_ref="F2", ord_status="4", last_quantity=4, last_price=price(100)
    )  # fmt: skip
    assert rests(trader, entry) == {"STOP": 4, "TARGET": 4}


def test_an_exit_at_the_venue_that_is_for_too_much_waits_again_for_what_is_left(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(3 * LAKH)
    entry = entered(trader, "V1", 10, Product.MIS)
    first, second = legs(trader, entry)
    release(trader, first.order_id, 94)
    trader.told(
        entry, "G", exec_ref="V1", ord_status="4", last_quantity=4, last_price=price(100)
    )  # fmt: skip
    assert trader.order(first.order_id).pending_change == "CANCEL"
    trader.told(first.order_id, "4", request=1)
    assert rests(trader, entry) == {"STOP": 4, "TARGET": 4}
    again = alive(trader, entry)["STOP"].order_id
    trader.cancel(second.order_id)
    assert alive(trader, entry) == {}
    assert trader.order(again).reason_code == "SIBLING_CANCELLED"


def test_a_busted_exit_is_to_exit_those_shares_still(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    stop, target = pair(trader, Side.SELL, 10, stop=95, target=105)
    release(trader, target, 105)
    trader.fill(target, 4, exec_id="X1")
    assert trader.order(stop).quantity == 6
    take_back(trader, target, "X1", "0")
    assert rests(trader, stop) == {"STOP": 10, "TARGET": 10}
    assert release(trader, stop, 94).outcome == "NOT_DUE"

    trader.fill(target, 10, exec_id="X2")
    assert alive(trader, stop) == {}
    take_back(trader, target, "X2", "0")  # open at the venue again: another stop stands by
    assert rests(trader, stop) == {"STOP": 10, "TARGET": 10}

    trader.fill(target, 10, exec_id="X3")
    take_back(trader, target, "X3", "4")  # over at the venue: both wait
    assert {leg.status for leg in alive(trader, stop).values()} == {"TRIGGER_PENDING"}
    assert rests(trader, stop) == {"STOP": 10, "TARGET": 10}
    assert trader.place(Side.SELL, 1).outcome == "DENIED"


def test_exits_that_were_cancelled_do_not_come_back_with_a_bust(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    stop, target = pair(trader, Side.SELL, 10, stop=95, target=105)
    release(trader, target, 105)
    trader.fill(target, 4, exec_id="C1")
    trader.cancel(stop)
    trader.told(target, "4", request=1)
    take_back(trader, target, "C1", "4")
    assert alive(trader, stop) == {}
    assert trader.place(Side.SELL, 10).outcome == "ACCEPTED"


def test_exits_of_a_position_that_was_closed_by_hand_end_and_keep_no_margin(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader(3 * LAKH)
    older, newer = (entered(trader, f"P{n}", 50, Product.MIS) for n in range(2))
    trader.fill(trader.sell(70, None, product=Product.MIS), 70)
    assert (rests(trader, older), rests(trader, newer)) == ({"STOP": 30, "TARGET": 30}, {})
    fired = alive(trader, older)["STOP"].order_id
    release(trader, fired, 94)
    trader.fill(trader.sell(30, None, product=Product.MIS), 30)
    assert trader.order(fired).pending_change == "CANCEL"
    trader.told(fired, "4", request=1)
    assert alive(trader, older) == {}
    assert {leg.reason_code for leg in legs(trader, newer)} == {"POSITION_CLOSED"}
    assert trader.funds().held == 0
    assert rebuild_ledger.run(ledger_databases.urls(OWNER)).problems == []
