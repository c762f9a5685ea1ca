"""What the venue says, applied on a real PostgreSQL: once, in the order's life, to the paisa."""

import msgspec
import pytest

from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.money import value_of
from functions.shared.domain.orders import Product, Side
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, RUPEE, TODAY, Trader, price, verdict

YESTERDAY = "2026-07-09"


def charged(side: Side, value: int) -> int:
    return sum(charges_on(value, charge_rates(Product.CNC, "NSE", side, TODAY).rates))


def worth(quantity: int, rupees: float = 100) -> int:
    return value_of(quantity, price(rupees))


def cost(quantity: int, rupees: float = 100) -> int:
    return verdict(Side.BUY, quantity, rupees).reserved


def held(trader: Trader) -> int:
    return trader.funds().held


def test_a_filled_buy_turns_its_hold_into_shares_and_charges(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10, 101)
    trader.told(order, "0")
    assert trader.order(order).status == "OPEN"
    assert trader.fill(order, 10, 99.5).outcome == "APPLIED"
    value = worth(10, 99.5)
    funds, holding = trader.funds(), trader.holding()
    assert funds.cash == LAKH - value - charged(Side.BUY, value)
    assert funds.held == 0
    assert holding is not None
    assert (holding.quantity, holding.cost, holding.bought_today) == (10, value, 10)
    found = trader.order(order)
    assert (found.status, found.filled_quantity, found.traded_value) == ("FILLED", 10, value)


def test_a_part_fill_keeps_the_rest_on_hold(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 4)
    assert trader.order(order).status == "PARTIALLY_FILLED"
    assert held(trader) == -(-cost(10) * 6 // 10)


def test_many_small_fills_cost_what_one_large_fill_does(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    for _ in range(10):
        trader.fill(order, 1)
    assert trader.funds().cash == LAKH - worth(10) - charged(Side.BUY, worth(10))
    assert trader.order(order).status == "FILLED"


@pytest.mark.parametrize(
    ("exec_type", "status"), [("4", "CANCELLED"), ("8", "REJECTED"), ("C", "EXPIRED")]
)
def test_an_ended_order_releases_its_hold(
    new_trader: NewTrader, exec_type: str, status: str
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "0")
    trader.told(order, exec_type)
    assert trader.order(order).status == status
    assert held(trader) == 0


def test_a_cancel_after_a_part_fill_releases_only_what_is_left(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 4)
    trader.cancel(order)
    trader.told(order, "4", request=1)
    found = trader.order(order)
    assert (found.status, found.filled_quantity, found.pending_change) == ("CANCELLED", 4, None)
    assert held(trader) == 0
    assert trader.funds().cash == LAKH - worth(4) - charged(Side.BUY, worth(4))


def test_a_cancelled_sell_gives_its_shares_back(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    order = trader.sell(10)
    trader.fill(order, 3)
    trader.told(order, "4")
    holding = trader.holding()
    assert holding is not None
    assert (holding.quantity, holding.open_sell) == (7, 0)


def test_a_sale_brings_its_value_less_charges_and_is_unsettled_today(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    before = trader.funds().cash
    trader.fill(trader.sell(10), 10, 110)
    net = worth(10, 110) - charged(Side.SELL, worth(10, 110))
    assert trader.funds().cash == before + net
    assert trader.funds().unsettled == net
    assert trader.holding() is None


def test_a_late_fill_of_yesterday_leaves_todays_proceeds_unsettled(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    late, order = trader.sell(5), trader.sell(5)
    trader.fill(order, 5)
    today = trader.funds().unsettled
    trader.fill(late, 5, trade_date=YESTERDAY)
    assert trader.funds().unsettled == today > 0


def test_a_sale_takes_the_cost_in_proportion_and_the_last_share_takes_the_rest(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(3, 83.35)
    for left in (2, 1):
        trader.fill(trader.sell(1), 1)
        holding = trader.holding()
        assert holding is not None
        assert abs(holding.cost * 3 - worth(3, 83.35) * left) <= 3
    trader.fill(trader.sell(1), 1)
    assert trader.holding() is None


def test_a_report_told_twice_is_applied_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    report = trader.report(order, "F", last_quantity=4, last_price=price(100))
    assert trader.apply(report).outcome == "APPLIED"
    after = trader.funds()
    resent = msgspec.structs.replace(report, position=report.position + 100_000)
    assert trader.apply(report).outcome == "DUPLICATE"
    assert trader.apply(resent).outcome == "DUPLICATE"
    assert trader.funds() == after


def test_a_fill_that_overtakes_its_acknowledgement_opens_nothing_again(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 10)
    assert trader.told(order, "0").outcome == "NOTHING"
    assert trader.order(order).status == "FILLED"


def test_a_fill_behind_its_cancel_is_still_booked(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "4")
    assert trader.fill(order, 4).outcome == "APPLIED"
    found = trader.order(order)
    assert (found.status, found.filled_quantity) == ("CANCELLED", 4)
    assert held(trader) == 0
    assert trader.fill(order, 6).outcome == "APPLIED"
    assert trader.order(order).status == "FILLED"


@pytest.mark.parametrize("ended", ["", "F", "4"])
def test_more_than_was_ordered_is_booked_and_told_by_an_event_of_its_own(
    new_trader: NewTrader, ended: str
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    if ended == "F":
        trader.fill(order, 10)
    elif ended:
        trader.told(order, ended)
    filled = 10 if ended == "F" else 0
    assert trader.fill(order, 13 - filled).outcome == "APPLIED"
    found, holding = trader.order(order), trader.holding()
    assert (found.status, found.quantity, found.filled_quantity) == ("FILLED", 10, 13)
    assert (found.reason_code, held(trader)) == ("OVERFILLED", 0)
    assert holding is not None
    assert holding.quantity == 13
    assert trader.kinds()[-2:] == ["FILL", "ORDER_OVERFILLED"]
    assert trader.funds().cash == LAKH - worth(13) - charged(Side.BUY, worth(13))


def test_a_late_fill_beyond_the_cash_is_lent_and_said_so(new_trader: NewTrader) -> None:
    trader = new_trader(funds=cost(10))
    first = trader.buy(10)
    trader.told(first, "4")
    second = trader.buy(10)
    trader.fill(second, 10)
    trader.fill(first, 10)
    funds = trader.funds()
    assert (funds.cash, funds.borrowed) == (0, cost(10))
    assert trader.kinds()[-2:] == ["BORROWED", "FILL"]


def test_sale_proceeds_repay_the_loan_first(new_trader: NewTrader) -> None:
    trader = new_trader(funds=cost(10))
    first = trader.buy(10)
    trader.told(first, "4")
    trader.own(10)
    trader.fill(first, 10)
    owed = trader.funds().borrowed
    net = worth(20, 110) - charged(Side.SELL, worth(20, 110))
    trader.fill(trader.sell(20, 110), 20, 110)
    funds = trader.funds()
    assert (funds.borrowed, funds.cash) == (0, net - owed)
    assert trader.kinds()[-2:] == ["FILL", "REPAID"]


def test_a_replace_in_flight_holds_the_dearer_of_the_two(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "0")
    assert trader.modify(order, 20, 100).rules == []
    assert held(trader) == cost(20)
    trader.told(order, "5", request=1)
    assert held(trader) == cost(20)
    trader.modify(order, 5, 100)
    assert held(trader) == cost(20)
    trader.told(order, "5", request=2)
    assert held(trader) == cost(5)
    found = trader.order(order)
    assert (found.quantity, found.status, found.pending_change) == (5, "OPEN", None)


def test_a_refused_replace_goes_back_to_the_hold_before(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.modify(order, 20, 100)
    told = trader.told(order, "9", request=1, exec_id="", reject_code=0, text="too late")
    assert told.outcome == "APPLIED"
    assert held(trader) == cost(10)
    found = trader.order(order)
    assert (found.quantity, found.pending_change, found.reason_code) == (10, None, "TOO_LATE")


def test_a_cancel_reject_that_names_no_account_finds_its_user(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.cancel(order)
    told = trader.told(order, "9", request=1, exec_id="", user_id=0, reject_code=0)
    assert told.outcome == "APPLIED"
    assert trader.order(order).pending_change is None


def test_a_cancel_of_an_order_that_the_venue_never_had_ends_the_order(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    lost, known = trader.buy(10), trader.buy(10)
    trader.told(known, "0")
    for order in (lost, known):
        trader.cancel(order)
        trader.told(order, "9", request=1, reject_code=1, venue_order_id="NONE")
    assert (trader.order(lost).status, trader.order(known).status) == ("CANCELLED", "OPEN")
    assert held(trader) == cost(10)
    changed = trader.buy(10)
    trader.modify(changed, 20, 100)
    trader.cancel(changed)  # waits for the change's answer
    trader.told(changed, "9", request=1, reject_code=1, venue_order_id="NONE")
    assert trader.order(changed).pending_change == "CANCEL"
    trader.told(changed, "9", request=2, reject_code=1, venue_order_id="NONE")
    assert trader.order(changed).status == "CANCELLED"


def test_a_replace_beyond_the_money_is_denied_and_changes_nothing(new_trader: NewTrader) -> None:
    trader = new_trader(funds=cost(10))
    order = trader.buy(10)
    changed = trader.modify(order, 11, 100)
    assert [rule["code"] for rule in changed.rules] == ["INSUFFICIENT_FUNDS"]
    assert held(trader) == cost(10)
    assert trader.order(order).pending_change is None


def test_a_replaced_sell_holds_the_larger_quantity_until_it_is_answered(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    order = trader.sell(4)
    trader.modify(order, 7, 100)
    holding = trader.holding()
    assert holding is not None
    assert holding.open_sell == 7
    trader.told(order, "9", request=1, exec_id="", reject_code=0)
    holding = trader.holding()
    assert holding is not None
    assert holding.open_sell == 4


def test_a_replace_down_to_what_was_filled_meanwhile_ends_the_order(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 4)
    trader.modify(order, 6, 100)
    trader.fill(order, 4)
    told = trader.told(order, "5", request=1, ord_status="2")
    assert told.outcome == "APPLIED"
    found = trader.order(order)
    assert (found.status, found.quantity, found.filled_quantity) == ("FILLED", 8, 8)
    assert held(trader) == 0
    assert trader.kinds()[-1] == "ORDER_REPLACED"


def test_a_rejected_copy_leaves_the_order_as_it_is(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "0")
    assert trader.told(order, "8", ord_status="8", reject_code=6).outcome == "NOTHING"
    assert trader.order(order).status == "OPEN"
    assert held(trader) == cost(10)


def test_an_ending_told_again_under_another_exec_id_says_nothing_new(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.told(order, "I", exec_id="0", ord_status="4")
    assert trader.order(order).status == "CANCELLED"
    assert trader.told(order, "4").outcome == "NOTHING"


def test_a_status_ahead_of_our_fills_ends_nothing(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    told = trader.told(order, "I", exec_id="0", ord_status="4", cumulative_quantity=4)
    assert told.outcome == "NOTHING"
    assert held(trader) == cost(10)


def test_a_status_of_an_unknown_order_rejects_nothing(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    told = trader.told(order, "I", exec_id="0", ord_status="8", reject_code=5)
    assert told.outcome == "NOTHING"
    assert trader.order(order).status == "PENDING"


def test_an_order_that_never_reached_the_venue_ends_when_its_day_is_over(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    unknown = {"exec_id": "0", "ord_status": "8", "reject_code": 5, "venue_order_id": "NONE"}
    lost, known, intraday = trader.buy(1), trader.buy(10), trader.buy(1, product=Product.MIS)
    trader.told(known, "0")
    trader.settle()
    for order in (lost, known, intraday):
        trader.told(order, "I", **unknown, text="unknown order")
    ended = trader.order(lost)
    assert (ended.status, ended.reason_code) == ("EXPIRED", "NEVER_AT_VENUE")
    assert trader.order(intraday).status == "EXPIRED"
    assert trader.order(known).reason_code == "LOST_AT_VENUE"
    assert held(trader) == 0


def test_every_report_settles_its_session_position_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    report = trader.report(order, "0")
    trader.apply(report)
    trader.apply(report)
    database = trader.shards.of_user(trader.user_id)
    rows = database.run(
        "SELECT count(*) FROM ledger.fix_applied WHERE session = :s AND position = :p",
        s=report.session,
        p=report.position,
    )
    assert rows == [[1]]


def test_a_deposit_sent_twice_is_booked_once(new_trader: NewTrader) -> None:
    trader = new_trader(funds=0)
    trader.deposit(5 * RUPEE, "gift")
    trader.deposit(5 * RUPEE, "gift")
    assert trader.funds().cash == 5 * RUPEE
