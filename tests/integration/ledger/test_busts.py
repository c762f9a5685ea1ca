"""Trades that the venue takes back or corrects: everything a fill did is undone, or nothing is."""

import pytest

from functions.shared.bookkeeping import reading
from functions.shared.bookkeeping.applying import Applied
from functions.shared.domain.orders import Product
from functions.shared.wire.events import FundsFacts
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, RUPEE, TODAY, Trader, price
from tests.support.postgres import ShardsUnderTest

MIS = Product.MIS


def bust(trader: Trader, order: int, trade: str, status: str, **changes: object) -> Applied:
    return trader.told(order, "H", exec_ref=trade, ord_status=status, **changes)


def correct(
    trader: Trader,
    order: int,
    trade: str,
    quantity: int,
    rupees: float,
    status: str,
    **more: object,
) -> Applied:
    fields = {"last_quantity": quantity, "last_price": price(rupees), **more}
    return trader.told(order, "G", exec_ref=trade, ord_status=status, **fields)


def state(trader: Trader) -> tuple[object, ...]:
    """Funds, apart from how often they changed, shares and positions."""
    funds = trader.funds()
    names = [name for name in FundsFacts.__struct_fields__ if name != "seq"]
    positions = trader.database().run(
        "SELECT net, open_value, realised FROM ledger.position WHERE user_id = :u AND net <> 0",
        u=trader.user_id,
    )
    lots = trader.database().run(
        "SELECT lot, quantity, cost FROM ledger.holding_lot WHERE user_id = :u ORDER BY lot",
        u=trader.user_id,
    )
    return [getattr(funds, name) for name in names], positions, lots, trader.holding()


def test_a_busted_buy_gives_back_its_money_its_charges_and_takes_its_shares(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(7, 90)
    order = trader.buy(10)
    trader.told(order, "0")
    before = state(trader)
    trader.fill(order, 4, 99, exec_id="B1")
    assert bust(trader, order, "B1", "0", text="clearly erroneous").outcome == "APPLIED"
    assert state(trader) == before
    found = trader.order(order)
    assert (found.status, found.filled_quantity, found.traded_value) == ("OPEN", 0, 0)
    assert (found.reason_code, found.reason) == ("TRADE_BUSTED", "clearly erroneous")
    assert trader.kinds()[-1] == "FILL_BUSTED"
    assert reading.fills(trader.shards, trader.user_id, order) == []


def test_a_filled_order_is_what_the_venue_says_after_a_bust(new_trader: NewTrader) -> None:
    """Appendix D, J.1.a, opens it again; ours ends it (infra/fix)."""
    trader = new_trader()
    reopened, ended = trader.buy(10), trader.buy(10)
    for order, trade in ((reopened, "R1"), (ended, "R2")):
        trader.fill(order, 6, exec_id=trade)
        trader.fill(order, 4)
    held = trader.funds().held
    bust(trader, reopened, "R1", "1")
    bust(trader, ended, "R2", "4")
    assert trader.order(reopened).status == "PARTIALLY_FILLED"
    assert trader.order(ended).status == "CANCELLED"
    assert trader.funds().held > held == 0
    trader.fill(reopened, 6)
    assert (trader.order(reopened).status, trader.funds().held) == ("FILLED", 0)


def test_a_busted_sale_returns_the_shares_to_the_lots_they_came_from(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(5, 90)
    trader.settle()
    trader.own(5, 95)
    order = trader.sell(8, 110)
    trader.told(order, "0")
    before = state(trader)
    trader.fill(order, 8, 110, exec_id="S1")
    assert trader.funds().unsettled > trader.funds().blocked > 0
    bust(trader, order, "S1", "0")
    assert state(trader) == before


def test_a_sale_whose_proceeds_were_spent_leaves_a_loan_when_it_is_busted(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(funds=1_100 * RUPEE)
    trader.own(10, 100)
    trader.settle()
    sold = trader.sell(10, 110)
    trader.fill(sold, 10, 110, exec_id="P1")
    spent = trader.buy(8, 100)
    trader.fill(spent, 8, 100)
    bust(trader, sold, "P1", "4")
    funds, holding = trader.funds(), trader.holding()
    assert (funds.cash, funds.unsettled) == (0, 0)
    assert funds.borrowed > 0
    assert holding is not None
    assert holding.quantity == 18


def test_money_that_was_to_settle_is_to_settle_again_when_what_it_bought_is_busted(
    new_trader: NewTrader,
) -> None:
    trader = new_trader(funds=1_100 * RUPEE)
    trader.own(10, 100)
    trader.settle()
    trader.fill(trader.sell(10, 110), 10, 110)
    order = trader.buy(8, 100)
    before = trader.funds()
    trader.fill(order, 8, 100, exec_id="D1")
    assert trader.funds().unsettled < before.unsettled
    bust(trader, order, "D1", "4")
    after = trader.funds()
    assert (after.unsettled, after.blocked, after.cash) == (
        before.unsettled, before.blocked, before.cash,
    )  # fmt: skip


def test_an_intraday_position_is_what_its_other_trades_make_it(new_trader: NewTrader) -> None:
    trader = new_trader()
    first, second = trader.buy(10, 100, MIS), trader.sell(6, 110, MIS)
    trader.fill(first, 10, 100, exec_id="M1")
    trader.told(second, "0")
    without = state(trader)
    trader.fill(second, 6, 110, exec_id="M2")
    assert trader.funds().blocked > 0
    bust(trader, second, "M2", "0")
    assert state(trader) == without
    trader.fill(second, 6, 110)
    bust(trader, first, "M1", "4")
    assert state(trader)[1] == [[-6, 660 * RUPEE, 0]]


def test_a_sale_that_lacked_shares_is_taken_back_from_its_short_position(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10, 100)
    late, order = trader.sell(10, 100), 0
    trader.told(late, "4")
    trader.settle()
    order = trader.sell(7, 100)
    trader.fill(order, 7, 100)
    late = trader.sell(3, 100)
    trader.told(late, "4")
    trader.fill(trader.sell(3, 100), 3, 100)
    before = state(trader)
    trader.fill(late, 3, 100, exec_id="L1")
    assert state(trader)[1] != []
    bust(trader, late, "L1", "4")
    assert state(trader) == before


def test_a_corrected_trade_is_booked_anew(new_trader: NewTrader) -> None:
    trader, other = new_trader(), new_trader()
    order, same = trader.buy(10), other.buy(10)
    trader.fill(order, 10, 99, exec_id="C1")
    assert correct(trader, order, "C1", 9, 98, "4", exec_id="C2").outcome == "APPLIED"
    other.fill(same, 9, 98)
    other.told(same, "4")
    assert trader.kinds()[-2:] == ["FILL_BUSTED", "FILL"]
    found = trader.order(order)
    assert (found.status, found.filled_quantity) == ("CANCELLED", 9)
    assert trader.funds().cash == other.funds().cash
    assert [fill.exec_id for fill in reading.fills(trader.shards, trader.user_id, order)] == ["C2"]
    # A second correction may name the trade's first report, or the correction before it.
    assert correct(trader, order, "C1", 9, 97, "4", exec_id="C3").outcome == "APPLIED"
    assert bust(trader, order, "C3", "4").outcome == "APPLIED"
    assert trader.funds().cash == LAKH


@pytest.mark.parametrize("again", ["H", "G"])
def test_a_bust_or_a_correction_told_twice_is_booked_once(
    new_trader: NewTrader, again: str
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 10, 99, exec_id=f"T{again}")
    report = trader.report(
        order, again, exec_ref=f"T{again}", ord_status="4", last_quantity=9, last_price=price(98)
    )
    assert trader.apply(report).outcome == "APPLIED"
    after = trader.funds()
    assert trader.apply(report).outcome == "DUPLICATE"
    assert trader.funds() == after


def test_what_cannot_be_undone_exactly_is_parked_and_changes_nothing(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 10, exec_id="X1")
    trader.fill(trader.sell(4), 4)
    before = state(trader)
    told = bust(trader, order, "X1", "4")
    assert (told.outcome, told.why) == ("PARKED", "BUSTED_SHARES_SOLD")
    assert state(trader) == before

    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 10, exec_id="X2")
    told = bust(trader, order, "X0", "4")
    assert (told.outcome, told.why) == ("PARKED", "NO_SUCH_TRADE")

    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 10, exec_id="X3")
    bust(trader, order, "X3", "4")
    told = bust(trader, order, "X3", "4")
    assert (told.outcome, told.why) == ("PARKED", "NO_SUCH_TRADE")

    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 10, exec_id="X4")
    trader.settle()
    told = bust(trader, order, "X4", "4", trade_date=TODAY.isoformat())
    assert (told.outcome, told.why) == ("PARKED", "AMENDED_AFTER_ITS_DAY")


def test_what_was_taken_back_is_rebuilt_from_the_log(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    trader.own(5, 90)
    order, sold = trader.buy(10), trader.sell(4)
    trader.fill(order, 10, exec_id="Y1")
    trader.fill(sold, 4, exec_id="Y2")
    intraday = trader.buy(3, 100, MIS)
    trader.fill(intraday, 3, 100, exec_id="Y3")
    trader.fill(trader.sell(3, 110, MIS), 3, 110)
    correct(trader, intraday, "Y3", 2, 99, "4")
    bust(trader, sold, "Y2", "0")
    bust(trader, order, "Y1", "0")
    report = verify_ledger.run(ledger_databases.urls(OWNER))
    assert [p for p in report.problems if "parked reports" not in p] == []
    assert rebuild_ledger.run(ledger_databases.urls(OWNER)).problems == []
