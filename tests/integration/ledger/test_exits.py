"""Who wanted out at the market and rests at the protected price is told so, once."""

from datetime import timedelta

from functions.shared.bookkeeping.exits import RestingExit, alert, resting_exits
from functions.shared.bookkeeping.squaring_off import OrderOf
from functions.shared.domain.orders import Product
from functions.shared.wire.events import UserEvent, decode_body, render_event
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import Trader


def resting(trader: Trader) -> list[int]:
    """The trader's exits that the schedule would find now."""
    found: list[RestingExit] = []
    after = 0
    while page := resting_exits(trader.database(), after, timedelta()):
        found, after = found + page, page[-1].order_id
    return [each.order_id for each in found if each.user_id == trader.user_id]


def tell(trader: Trader, order: int) -> bool:
    return alert(trader.shards, OrderOf(trader.user_id, order), trader.today, trader.now)


def test_a_market_sell_that_rests_is_told_of_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    order = trader.sell(10, None)
    assert resting(trader) == []  # the venue has not answered yet
    trader.told(order, "0")
    trader.fill(order, 4, 99)
    assert resting(trader) == [order]
    held = trader.funds().held
    assert [tell(trader, order), tell(trader, order)] == [True, False]
    assert resting(trader) == []
    assert (trader.kinds().count("EXIT_UNFILLED"), trader.funds().held) == (1, held)
    seq, kind, body = trader.database().run(
        "SELECT seq, kind, body FROM ledger.ledger_event WHERE user_id = :u"
        " ORDER BY seq DESC LIMIT 1",
        u=trader.user_id,
    )[0]
    event = UserEvent(user_id=trader.user_id, user_seq=seq, kind=kind, at=0, body=decode_body(body))
    told = render_event(event)[-1]
    assert (told["type"], told["code"], told["user_seq"]) == ("alert", "EXIT_UNFILLED", seq)
    assert (told["remaining_quantity"], told["price"]) == (6, "99.00")


def test_an_exit_that_was_filled_meanwhile_is_not_told_of(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    order = trader.sell(10, None)
    trader.told(order, "0")
    trader.fill(order, 10, 99)
    assert (resting(trader), tell(trader, order)) == ([], False)


def test_what_closes_a_position_is_an_exit_and_what_opens_one_is_not(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    opening = trader.buy(10, None, Product.MIS)
    trader.told(opening, "0")
    assert (resting(trader), tell(trader, opening)) == ([], False)
    trader.fill(opening, 10, 100)
    closing = trader.sell(10, None, Product.MIS)
    trader.told(closing, "0")
    assert resting(trader) == [closing]


def test_a_limit_of_the_clients_own_is_left_to_the_client(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    order = trader.sell(10, 120)
    trader.told(order, "0")
    assert (resting(trader), tell(trader, order)) == ([], False)
