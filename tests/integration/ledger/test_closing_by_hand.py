"""An intraday position is closed by hand while its exits wait: they give way, and nothing flips."""

from collections.abc import Callable

import pytest

from functions.shared.domain.orders import Product, Side
from infra.command import rebuild_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, Trader
from tests.support.linked_exits import alive, bracket, causes, pair
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import modify_stop, release, stopped

MIS = Product.MIS


def net(trader: Trader) -> int:
    rows = trader.database().run(
        "SELECT net FROM ledger.position WHERE user_id = :u", u=trader.user_id
    )
    return int(rows[0][0])


def closes(trader: Trader, order: int) -> bool:
    rows = trader.database().run("SELECT stance FROM ledger.orders WHERE order_id = :o", o=order)
    return bool(rows[0][0] == "CLOSES")


def with_bracket(trader: Trader, entry: Side) -> int:
    stop, target = (95, 105) if entry is Side.BUY else (105, 95)
    order = bracket(trader, entry, 3000, 100, stop, target, MIS)
    trader.fill(order, 3000)
    return next(leg.order_id for leg in alive(trader, order).values() if leg.leg == "STOP")


def with_pair(trader: Trader, entry: Side) -> int:
    trader.fill(trader.buy(3000, product=MIS), 3000)
    return pair(trader, Side.SELL, 3000, 95, 105, MIS)[0]


def with_stop(trader: Trader, entry: Side) -> int:
    if entry is Side.BUY:
        trader.fill(trader.buy(3000, product=MIS), 3000)
        return stopped(trader, Side.SELL, 3000, 95, product=MIS)
    trader.fill(trader.sell(3000, product=MIS), 3000)
    return stopped(trader, Side.BUY, 3000, 105, product=MIS)


@pytest.mark.parametrize(
    ("entry", "opened"),
    [(Side.BUY, with_bracket), (Side.SELL, with_bracket), (Side.BUY, with_pair),
     (Side.BUY, with_stop), (Side.SELL, with_stop)],
)  # fmt: skip
def test_closing_by_hand_needs_no_margin_and_takes_the_exits_with_it(
    new_trader: NewTrader, entry: Side, opened: Callable[[Trader, Side], int]
) -> None:
    """The margin of 3,000 shares at 100 rupees is 60,000 of the account's 100,000."""
    trader = new_trader(LAKH)
    stop = opened(trader, entry)
    held = trader.funds().held
    other = Side.SELL if entry is Side.BUY else Side.BUY
    out = trader.place(other, 3000, None, product=MIS)
    assert (out.outcome, trader.funds().held) == ("ACCEPTED", held), out.rules
    assert out.order is not None
    trader.fill(out.order.order_id, 1000)
    assert (trader.order(stop).quantity, causes(trader, stop)[-1]) == (2000, "POSITION_CLOSED")
    trader.fill(out.order.order_id, 3000 - 1000)
    assert (trader.order(stop).status, trader.order(stop).reason_code) == (
        "CANCELLED", "POSITION_CLOSED",
    )  # fmt: skip
    assert (net(trader), trader.funds().held) == (0, 0)
    assert release(trader, stop, 94 if entry is Side.BUY else 106).outcome == "NOT_WAITING"


@pytest.mark.parametrize("opened", [with_bracket, with_stop])
def test_an_exit_that_fires_takes_the_place_of_what_closes_by_hand(
    new_trader: NewTrader,
    ledger_databases: ShardsUnderTest,
    opened: Callable[[Trader, Side], int],
) -> None:
    """A limit far away must neither keep the stop from firing nor be filled beside it."""
    trader = new_trader(LAKH)
    stop = opened(trader, Side.BUY)
    far = trader.sell(3000, 110, MIS)
    trader.told(far, "0")
    put_off = release(trader, stop, 94)
    assert (put_off.outcome, put_off.rules[0]["code"]) == ("PUT_OFF", "EXIT_WAITS")
    assert release(trader, stop, 94).outcome == "PUT_OFF"  # asked again before the venue answers
    assert trader.order(far).pending_change == "CANCEL"
    trader.told(far, "4", request=1)
    assert trader.order(far).reason_code == "EXIT_FIRED"
    assert release(trader, stop, 94).outcome == "RELEASED"
    trader.fill(stop, 3000, 94)
    assert (net(trader), trader.funds().held) == (0, 0)
    assert rebuild_ledger.run(ledger_databases.urls(OWNER)).problems == []


def test_what_closes_by_hand_may_be_filled_before_it_gives_way(new_trader: NewTrader) -> None:
    trader = new_trader(LAKH)
    stop = with_stop(trader, Side.BUY)
    far = trader.sell(3000, 110, MIS)
    assert release(trader, stop, 94).outcome == "PUT_OFF"
    trader.fill(far, 3000, 110)
    assert (trader.order(stop).reason_code, net(trader)) == ("POSITION_CLOSED", 0)


def test_a_stop_for_more_than_is_open_keeps_margin_and_is_left_alone(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(LAKH)
    trader.fill(trader.buy(100, product=MIS), 100)
    held = trader.funds().held
    reverse = stopped(trader, Side.SELL, 300, 95, product=MIS)
    assert (closes(trader, reverse), trader.funds().held > held) == (False, True)
    modify_stop(trader, reverse, 100, 95)
    assert (closes(trader, reverse), trader.funds().held) == (True, held)
    modify_stop(trader, reverse, 300, 94)
    assert (closes(trader, reverse), trader.funds().held > held) == (False, True)
    trader.fill(trader.sell(100, None, MIS), 100)
    assert trader.order(reverse).quantity == 300


def test_several_stops_may_wait_for_the_same_shares(new_trader: NewTrader) -> None:
    trader = new_trader(LAKH)
    trader.fill(trader.buy(100, product=MIS), 100)
    held = trader.funds().held
    near, far = (stopped(trader, Side.SELL, 100, at, product=MIS) for at in (97, 95))
    assert trader.funds().held == held
    assert release(trader, near, 94).outcome == "RELEASED"
    assert release(trader, far, 94).outcome == "PUT_OFF"
    trader.fill(near, 40, 94)
    assert trader.order(far).quantity == 60
    trader.told(near, "4")  # the venue ended it: the other is there for the rest
    assert release(trader, far, 94).outcome == "RELEASED"
    trader.fill(far, 60, 94)
    assert (net(trader), trader.funds().held) == (0, 0)
