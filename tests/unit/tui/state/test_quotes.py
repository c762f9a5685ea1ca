from decimal import Decimal

import pytest

from tests.support.terminal_prices import quote
from tui.state.quotes import FLASH_S, Board, apply_quotes, disconnected, watching


def test_the_first_price_of_a_symbol_is_not_a_move() -> None:
    board = apply_quotes(Board(), [quote("TCS", "3921.70")], now=10.0)

    assert board.ltp("TCS") == Decimal("3921.70")
    assert not board.has_lit(10.0)


def test_a_moved_price_is_lit_and_settles() -> None:
    board = apply_quotes(Board(), [quote("TCS", "3921.70")], now=10.0)
    board = apply_quotes(board, [quote("TCS", "3921.65")], now=11.0)

    assert board.prices["TCS"].direction == -1
    assert board.has_lit(11.0 + FLASH_S / 2)
    assert not board.has_lit(11.0 + FLASH_S + 0.01)


def test_a_repeated_price_does_not_light_again() -> None:
    board = apply_quotes(Board(), [quote("TCS", "1.00"), quote("TCS", "2.00")], now=1.0)
    board = apply_quotes(board, [quote("TCS", "2.00")], now=9.0)

    assert board.prices["TCS"].moved_at == 1.0


def test_an_unknown_symbol_has_no_price() -> None:
    assert Board().ltp("NOPE") is None
    assert Board().change("NOPE") is None


def test_a_price_of_before_its_subscription_is_not_the_markets_until_it_is_heard() -> None:
    board = watching(apply_quotes(Board(), [quote("TCS", "3921.70")], 1.0), ["TCS", "INFY"])

    assert not board.is_live(["TCS"])
    assert board.is_live(["INFY"]), "it has no price that could be old"
    assert apply_quotes(board, [quote("TCS", "3921.70")], 2.0).is_live(["TCS"])


def test_what_stays_subscribed_stays_live_as_others_come_and_go() -> None:
    board = apply_quotes(watching(Board(), ["TCS"]), [quote("TCS", "3921.70")], 1.0)

    assert watching(board, ["TCS", "INFY"]).is_live(["TCS"])
    assert not watching(watching(board, ["INFY"]), ["TCS"]).is_live(["TCS"])


def test_a_lost_connection_leaves_no_price_live() -> None:
    board = apply_quotes(watching(Board(), ["TCS"]), [quote("TCS", "3921.70")], 1.0)

    assert not disconnected(board).is_live(["TCS"])


@pytest.mark.parametrize(
    ("seconds", "age"), [(9.9, ""), (10, "10s"), (59, "59s"), (60, "1m"), (3_600, "1h")]
)
def test_a_prices_age_is_said_from_ten_seconds_on(seconds: float, age: str) -> None:
    price = apply_quotes(Board(), [quote("TCS", "3921.70")], 5.0).prices["TCS"]

    assert price.age(5.0 + seconds) == age
