"""The ticket under a trader's fingers: which field a key reaches, and where a refusal stands."""

import msgspec
from textual.widgets import Input

from outcry_client.protocol import Notice, notice
from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal import ORDERS, PREVIEW, REFUSED
from tui.client.models import FieldError, Problem
from tui.screens.dialogs import ConfirmDialog
from tui.widgets.blotter import Blotter
from tui.widgets.choice import Choice
from tui.widgets.fields import NumberField
from tui.widgets.ticket import Ticket

SIZE = (120, 36)


async def test_a_refusal_is_shown_at_its_field_with_the_cure(desk: Desk) -> None:
    desk.broker.preview_answer = REFUSED
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "5", "0", "0")
        await settle(pilot, lambda: "max 328" in text_of(pilot))
        lines = text_of(pilot).splitlines()

    assert any("Quantity" in line and "max 328" in line for line in lines)
    assert any("Price" in line and "→ 2,950.50" in line for line in lines)
    assert any("Prices move by ₹0.05" in line for line in lines)


async def test_letters_typed_into_the_ticket_are_text(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "shift+tab", "shift+tab", "shift+tab")
        await pilot.press(*"SBIN")
        assert pilot.app.screen.query_one("#symbol", Input).value == "SBIN"
        await pilot.press("escape")
        assert pilot.app.focused is not None
        assert pilot.app.focused.css_identifier == "Watchlist"


async def test_buying_an_index_asks_for_another_symbol(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("home", "b")
        await settle(pilot, lambda: "NIFTY 50 is an index" in text_of(pilot))
        await pilot.press(*"tcs", "enter", *"10")
        await settle(pilot, lambda: "₹33.94" in text_of(pilot))
        draft = pilot.app.screen.query_one(Ticket).draft

    assert (draft.symbol, draft.quantity, draft.price) == ("TCS", "10", "3921.70")


async def test_a_letter_typed_as_a_quantity_begins_a_symbol(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", *"hdfcbank", "enter", *"7")
        await settle(pilot, lambda: "₹33.94" in text_of(pilot))
        draft = pilot.app.screen.query_one(Ticket).draft

    assert (draft.symbol, draft.quantity, draft.price) == ("HDFCBANK", "7", "1682.20")


async def test_letters_typed_faster_than_the_focus_moves_are_all_kept(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b")
        ticket = pilot.app.screen.query_one(Ticket)
        quantity = ticket.query_one("#quantity", NumberField)
        for letter in "tcs":
            quantity.post_message(NumberField.Lettered(quantity, letter))
        await settle(pilot, lambda: ticket.draft.symbol == "TCS")


async def test_leaving_the_ticket_and_buying_another_row_moves_the_ticket(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "4", "escape", "down", "down", "b", "1", "0")
        draft = pilot.app.screen.query_one(Ticket).draft

    assert (draft.symbol, draft.quantity, draft.price) == ("TCS", "10", "3921.70")


async def test_a_price_that_was_typed_stays_when_the_symbol_changes(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "5", "tab", *"1600", "shift+tab", *"hdfcbank")
        await settle(pilot, lambda: "₹33.94" in text_of(pilot))
        draft = pilot.app.screen.query_one(Ticket).draft

    assert (draft.symbol, draft.price) == ("HDFCBANK", "1600")


async def test_a_symbol_nobody_lists_is_named_at_its_field(desk: Desk) -> None:
    desk.broker.unlisted = {"ZZZ"}
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", *"zzz")
        await settle(pilot, lambda: "not listed" in text_of(pilot))

    assert "ZZZ" not in desk.feed.watched


async def test_enter_on_a_choice_reviews_the_order(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "3", "tab", "tab", "right", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))

        await settle(pilot, lambda: "LIMIT · IOC · CNC" in text_of(pilot))


async def test_a_malformed_field_is_named_at_its_place(desk: Desk) -> None:
    desk.broker.preview_refusal = Problem(
        status=400,
        code="INVALID_REQUEST",
        detail="quantity: at most 1000000000",
        errors=[FieldError(field="quantity", message="at most 1000000000")],
    )
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", *"20000000000")
        await settle(pilot, lambda: "Quantity: at most 1000000000" in text_of(pilot))
        lines = text_of(pilot).splitlines()

    assert any("Quantity" in line and "at most" in line for line in lines)


async def test_a_stop_asks_for_its_trigger_and_names_no_price(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("s", "3", "shift+tab", "right", "right", "tab", "tab", *"2900", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await settle(pilot, lambda: "STOP · DAY · CNC" in text_of(pilot))
        assert "₹2,900.00" in text_of(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: bool(desk.broker.placed))

    (body,) = desk.broker.placed
    assert body["trigger_price"] == "2900"
    assert "price" not in body


async def test_the_price_of_an_oco_follows_its_stop_and_the_side_comes_back(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "5")
        ticket = pilot.app.screen.query_one(Ticket)
        kind = ticket.query_one("#type", Choice)
        kind.value = "OCO"
        await settle(pilot, lambda: ticket.draft.side == "SELL")
        assert ticket.draft.price == ""
        ticket.query_one("#trigger_price", Input).value = "2900"
        await settle(pilot, lambda: ticket.draft.price == "2900")
        kind.value = "LIMIT"
        await settle(pilot, lambda: ticket.draft.side == "BUY")
        assert ticket.draft.price == "2950.50"


async def test_what_would_be_refused_is_not_sent_until_the_market_takes_it(desk: Desk) -> None:
    desk.broker.preview_answer = REFUSED
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "5", "0", "0")
        await settle(pilot, lambda: "max 328" in text_of(pilot))
        await pilot.press("enter")
        await settle(pilot, lambda: "would refuse" in text_of(pilot))
        assert "send the buy" not in text_of(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ConfirmDialog)
        await pilot.press("escape")
        desk.broker.preview_answer = PREVIEW
        status = desk.broker.market_status
        desk.broker.market_status = msgspec.structs.replace(status, phase="CLOSED")
        assert desk.feed.listener is not None
        desk.feed.listener.notice(Notice("market"))
        await settle(pilot, lambda: "₹33.94" in text_of(pilot))

    assert not desk.broker.placed


def _stale(symbol: str, *, is_stale: bool) -> Notice:
    return notice({"type": "stale", "symbols": [symbol], "stale": is_stale})


async def test_stale_prices_and_ended_orders_say_what_they_are(desk: Desk) -> None:
    desk.broker.known_orders = ORDERS
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        assert desk.feed.listener is not None
        desk.feed.listener.notice(_stale("RELIANCE", is_stale=True))
        await settle(pilot, lambda: "◐ stale" in text_of(pilot))
        desk.feed.listener.notice(_stale("RELIANCE", is_stale=False))
        await settle(pilot, lambda: "● live" in text_of(pilot))
        blotter = pilot.app.screen.query_one(Blotter)
        blotter.cursor_key = "1002"
        blotter.focus()
        await pilot.press("m")
        await settle(pilot, lambda: "The order is filled" in text_of(pilot))
