"""Search, movers and charts: what keys do, and what is on screen when the broker can't answer."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from textual.pilot import Pilot

from outcry_client.errors import SignedOutError
from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal_prices import NOON, QUOTES, WIPRO, day_of_candles, quote
from tui.client.broker import RefusedError, UnreachableError
from tui.client.models import Fill, Problem
from tui.client.prices import Found
from tui.screens.chart import ChartScreen
from tui.screens.login import LoginScreen
from tui.screens.search import SearchScreen
from tui.screens.trading import TradingScreen
from tui.widgets.ticket import Ticket

SIZE = (120, 36)


async def open_search(pilot: Pilot[None], text: str = "") -> None:
    await settle(pilot, lambda: is_live(pilot))
    await pilot.press("slash")
    await settle(pilot, lambda: "Movers of the day" in text_of(pilot))
    await pilot.press(*text)


async def open_chart(pilot: Pilot[None]) -> None:
    await settle(pilot, lambda: is_live(pilot))
    await pilot.press("g")
    await settle(pilot, lambda: isinstance(pilot.app.screen, ChartScreen))


async def test_the_broker_is_asked_once_when_typing_pauses(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "wipro")
        await settle(pilot, lambda: "Wipro Limited" in text_of(pilot))

    assert desk.broker.searched == ["wipro"]


async def test_what_is_found_gets_its_live_price(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "wip")
        await settle(pilot, lambda: "511.30" in text_of(pilot))
        assert "WIPRO" in desk.feed.watched
        assert desk.feed.listener is not None

        desk.feed.listener.quotes([quote("WIPRO", "512.75", "1.45", "0.28")])
        await settle(pilot, lambda: "512.75" in text_of(pilot) and "+0.28%" in text_of(pilot))

        await pilot.press("escape")
        await settle(pilot, lambda: "WIPRO" not in desk.feed.watched)


async def test_enter_opens_what_is_found_even_before_the_answer(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "wip")
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ChartScreen))

    assert desk.broker.candles_asked[0][:2] == ("WIPRO", "5m")


async def test_plus_adds_and_stays(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "wip")
        await settle(pilot, lambda: "511.30" in text_of(pilot))
        await pilot.press("plus")
        await settle(pilot, lambda: "WIPRO is on the watchlist" in text_of(pilot))
        await pilot.press("plus")
        await settle(pilot, lambda: "on the watchlist already" in text_of(pilot))
        assert isinstance(pilot.app.screen, SearchScreen)

        await pilot.press("escape")
        await settle(
            pilot,
            lambda: isinstance(pilot.app.screen, TradingScreen) and "WIPRO" in text_of(pilot),
        )


@pytest.mark.parametrize(("key", "side"), [("b", "BUY"), ("s", "SELL")])
async def test_a_key_in_the_results_opens_the_ticket(desk: Desk, key: str, side: str) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "wip")
        await settle(pilot, lambda: "511.30" in text_of(pilot))
        assert desk.feed.listener is not None
        desk.feed.listener.quotes([quote("WIPRO", "512.75")])
        await settle(pilot, lambda: "512.75" in text_of(pilot))
        await pilot.press("down", key)
        await settle(pilot, lambda: isinstance(pilot.app.screen, TradingScreen))
        await pilot.press("1", "0")
        request = pilot.app.screen.query_one(Ticket).request
        assert request is not None

    assert (request.symbol, request.side) == ("WIPRO", side)


async def test_letters_in_the_field_are_text(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "sbs")
        await settle(pilot, lambda: bool(desk.broker.searched))
        assert isinstance(pilot.app.screen, SearchScreen)

    assert desk.broker.searched == ["sbs"]


async def test_the_movers_have_three_lists(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot)
        await settle(pilot, lambda: "+1.47%" in text_of(pilot))
        await pilot.press("down", "right")
        await settle(pilot, lambda: "[Losers]" in text_of(pilot) and "HDFCBANK" in text_of(pilot))
        await pilot.press("left", "left")
        await settle(pilot, lambda: "[Volume]" in text_of(pilot) and "TCS" in text_of(pilot))

    assert desk.broker.movers_asked == ["GAINERS", "LOSERS", "GAINERS", "VOLUME"]


@pytest.mark.parametrize(
    ("found", "fails", "said"),
    [
        (Found(items=[]), None, "Nothing is called wip"),
        (Found(items=[WIPRO], degraded=True), None, "The search engine is away"),
        (Found(items=[]), UnreachableError("no route to the broker"), "no route to the broker"),
        (
            Found(items=[]),
            RefusedError(Problem(code="TOO_MANY_REQUESTS", detail="again in 3 s")),
            "again in 3 s",
        ),
    ],
)
async def test_what_a_search_did_not_bring_is_said(
    desk: Desk, found: Found, fails: Exception | None, said: str
) -> None:
    desk.broker.found, desk.broker.search_fails = found, fails
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_search(pilot, "wip")
        await settle(pilot, lambda: said in text_of(pilot))


async def test_the_last_candle_follows_the_price(desk: Desk) -> None:
    desk.broker.known_candles = day_of_candles()
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_chart(pilot)
        await settle(pilot, lambda: "┃" in text_of(pilot))
        at = int((NOON - timedelta(minutes=3)).timestamp() * 1000)
        assert desk.feed.listener is not None
        moved = msgspec.structs.replace(QUOTES[1], ltp=Decimal("3999.95"), timestamp=at)
        desk.feed.listener.quotes([moved])
        await settle(pilot, lambda: "C 3,999.95" in text_of(pilot))


async def test_arrows_move_the_crosshair_and_escape_takes_it_away_first(desk: Desk) -> None:
    candles = desk.broker.known_candles = day_of_candles()
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_chart(pilot)
        await settle(pilot, lambda: "11:55  O" in text_of(pilot))
        await pilot.press("left", "left")
        await settle(pilot, lambda: "11:45  O" in text_of(pilot) and "┊" in text_of(pilot))
        await pilot.press("home", "up")
        await settle(pilot, lambda: "09:15  O" in text_of(pilot) and "┈" in text_of(pilot))
        await pilot.press("escape")
        await settle(pilot, lambda: "┊" not in text_of(pilot))
        assert isinstance(pilot.app.screen, ChartScreen)
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(pilot.app.screen, TradingScreen))

    assert len(candles) == 33


async def test_a_longer_range_asks_for_longer_candles(desk: Desk) -> None:
    desk.broker.known_candles = day_of_candles()
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_chart(pilot)
        for _ in range(6):
            await pilot.press("right_square_bracket")
        await settle(pilot, lambda: desk.broker.candles_asked[-1][1] == "week")

    symbol, _, first = desk.broker.candles_asked[-1]
    assert (symbol, first) == ("RELIANCE", NOON.date() - timedelta(days=1_827))


async def test_the_users_trades_are_marked(desk: Desk) -> None:
    desk.broker.known_candles = day_of_candles()
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        desk.feed.send(
            Fill(
                order_id="1003", symbol="RELIANCE", side="BUY", quantity=4,
                price=Decimal("2950.50"), exec_id="E9", user_seq=8,
                time=NOON - timedelta(minutes=30),
            )
        )  # fmt: skip
        await settle(pilot, lambda: "Bought" in text_of(pilot))
        await open_chart(pilot)
        await settle(pilot, lambda: "▲" in text_of(pilot))


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (None, "No candles are kept for it yet"),
        (RefusedError(Problem(code="NO_CANDLES")), "No candles are kept for it yet"),
        (UnreachableError("no route"), "Candles can't be read: no route"),
    ],
)
async def test_a_chart_without_candles_says_why(
    desk: Desk, fails: Exception | None, said: str
) -> None:
    desk.broker.candles_fail = fails
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await open_chart(pilot)
        await settle(pilot, lambda: said in text_of(pilot))


async def test_the_palette_finds_symbols(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("ctrl+p")
        await pilot.press(*"wipro")
        await settle(pilot, lambda: "WIPRO  511.30" in text_of(pilot))
        await pilot.press("down", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ChartScreen))


@pytest.mark.parametrize("keys", ["slash", "g", "ctrl+p"])
async def test_a_session_that_ended_leads_back_to_the_sign_in(desk: Desk, keys: str) -> None:
    ended = SignedOutError("signed out elsewhere")
    desk.broker.search_fails = desk.broker.candles_fail = ended
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press(keys)
        await settle(pilot, lambda: not isinstance(pilot.app.screen, TradingScreen))
        await pilot.press(*("" if keys == "g" else "wip"))
        await settle(pilot, lambda: isinstance(pilot.app.screen, LoginScreen))
        await settle(pilot, lambda: "signed out elsewhere" in text_of(pilot))
