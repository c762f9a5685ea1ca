from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.terminal import HOLDINGS, ORDERS, POSITIONS, funds, order
from tests.support.terminal_prices import quote
from tui.client.models import Fill, Funds, Holding, Position, PrivateEvent
from tui.state.account import (
    Account,
    apply,
    live_holdings,
    live_positions,
    loaded,
    totals,
)
from tui.state.quotes import Board, apply_quotes


def _fill(seq: int, quantity: int) -> Fill:
    return Fill(
        order_id="1",
        symbol="RELIANCE",
        side="BUY",
        quantity=quantity,
        price=Decimal("2950.50"),
        exec_id=f"E{seq}",
        user_seq=seq,
    )


def _story() -> list[list[PrivateEvent]]:
    """The events of one order that fills in two parts, one list an event of the account."""

    def money(seq: int, available: str) -> Funds:
        return msgspec.structs.replace(funds(available, seq), user_seq=seq)

    def held(seq: int, quantity: int) -> Holding:
        average = Decimal("2950.5000")
        return Holding(symbol="RELIANCE", quantity=quantity, average_price=average, user_seq=seq)

    def at(seq: int, status: str, filled: int) -> PrivateEvent:
        return order("1", status=status, filled_quantity=filled, version=seq, user_seq=seq)

    return [
        [at(1, "PENDING", 0), money(1, "970000.00")],
        [at(2, "OPEN", 0)],
        [at(3, "PARTIALLY_FILLED", 4), _fill(3, 4), money(3, "970001.00"), held(3, 4)],
        [at(4, "FILLED", 10), _fill(4, 6), money(4, "970002.00"), held(4, 10)],
        [_traded(5, -3)],
        [_traded(6, 0)],
    ]


def _traded(seq: int, quantity: int) -> Position:
    return Position(symbol="TCS", product="MIS", quantity=quantity, user_seq=seq)


def _told(groups: list[list[PrivateEvent]]) -> Account:
    account = Account()
    for group in groups:
        for event in group:
            account = apply(account, event)
    return account


@given(st.lists(st.sampled_from(_story()), max_size=12), st.permutations(_story()))
def test_events_repeated_and_in_any_order_end_in_the_same_account(
    noise: list[list[PrivateEvent]], shuffled: list[list[PrivateEvent]]
) -> None:
    told = _told([*noise, *shuffled])
    straight = _told(_story())

    assert told.orders == straight.orders
    assert told.holdings == straight.holdings
    assert told.positions == straight.positions
    assert told.funds == straight.funds
    assert dict(told.fills) == dict(straight.fills)


def test_the_answer_to_a_placed_order_does_not_undo_what_the_stream_said_first() -> None:
    filled = apply(Account(), order("1", status="FILLED", version=3, user_seq=9))

    assert apply(filled, order("1", status="PENDING", version=1)).orders["1"].status == "FILLED"


def test_an_account_loaded_over_http_is_as_of_the_seq_of_its_funds() -> None:
    account = loaded(funds(seq=7), ORDERS, HOLDINGS, [])

    assert account.funds is not None
    assert account.funds.user_seq == 7
    assert account.working_orders == 2
    assert set(account.held_symbols) == {"RELIANCE", "M&M"}
    older = msgspec.structs.replace(funds("1.00"), user_seq=6)
    assert apply(account, older).funds == account.funds


def test_profit_follows_the_price_exactly() -> None:
    account = loaded(funds(), [], HOLDINGS, [])
    board = apply_quotes(Board(), [quote("M&M", "2811.20"), quote("RELIANCE", "2950.50")], 0.0)

    mahindra, reliance = live_holdings(account, board)

    assert mahindra.gain == Decimal("-2880.0000")
    assert reliance.gain == Decimal("10.9998")


def test_the_day_gains_what_was_held_since_the_close_and_what_was_bought_since_its_cost() -> None:
    mixed = msgspec.structs.replace(HOLDINGS[0], bought_today=4)
    account = loaded(funds(), [], [mixed, HOLDINGS[1]], [])
    prices = [quote("M&M", "2811.20", "40.70"), quote("RELIANCE", "2950.50", "12.50")]

    held = live_holdings(account, apply_quotes(Board(), prices, 0.0))

    # ten of RELIANCE gain 12.50 each, and four what they are worth beyond 4/14 of 41,296.00
    bought_today = Decimal("11802.00") - Decimal("11798.85")
    assert [each.day_gain for each in held] == [4070, 125 + bought_today]
    assert totals(held, []).day_gain == 4195 + bought_today


def test_what_cannot_be_priced_is_not_called_zero() -> None:
    account = loaded(funds(), [], HOLDINGS, [])
    held = live_holdings(account, Board())

    assert [(each.gain, each.day_gain) for each in held] == [(None, None), (None, None)]
    assert totals(held, []).value is None


def test_what_was_bought_today_is_gained_once_and_intraday_counts_in_full() -> None:
    bought = msgspec.structs.replace(POSITIONS[0], realised_pnl=Decimal("25.00"))
    sold = Position(
        symbol="M&M", product="CNC", quantity=-10, average_price=Decimal("2860.0000"),
        sell_quantity=10,
    )  # fmt: skip
    account = loaded(funds(), [], HOLDINGS, [bought, POSITIONS[1], sold])
    prices = [quote("M&M", "2811.20"), quote("RELIANCE", "2950.50"), quote("TCS", "3921.70")]
    board = apply_quotes(Board(), prices, 0.0)

    sums = totals(live_holdings(account, board), live_positions(account, board))

    intraday = Decimal("142.50") + 20 * (Decimal("3925.50") - Decimal("3921.70"))
    delivery = Decimal("1250.00") + Decimal("11.00")  # since the close, and since it was bought
    assert sums.day_gain == delivery + Decimal("25.00") + intraday
    unpriced = totals([], live_positions(account, Board()))
    assert unpriced.value == 0
    assert unpriced.day_gain is None


def test_a_sold_out_holding_leaves_the_table() -> None:
    account = apply(
        loaded(funds(), [], HOLDINGS, []), Holding(symbol="M&M", quantity=0, user_seq=8)
    )

    assert [each.holding.symbol for each in live_holdings(account, Board())] == ["RELIANCE"]


def test_a_position_gains_what_it_realised_and_what_closing_it_would_bring() -> None:
    account = loaded(funds(), [], [], POSITIONS)
    board = apply_quotes(Board(), [quote("TCS", "3921.70")], 0.0)

    reliance, short = live_positions(account, board)

    assert reliance.gain is None
    assert short.gain == Decimal("142.50") + 20 * (Decimal("3925.50") - Decimal("3921.70"))
    flat = apply(account, _traded(9, 0))
    assert live_positions(flat, Board())[1].gain == 0


def test_positions_are_known_by_product_and_replaced_as_a_whole() -> None:
    account = loaded(funds(), [], HOLDINGS, POSITIONS)
    both = apply(account, Position(symbol="TCS", product="CNC", quantity=1, user_seq=9))

    assert sorted(both.positions) == ["CNC:RELIANCE", "CNC:TCS", "MIS:TCS"]
    assert both.priced_symbols == {"RELIANCE", "M&M", "TCS"}
    assert both.with_positions([]).positions == {}
