"""Watchlists kept at the broker: what keys do to them, and what other devices do meanwhile."""

import msgspec

from outcry_client.protocol import notice
from tests.screens.conftest import Desk, is_live, settle, text_of
from tui.client.broker import UnreachableError
from tui.client.prices import KeptWatchlist
from tui.screens.dialogs import ConfirmDialog, NameDialog
from tui.widgets.watchlist import Watchlist

SIZE = (120, 36)
MAIN = KeptWatchlist(watchlist_id="a", name="Main", version=4, symbols=["RELIANCE", "TCS"])
BANKS = KeptWatchlist(watchlist_id="b", name="Banks", version=1, symbols=["HDFCBANK"])


async def test_a_user_without_lists_gets_one_with_what_the_terminal_showed(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot) and bool(desk.broker.known_watchlists))

    (opened,) = desk.broker.known_watchlists
    assert opened.name == "Watchlist"
    assert opened.symbols[:2] == ["NIFTY 50", "RELIANCE"]


async def test_the_lists_are_the_broker_s_and_brackets_go_from_one_to_the_next(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN, BANKS]
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "Main · 1/2" in text_of(pilot) and "INFY" not in text_of(pilot))
        await pilot.press("right_square_bracket")
        await settle(pilot, lambda: "Banks · 2/2" in text_of(pilot))
        assert pilot.app.screen.query_one(Watchlist).row_keys == ["HDFCBANK"]
        await pilot.press("right_square_bracket")
        await settle(pilot, lambda: "Main · 1/2" in text_of(pilot))


async def test_what_is_taken_off_is_taken_off_at_the_broker(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN]
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "Main" in text_of(pilot))
        table = pilot.app.screen.query_one(Watchlist)
        table.go_to("TCS")
        await pilot.press("x")
        await settle(pilot, lambda: desk.broker.known_watchlists[0].version == 5)
        assert table.row_keys == ["RELIANCE"]

    assert desk.broker.known_watchlists[0].symbols == ["RELIANCE"]


async def test_an_edit_is_made_again_on_what_another_device_was_faster_with(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN]
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "Main" in text_of(pilot))
        table = pilot.app.screen.query_one(Watchlist)
        newer = msgspec.structs.replace(MAIN, version=5, symbols=["RELIANCE", "TCS", "ITC"])
        desk.broker.known_watchlists = [newer]
        table.go_to("TCS")
        await pilot.press("x")
        await settle(pilot, lambda: table.row_keys == ["RELIANCE", "ITC"])

    assert desk.broker.known_watchlists[0].symbols == ["RELIANCE", "ITC"]


async def test_what_is_not_kept_is_said_and_shown_as_it_was(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN]
    desk.broker.change_refusals = [UnreachableError("no route")]
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: "Main" in text_of(pilot))
        table = pilot.app.screen.query_one(Watchlist)
        table.go_to("TCS")
        await pilot.press("x")
        await settle(pilot, lambda: "not kept: no route" in text_of(pilot))
        assert table.row_keys == ["RELIANCE", "TCS"]


async def test_another_device_s_change_arrives_by_itself(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN]
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "Main" in text_of(pilot))
        newer = msgspec.structs.replace(MAIN, version=5, symbols=["ITC"])
        desk.broker.known_watchlists = [newer]
        assert desk.feed.listener is not None
        told = {"type": "watchlist", "watchlist_id": "a", "version": 5}
        desk.feed.listener.notice(notice(told))
        table = pilot.app.screen.query_one(Watchlist)
        await settle(pilot, lambda: table.row_keys == ["ITC"])


async def test_a_list_is_opened_by_its_name_and_dropped_after_a_question(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN]
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: "Main" in text_of(pilot))
        await pilot.press("n")
        await settle(pilot, lambda: isinstance(pilot.app.screen, NameDialog))
        await pilot.press(*"IT", "enter")
        await settle(pilot, lambda: "IT · 2/2" in text_of(pilot))
        await pilot.press("X")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")
        await settle(pilot, lambda: "Main" in text_of(pilot) and "2/2" not in text_of(pilot))

    assert desk.broker.known_watchlists == [MAIN]


async def test_the_last_list_stays(desk: Desk) -> None:
    desk.broker.known_watchlists = [MAIN]
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: "Main" in text_of(pilot))
        await pilot.press("X")
        await settle(pilot, lambda: "The last watchlist stays" in text_of(pilot))

    assert desk.broker.known_watchlists == [MAIN]
