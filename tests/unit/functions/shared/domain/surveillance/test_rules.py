"""Order patterns, takeovers, pump and dump: what is found, and what is just short of it."""

import pytest

from functions.shared.domain.surveillance.findings import Rule
from functions.shared.domain.surveillance.parameters import DEFAULTS
from functions.shared.domain.surveillance.pumping import DayFigures
from functions.shared.domain.surveillance.watched import (
    STEPS_MOST,
    SYMBOLS_MOST,
    WORKING_MOST,
    Placed,
)
from tests.support.surveillance import DAY, SECOND, USER, Watched

GROUP = {one: frozenset({11, 12, 13} - {one}) for one in (11, 12, 13)}


def layer(watched: Watched, *, quantity: int = 100, life: int = 5, small: int = 10) -> None:
    order = watched.place("BUY", quantity)
    watched.trade("SELL", small)
    watched.cancel(order, life - 1)


def test_three_large_orders_taken_away_behind_small_trades_are_layers() -> None:
    watched = Watched()
    layer(watched)
    layer(watched)
    assert watched.found == []
    layer(watched)
    assert watched.rules() == [Rule.SPOOFING]


@pytest.mark.parametrize(
    "honest",
    [{"life": 12}, {"quantity": 40}, {"small": 30}],
    ids=["stands for longer", "is no larger", "trades much against it"],
)
def test_what_stands_longer_or_is_no_larger_is_no_layer(honest: dict[str, int]) -> None:
    watched = Watched()
    for _ in range(10):
        layer(watched, **honest)
    assert watched.found == []


def test_an_order_that_the_venue_ended_or_that_filled_is_no_layer() -> None:
    watched = Watched()
    for by_client, filled in ((False, 0), (True, 1)):
        for _ in range(5):
            order = watched.place("BUY", 100)
            watched.trade("SELL", 10)
            watched.cancel(order, 2, by_client=by_client, filled=filled)
    assert watched.found == []


def test_two_hundred_messages_at_fifty_a_trade_are_too_many() -> None:
    watched = Watched()
    for _ in range(4):
        watched.trade("BUY", 1)
    for _ in range(99):
        watched.cancel(watched.place("BUY", 1), 60)
    assert watched.found == []
    watched.cancel(watched.place("BUY", 1), 60)
    assert watched.rules() == [Rule.ORDER_TO_TRADE]
    watched.trade("BUY", 1)  # a fifth trade: 40 messages a trade
    watched.place("BUY", 1)
    assert len(watched.found) == 1


def test_a_new_place_and_most_of_the_money_are_a_takeover() -> None:
    watched = Watched()
    watched.told("CHALLENGE_PASSED")
    watched.told("LOGIN_OK", new=True)
    watched.withdraw(49)
    assert watched.found == []
    watched.withdraw(50)
    [finding] = watched.found
    assert (finding.rule, finding.score) == (Rule.TAKEOVER, 70)


def test_without_a_way_in_a_withdrawal_and_a_bank_change_are_none() -> None:
    watched = Watched()
    for action in ("BANK_CHANGE_ASKED", "TOTP_REPLACED"):
        watched.told(action)
    watched.told("LOGIN_REFUSED", times=9)
    watched.withdraw(100)
    assert watched.found == []


def test_steps_more_than_a_day_apart_do_not_count_together() -> None:
    watched = Watched()
    watched.told("CHALLENGE_PASSED")
    watched.now += 24 * 3600
    watched.withdraw(100, "2026-11-24")
    assert watched.found == []


def test_a_takeover_over_midnight_is_of_the_day_of_its_login() -> None:
    watched = Watched()
    watched.told("CHALLENGE_PASSED")
    watched.withdraw(100, "2026-11-24")
    watched.told("BANK_CHANGE_ASKED", day="2026-11-24")
    assert {finding.day for finding in watched.found} == {DAY}
    assert [finding.score for finding in watched.found] == [70, 95]


def pump(watched: Watched, *, up: float = 115, sold: float = 113) -> None:
    stock = watched.stocks["ACME", DAY]
    stock.market = DayFigures(50_000, 0, round(up * 10_000), 0)
    for user in GROUP:
        watched.trade("BUY", 5_000, 102, user=user)
    for user in GROUP:
        watched.trade("SELL", 5_000, sold, user=user)


def test_a_linked_group_that_buys_a_thin_stock_up_and_sells_is_found() -> None:
    watched = Watched(GROUP, thin=True)
    pump(watched)
    last = watched.found[-1]
    assert (last.rule, last.user_id, last.others) == (Rule.PUMP_AND_DUMP, 11, (12, 13))
    assert {reason.code for reason in last.reasons} == {
        "PRICE_ABOVE_ITS_DAYS", "VOLUME_TIMES_USUAL", "LINKED_ACCOUNTS_SHARE", "SOLD_ABOVE_COST",
    }  # fmt: skip


def test_nobody_is_found_without_links_or_a_history_in_a_stock_that_trades_much() -> None:
    alone, unknown, liquid = Watched(thin=True), Watched(GROUP), Watched(GROUP, thin=True)
    unknown.stocks["ACME", DAY] = type(alone.stocks["ACME", DAY])()
    for day in liquid.stocks["ACME", DAY].history:
        day.value = DEFAULTS.thin_value + 1
    for watched in (alone, unknown, liquid):
        pump(watched)
        assert watched.found == []


def test_a_group_that_holds_what_it_bought_while_prices_stand_is_not_found() -> None:
    watched = Watched(GROUP, thin=True)
    pump(watched, up=104, sold=103)
    assert watched.found == []


def test_what_is_kept_of_a_user_is_bounded() -> None:
    watched = Watched()
    for number in range(2 * WORKING_MOST):
        symbol = f"S{number}"
        watched.take(Placed(DAY, number * SECOND, number, symbol, "BUY", 1))
        watched.told("BANK_CHANGE_ASKED")
    kept = watched.desk.watches[USER]
    assert len(kept.working) == WORKING_MOST
    assert min(kept.working) == WORKING_MOST  # the oldest are forgotten
    assert len(kept.symbols) == SYMBOLS_MOST
    assert len(kept.steps) == STEPS_MOST
