"""Pictures of the screens at three sizes. Look at a changed one before accepting it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.screens.conftest import Desk, settle, still, text_of
from tests.support.terminal import LADDERS, ORDERS, PLANS, REFUSED
from tui.client.broker import Link
from tui.client.models import Alert

SIZES = [(80, 24), (120, 36), (200, 50)]
SnapCompare = Callable[..., bool]


def _shows(*words: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: all(word in text_of(pilot) for word in words)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_desk(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    desk.broker.known_orders = ORDERS
    run = still(until=_shows("2 working"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_order_the_broker_would_refuse(
    snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]
) -> None:
    desk.broker.preview_answer = REFUSED
    run = still("b", "5", "0", "0", until=_shows("max 328"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_order_that_waits(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    keys = ("s", "5", "shift+tab", "right", "right", "right", "tab", "tab", *"2900")
    run = still(*keys, until=_shows("STOP LIMIT", "2900"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_order_desk(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    desk.broker.known_orders = [*ORDERS, *LADDERS]
    desk.broker.known_plans = PLANS
    run = still("2", until=_shows("2 at work", "12:06:00", "−0.75%"))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_bracket(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    keys = ("b", "5", "shift+tab", *["right"] * 4, "tab", "tab", *"2900", "tab", "tab", *"3050")
    run = still(*keys, until=_shows("BRACKET", "3050", "Value "))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_alerts(snap_compare: SnapCompare, desk: Desk, size: tuple[int, int]) -> None:
    message = "10 TCS are not out yet: the order rests at 3950.00, the protected price"
    alert = Alert(code="EXIT_UNFILLED", message=message, user_seq=8, order_id="1004", symbol="TCS")
    desk.broker.known_orders = ORDERS

    async def run(pilot: Pilot[None]) -> None:
        await still(until=_shows(" IST"))(pilot)
        desk.feed.send(alert)
        unread = pilot.app.screen.query_one("#unread")
        await settle(pilot, lambda: unread.display)
        pilot.app.clear_notifications()  # of this screen; the next one is shown above it
        await pilot.press("a")
        await settle(pilot, lambda: "Exit unfilled" in text_of(pilot))
        await settle(pilot, lambda: "▌" not in text_of(pilot))

    assert snap_compare(desk.terminal, terminal_size=size, run_before=run)


@pytest.mark.parametrize("key", ["h", "p"])
def test_the_books_on_a_small_screen(snap_compare: SnapCompare, desk: Desk, key: str) -> None:
    run = still(key, until=_shows("settled" if key == "h" else "bought"))

    assert snap_compare(desk.terminal, terminal_size=(80, 24), run_before=run)


def test_the_confirmation(snap_compare: SnapCompare, desk: Desk) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await still("b", "1", "0", until=_shows("₹29,505.00"))(pilot)
        await pilot.press("enter")
        await pilot.pause()

    assert snap_compare(desk.terminal, terminal_size=(80, 24), run_before=run)


def test_real_money_looks_different(snap_compare: SnapCompare, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "terminal", mode="LIVE")
    run = still(until=_shows("real money"))

    assert snap_compare(desk.terminal, terminal_size=(80, 24), run_before=run)


def test_a_lost_connection_greys_every_price(snap_compare: SnapCompare, desk: Desk) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await still(until=_shows("live"))(pilot)
        assert desk.feed.listener is not None
        desk.feed.listener.link(Link.RECONNECTING, "closed with 1006")
        await still(until=_shows("reconnecting"))(pilot)

    assert snap_compare(desk.terminal, terminal_size=(80, 24), run_before=run)


def test_the_keys(snap_compare: SnapCompare, desk: Desk) -> None:
    run = still("question_mark", until=_shows("Keys"))

    assert snap_compare(desk.terminal, terminal_size=(80, 24), run_before=run)


def test_the_sign_in(snap_compare: SnapCompare, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "terminal", signs_itself_in=False)

    async def run(pilot: Pilot[None]) -> None:
        for field in pilot.app.screen.query("Input"):
            field.cursor_blink = False  # type: ignore[attr-defined]
        await pilot.pause()

    assert snap_compare(desk.terminal, terminal_size=(80, 24), run_before=run)
