"""What the terminal subscribes, and how a price that is not the market's now looks."""

import msgspec
from textual.pilot import Pilot

from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal_prices import quote
from tui.client.broker import Link
from tui.widgets.watchlist import Watchlist

MANY = [f"SYM{number:02}" for number in range(50)]


def _keep(desk: Desk, symbols: list[str]) -> None:
    desk.settings.home.mkdir(parents=True)
    (desk.settings.home / "watchlist.json").write_bytes(msgspec.json.encode(symbols))


def _watched(desk: Desk) -> set[str]:
    return {symbol for symbol in desk.feed.watched if symbol.startswith("SYM")}


async def test_only_the_symbols_in_view_are_subscribed_and_scrolling_moves_them(desk: Desk) -> None:
    _keep(desk, MANY)
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: bool(_watched(desk)))
        table = pilot.app.screen.query_one(Watchlist)
        first = set(MANY[: len(table.visible_keys)])
        assert 5 < len(first) < 20
        await settle(pilot, lambda: _watched(desk) == first)

        await pilot.press("end")

        last = set(MANY[-len(first) :])
        await settle(pilot, lambda: _watched(desk) == last)


async def test_a_price_scrolled_back_into_view_is_faint_until_it_is_heard_again(desk: Desk) -> None:
    _keep(desk, MANY)
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: "SYM00" in _watched(desk) and desk.feed.listener is not None)
        assert desk.feed.listener is not None
        desk.feed.listener.quotes([quote("SYM00", "100.05")])
        await settle(pilot, lambda: _tone(pilot) in ("plain", "lit-up"))
        await pilot.press("end")
        await settle(pilot, lambda: "SYM00" not in _watched(desk))

        await pilot.press("home")
        await settle(pilot, lambda: "SYM00" in _watched(desk))
        await settle(pilot, lambda: _tone(pilot) == "faint")

        desk.feed.listener.quotes([quote("SYM00", "100.05")])
        await settle(pilot, lambda: _tone(pilot) == "plain")


async def test_after_a_lost_connection_each_price_waits_for_its_snapshot(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(120, 36)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        assert desk.feed.listener is not None
        desk.feed.snapshots.clear()  # none comes before the test says so
        desk.feed.listener.link(Link.RECONNECTING, "closed with 1006")
        await settle(pilot, lambda: "reconnecting" in text_of(pilot))

        desk.feed.listener.link(Link.LIVE, "")
        await settle(pilot, lambda: "reconnecting" not in text_of(pilot))
        assert _tone(pilot, 1) == "faint"
        desk.feed.listener.quotes([quote("RELIANCE", "2950.50")])
        await settle(pilot, lambda: _tone(pilot, 1) == "plain")
        assert _tone(pilot, 2) == "faint"


def _tone(pilot: Pilot[None], index: int = 0) -> str:
    """How the last price of a row of the watchlist looks."""
    table = pilot.app.screen.query_one(Watchlist)
    return table._rows[index].cells[1].tone
