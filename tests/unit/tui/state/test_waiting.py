from decimal import Decimal

from tests.support.terminal import LADDERS, funds, order
from tests.support.terminal_prices import QUOTES, quote
from tui.state.account import apply_order, loaded
from tui.state.quotes import Board, apply_quotes
from tui.state.waiting import waiting_orders

ACCOUNT = loaded(funds(), LADDERS, [], [])


def test_distance_is_what_the_price_has_to_move() -> None:
    board = apply_quotes(Board(), QUOTES, 0.0)
    stop, target = waiting_orders(ACCOUNT, board)[:2]

    assert (stop.distance, target.distance) == (Decimal("-21.20"), Decimal("53.80"))
    assert stop.distance_percent is not None
    assert round(stop.distance_percent, 2) == Decimal("-0.75")


def test_without_a_price_no_distance_is_made_up() -> None:
    assert {each.distance for each in waiting_orders(ACCOUNT, Board())} == {None}


def test_rows_keep_their_place_whatever_the_price_does() -> None:
    near = apply_quotes(Board(), [quote("TCS", "3891.00")], 0.0)

    order_ids = [each.order.order_id for each in waiting_orders(ACCOUNT, near)]
    assert order_ids == ["2003", "2004", "2005", "2006", "2007"]


def test_what_fired_waits_no_more_and_its_price_is_followed_no_more() -> None:
    fired = apply_order(ACCOUNT, order("2007", status="OPEN", symbol="TCS", version=2))

    assert "2007" not in [each.order.order_id for each in waiting_orders(fired, Board())]
    assert "TCS" in ACCOUNT.priced_symbols
    assert "TCS" not in fired.priced_symbols
