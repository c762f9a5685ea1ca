"""Reports that can't be taken at their word: parked for a person, with their user's later ones."""

import pytest

from functions.shared.domain.orders import Side
from tests.integration.ledger.conftest import NewTrader


@pytest.mark.parametrize(
    ("exec_type", "changes", "why"),
    [
        ("F", {"last_quantity": 0, "last_price": 1_000_000}, "EMPTY_FILL"),
        ("F", {"last_quantity": 1, "last_price": 0}, "EMPTY_FILL"),
        ("H", {}, "NO_SUCH_TRADE"),
        ("Z", {}, "UNKNOWN_EXEC_TYPE Z"),
    ],
)
def test_a_report_that_contradicts_the_order_is_parked_with_its_users_later_ones(
    new_trader: NewTrader, exec_type: str, changes: dict[str, object], why: str
) -> None:
    trader, neighbour = new_trader(), new_trader()
    order, other = trader.buy(10), neighbour.buy(10)
    before = trader.funds()
    told = trader.told(order, exec_type, **changes)
    assert (told.outcome, told.why) == ("PARKED", why)
    later = trader.fill(order, 10)
    assert (later.outcome, later.why) == ("PARKED", "BEHIND_A_PARKED_REPORT")
    assert trader.funds() == before
    assert neighbour.fill(other, 10).outcome == "APPLIED"


def test_a_report_of_an_order_nobody_placed_is_parked(new_trader: NewTrader) -> None:
    told = new_trader().told(1, "0")
    assert (told.outcome, told.why) == ("PARKED", "UNKNOWN_ORDER")


def test_a_rejection_of_an_order_that_traded_is_parked(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 4)
    told = trader.told(order, "8", ord_status="8", reject_code=0)
    assert (told.outcome, told.why) == ("PARKED", "ILLEGAL_TRANSITION PARTIALLY_FILLED REJECTED")


def test_an_exec_id_that_comes_back_with_another_trade_is_parked_not_swallowed(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    first, second = trader.buy(10), trader.buy(10)
    trader.fill(first, 4, exec_id="SAME-1")
    told = trader.fill(second, 4, exec_id="SAME-1")
    assert (told.outcome, told.why) == ("PARKED", "EXEC_ID_REUSED")


def test_the_same_exec_id_on_another_trade_date_is_another_trade(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 4, exec_id="SAME-2", trade_date="2026-07-09")
    assert trader.fill(order, 4, exec_id="SAME-2").outcome == "APPLIED"
    assert trader.order(order).filled_quantity == 8


def test_a_fill_at_a_price_beyond_all_sense_is_parked_not_an_error(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 1)
    told = trader.told(order, "F", last_quantity=2**63 - 1, last_price=2**63 - 1)
    assert (told.outcome, told.why) == ("PARKED", "IMPOSSIBLE_PRICE")
    other = new_trader()
    order = other.buy(10)
    told = other.told(order, "F", last_quantity=10, last_price=2**63 - 1)
    assert (told.outcome, told.why) == ("PARKED", "IMPOSSIBLE_PRICE")


def test_answers_to_the_sweep_are_not_kept_behind_a_parked_report(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    assert trader.fill(order, 1, 0).outcome == "PARKED"
    assert trader.told(order, "I").outcome == "NOTHING"
    assert trader.told(order, "0").outcome == "PARKED"


def test_an_account_with_a_parked_report_takes_no_new_order_but_cancels(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    trader.fill(order, 1, 0)
    placed = trader.place(Side.BUY, 1)
    assert placed.outcome == "DENIED"
    assert [rule["code"] for rule in placed.rules] == ["ACCOUNT_UNDER_REVIEW"]
    assert trader.cancel(order).pending_change == "CANCEL"
