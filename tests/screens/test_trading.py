"""What keys do: assert on what the broker was asked and on what the screen says."""

import re
import uuid
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from textual.widgets import Input

from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal import ORDERS, funds, order
from tests.support.terminal_prices import NOON, QUOTES, quote
from tui.actions import EVERYWHERE, TRADING
from tui.client.broker import Link, RefusedError, UnreachableError
from tui.client.market_status import MarketStatus
from tui.client.models import Fill, Holding, Position, Problem
from tui.desk import MARKET_EVERY_S
from tui.screens.dialogs import ConfirmDialog, ModifyDialog
from tui.widgets.blotter import Blotter
from tui.widgets.watchlist import Watchlist

SIZE = (120, 36)


async def test_buying_ten_shares_is_confirmed_and_sent_once(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "1", "0")
        await settle(pilot, lambda: "₹33.94" in text_of(pilot))

        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await settle(pilot, lambda: "BUY 10 RELIANCE" in text_of(pilot))
        assert desk.broker.placed == []

        await pilot.press("enter")
        await settle(pilot, lambda: "Pending" in text_of(pilot))

    (body,) = desk.broker.placed
    assert uuid.UUID(str(body.pop("client_order_id")))
    assert body == {
        "symbol": "RELIANCE",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": 10,
        "price": "2950.50",
        "product": "CNC",
        "validity": "DAY",
    }


async def test_the_blotter_the_holding_and_the_money_move_by_themselves(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        desk.feed.send(order("5", symbol="TCS", status="PENDING", version=1, user_seq=8))
        await settle(pilot, lambda: "Pending" in text_of(pilot))

        average = Decimal("3921.0000")
        desk.feed.send(
            order("5", symbol="TCS", status="FILLED", version=2, filled_quantity=10, user_seq=9),
            Fill(
                order_id="5",
                symbol="TCS",
                side="BUY",
                quantity=10,
                price=Decimal("3921.00"),
                exec_id="E1",
                user_seq=9,
            ),
            funds("960790.00"),
            Holding(symbol="TCS", quantity=10, average_price=average, user_seq=9),
        )
        await settle(pilot, lambda: "Bought" in text_of(pilot))
        said = text_of(pilot)

    assert "Pending" not in said
    assert "Bought 10 TCS at ₹3,921.00" in said
    assert "+7.00" in said
    assert "TCS" in desk.feed.watched


async def test_a_fill_brings_the_days_positions_anew(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        assert desk.broker.positions_asked == 1
        desk.broker.known_positions = [Position(symbol="ITC", product="CNC", quantity=7)]
        fill = Fill(
            order_id="5",
            symbol="ITC",
            side="BUY",
            quantity=7,
            price=Decimal("410.00"),
            exec_id="E1",
            user_seq=8,
        )
        desk.feed.send(fill, funds(seq=8))
        await settle(pilot, lambda: "CNC" in text_of(pilot) and "MIS" not in text_of(pilot))

    assert desk.broker.positions_asked == 2
    assert "ITC" in desk.feed.watched


async def test_an_intraday_position_moves_by_itself_and_p_goes_there(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("p")
        await settle(pilot, lambda: "+218.50" in text_of(pilot))
        desk.feed.send(
            Position(
                symbol="TCS",
                product="MIS",
                quantity=0,
                realised_pnl=Decimal("99.00"),
                user_seq=8,
            )
        )
        await settle(pilot, lambda: "+99.00" in text_of(pilot))
        await pilot.press("down", "s")
        await settle(pilot, lambda: pilot.app.screen.query_one("#symbol", Input).value == "TCS")


async def test_escape_sends_nothing(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "1", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("escape")
        await pilot.pause()

    assert desk.broker.placed == []


async def test_a_working_order_is_cancelled_after_a_confirmation(desk: Desk) -> None:
    desk.broker.known_orders = ORDERS
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "2 working" in text_of(pilot))
        await pilot.press("o", "c")
        await settle(pilot, lambda: "Cancel SELL 10 TCS" in text_of(pilot))
        await pilot.press("y")
        await settle(pilot, lambda: "Cancelling" in text_of(pilot))

    assert desk.broker.cancelled == ["1004"]


async def test_a_modification_carries_the_version_and_only_what_changed(desk: Desk) -> None:
    desk.broker.known_orders = ORDERS
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "2 working" in text_of(pilot))
        await pilot.press("o", "m")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ModifyDialog))
        pilot.app.screen.query_one("#new-price", Input).value = "3940.00"
        await pilot.press("enter")
        await settle(pilot, lambda: "Modifying" in text_of(pilot))

    ((order_id, body),) = desk.broker.modified
    assert order_id == "1004"
    assert uuid.UUID(str(body.pop("request_id")))
    assert body == {"version": 2, "price": "3940.00"}


async def test_a_finished_order_is_neither_cancelled_nor_modified(desk: Desk) -> None:
    desk.broker.known_orders = ORDERS[2:]
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: "Filled" in text_of(pilot))
        await pilot.press("o", "c")
        await settle(pilot, lambda: "nothing left to cancel" in text_of(pilot))

    assert desk.broker.cancelled == []


async def test_a_found_symbol_joins_the_watchlist_and_is_kept(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("slash", "w", "i")
        await settle(pilot, lambda: "Wipro Limited" in text_of(pilot))
        await pilot.press("plus", "escape")
        await settle(pilot, lambda: pilot.app.screen.query_one(Watchlist).cursor_key == "WIPRO")
        assert "WIPRO" in desk.feed.watched

    assert "WIPRO" in (desk.settings.home / "watchlist.json").read_text()


async def test_a_moved_price_is_shown_and_settles(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        assert desk.feed.listener is not None
        desk.feed.listener.quotes([quote("RELIANCE", "2951.00")])
        await settle(pilot, lambda: "2,951.00" in text_of(pilot))


async def test_a_click_selects_a_row_and_a_second_one_opens_its_ticket(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.click(Watchlist, offset=(4, 4))
        assert pilot.app.screen.query_one(Watchlist).cursor_key == "HDFCBANK"
        await pilot.click(Watchlist, offset=(4, 4), times=2)
        assert pilot.app.screen.query_one("#symbol", Input).value == "HDFCBANK"


async def test_only_rows_that_differ_are_painted_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        watchlist = pilot.app.screen.query_one(Watchlist)
        painted: list[int] = []
        monkeypatch.setattr(watchlist, "_refresh_row", painted.append)
        assert desk.feed.listener is not None
        desk.feed.listener.quotes([*QUOTES[2:], quote("RELIANCE", "2951.00")])
        await settle(pilot, lambda: bool(painted))
        assert set(painted) == {1}


async def test_the_palette_offers_every_action_of_the_registry(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        offered = [each.title for each in desk.terminal.get_system_commands(pilot.app.screen)]

    assert offered == [action.label for action in (*TRADING, *EVERYWHERE)]


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
async def test_leaving_closes_the_connections(desk: Desk, key: str) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", key)

    assert desk.broker.is_closed


async def test_an_order_that_cannot_be_journalled_is_not_sent(desk: Desk) -> None:
    desk.settings.home.parent.mkdir(exist_ok=True)
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        desk.settings.home.write_text("a file where the folder should be")
        await pilot.press("b", "1", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")
        await settle(pilot, lambda: "The journal" in text_of(pilot))

    assert desk.broker.placed == []


async def test_the_cursor_starts_on_what_can_be_traded(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))

        assert pilot.app.screen.query_one(Watchlist).cursor_key == "RELIANCE"


async def test_an_order_just_placed_is_the_one_to_cancel(desk: Desk) -> None:
    desk.broker.known_orders = ORDERS
    desk.broker.placed_order = order("1009", status="OPEN")
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "2 working" in text_of(pilot))
        await pilot.press("b", "1", "0", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")
        await settle(pilot, lambda: "3 working" in text_of(pilot))
        await pilot.press("o", "c")
        await settle(pilot, lambda: "#1009" in text_of(pilot))
        await pilot.press("y")
        await settle(pilot, lambda: bool(desk.broker.cancelled))

    assert desk.broker.cancelled == ["1009"]


@pytest.mark.parametrize(
    "failure",
    [
        RefusedError(
            Problem(status=400, code="INVALID_REQUEST", detail="limit: too large", request_id="r-7")
        ),
        UnreachableError("INTERNAL · limit: too large · request r-7"),
    ],
)
async def test_an_account_that_cannot_be_loaded_says_why_until_it_can(
    desk: Desk, failure: Exception
) -> None:
    desk.broker.loading_fails = failure
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: "trying again" in text_of(pilot))
        said = " ".join(text_of(pilot).split())
        assert "can't be loaded" in said
        assert "limit: too large · request r-7" in said

        desk.broker.loading_fails = None
        await settle(pilot, lambda: is_live(pilot) and "Available" in text_of(pilot))


async def test_a_lost_connection_says_why(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        assert desk.feed.listener is not None
        desk.feed.listener.link(Link.RECONNECTING, "closed with 1006")
        await settle(pilot, lambda: "closed with 1006. Connecting again" in text_of(pilot))


async def test_a_new_trade_date_loads_the_account_afresh(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MARKET_EVERY_S, "PAPER", 0.01)
    monkeypatch.setattr("tui.desk.UNSTEADY_EVERY_S", 0.01)
    desk.broker.known_orders = ORDERS
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot) and "MIS" in text_of(pilot))
        await settle(pilot, lambda: "open · 10 Jul 12:00:00 IST" in text_of(pilot))
        assert "10 Jul 12:00 " not in text_of(pilot)
        desk.broker.known_positions = []
        tomorrow = NOON + timedelta(days=1)
        desk.broker.market_status = MarketStatus(
            phase="CLOSED",
            trade_date=tomorrow.date(),
            time=tomorrow,
            wall_time=NOON + timedelta(seconds=1),
        )
        await settle(pilot, lambda: "No trades today" in text_of(pilot))
        await settle(pilot, lambda: "closed · 11 Jul 12:00:00 IST" in text_of(pilot))
        said = text_of(pilot)
        await pilot.resize_terminal(80, 24)
        await settle(pilot, lambda: re.search("10 Jul +TCS", text_of(pilot)) is not None)

    assert desk.feed.reloads == 1
    assert "10 Jul 12:00  TCS" in said


def _is_on(table: Blotter, key: str) -> bool:
    return table.cursor_key == key


async def test_the_orders_stay_on_the_newest_until_the_user_moves(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        orders = pilot.app.screen.query_one(Blotter)
        for number in range(2001, 2011):
            desk.feed.send(order(str(number), status="OPEN", user_seq=number))
            await settle(pilot, partial(_is_on, orders, str(number)))
        await pilot.press("o", "down")
        assert orders.cursor_key == "2009"
        desk.feed.send(order("2011", status="OPEN", user_seq=2011))
        await settle(pilot, lambda: orders.row_keys[0] == "2011")
        assert orders.cursor_key == "2009"
        await pilot.press("home")
        desk.feed.send(order("2012", status="OPEN", user_seq=2012))
        await settle(pilot, lambda: orders.cursor_key == "2012")
