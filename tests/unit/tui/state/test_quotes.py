from decimal import Decimal

from tests.support.terminal_prices import quote
from tui.state.quotes import FLASH_S, Board, apply_quotes


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
