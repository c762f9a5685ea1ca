"""Triggers, plans, linked exits and alerts, as a trader meets them."""

from datetime import timedelta

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal import LADDERS, ORDERS, PLANS, order, plan
from tests.support.terminal_prices import NOON
from tui.client.models import Alert, Cause, HistoryStep, OrderDetail, Reason, Trigger
from tui.screens.alerts import AlertsDialog
from tui.screens.detail import OrderDialog, PlanDialog
from tui.screens.dialogs import ConfirmDialog
from tui.widgets.blotter import Blotter
from tui.widgets.plans import Plans
from tui.widgets.ticket import Ticket
from tui.widgets.waiting import Waiting

SIZE = (120, 36)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.broker.known_orders = [*ORDERS, *LADDERS]
    desk.broker.known_plans = PLANS
    return desk


async def _ready(pilot: Pilot[None]) -> None:
    await settle(pilot, lambda: is_live(pilot) and " IST" in text_of(pilot))


async def test_a_waiting_order_is_cancelled_with_the_key_of_any_order(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await _ready(pilot)
        await pilot.press("t", "end", "c")
        await settle(pilot, lambda: "Cancel SELL 5 TCS" in text_of(pilot))
        await pilot.press("y")
        await settle(pilot, lambda: desk.broker.cancelled == ["2007"])


async def test_cancelling_one_exit_says_that_the_other_goes_too(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await _ready(pilot)
        await pilot.press("t", "home", "c")
        await settle(pilot, lambda: "The other exit of its pair" in text_of(pilot))


async def test_a_plan_moves_by_itself_and_ends_with_the_same_key(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await _ready(pilot)
        await pilot.press("l")
        await settle(pilot, lambda: "164/600" in text_of(pilot))
        desk.broker.known_plans = [plan(filled_quantity=200), *PLANS[1:]]
        child = order("3102", symbol="TCS", parent_order_id="3001", status="FILLED", user_seq=8)
        desk.feed.send(child)
        await settle(pilot, lambda: "200/600" in text_of(pilot))

        pilot.app.screen.query_one(Plans).cursor_key = "3001"
        await pilot.press("c")
        await settle(pilot, lambda: "End the TWAP BUY TCS" in text_of(pilot))
        await pilot.press("y")
        await settle(pilot, lambda: "ending" in text_of(pilot))

    assert desk.broker.plans_cancelled == ["3001"]


async def test_an_order_shows_its_life_with_causes(desk: Desk) -> None:
    fired = Trigger(why="PRICE", time=NOON, price=desk.broker.known_orders[0].price)
    desk.broker.details["1004"] = OrderDetail(
        order_id="1004",
        history=[
            HistoryStep(seq=1, time=NOON, kind="ORDER_PLACED", status="TRIGGER_PENDING"),
            HistoryStep(seq=2, time=NOON, kind="ORDER_RELEASED", status="PENDING", trigger=fired),
            HistoryStep(
                seq=3, time=NOON, kind="ORDER_MODIFIED", status="OPEN",
                cause=Cause(code="SIBLING_FILLED", order_id="77"),
            ),
        ],
        linked=[order("77", leg="TARGET", status="FILLED")],
    )  # fmt: skip
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await _ready(pilot)
        pilot.app.screen.query_one(Blotter).cursor_key = "1004"
        await pilot.press("o", "enter")
        await settle(pilot, lambda: "a trade at 3,950.00, 12:00:00" in text_of(pilot))
        said = text_of(pilot)
        assert "the other exit filled (#77)" in said
        assert "Linked: #77 target filled" in said
        await pilot.press("escape")
        await settle(pilot, lambda: not isinstance(pilot.app.screen, OrderDialog))


async def test_a_plans_slices_move_while_they_are_looked_at(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await _ready(pilot)
        await pilot.press("l", "home", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, PlanDialog))
        await settle(pilot, lambda: "25 of 50" in text_of(pilot))
        moved = msgspec.structs.replace(PLANS[1], filled_quantity=30, version=4)
        desk.broker.known_plans = [moved]
        desk.feed.send(msgspec.structs.replace(moved, slices=None, user_seq=8))
        await settle(pilot, lambda: "30 of 50" in text_of(pilot))


async def test_an_alert_is_told_counted_and_kept_until_it_is_read(desk: Desk) -> None:
    words = "5 TCS are not out yet: the order rests at 3,880.00"
    alert = Alert(code="EXIT_UNFILLED", message=words, user_seq=8, order_id="1004", symbol="TCS")
    async with desk.terminal.run_test(size=SIZE, notifications=True) as pilot:
        await _ready(pilot)
        desk.feed.send(alert)
        await settle(pilot, lambda: words in text_of(pilot) and "1 alert · a" in text_of(pilot))
        desk.feed.send(alert)
        reason = Reason(code="INSUFFICIENT_HOLDINGS", message="none to sell")
        denied = order(
            "2007", symbol="TCS", side="SELL", quantity=5, status="DENIED", version=2,
            reason=reason, user_seq=9,
        )  # fmt: skip
        desk.feed.send(denied)
        await settle(pilot, lambda: "2 alerts · a" in text_of(pilot))
        await pilot.press("a")
        await settle(pilot, lambda: isinstance(pilot.app.screen, AlertsDialog))
        await settle(pilot, lambda: "Refused at trigger" in text_of(pilot))
        await pilot.press("down")
        await settle(pilot, lambda: text_of(pilot).count(words[:20]) >= 2)
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(pilot.app.focused, Blotter))
        assert pilot.app.screen.query_one(Blotter).cursor_key == "1004"
        assert "alerts · a" not in text_of(pilot)


async def test_what_a_lost_connection_kept_back_is_told_once_it_is_loaded(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await _ready(pilot)
        fired = order("2007", symbol="TCS", side="SELL", quantity=5, status="OPEN", version=2)
        desk.broker.known_orders = [*ORDERS, *LADDERS[:-1], fired]
        desk.feed.reload()
        await settle(pilot, lambda: "!1" in text_of(pilot))
        desk.feed.reload()
        await pilot.press("a")
        await settle(pilot, lambda: "has gone to the exchange" in text_of(pilot))


async def _write(pilot: Pilot[None], kind: str, **figures: str) -> None:
    """Write an order of a type into the ticket, as the fields would be filled by hand."""
    ticket = pilot.app.screen.query_one(Ticket)
    ticket.query_one("#type").value = kind  # type: ignore[attr-defined]
    await pilot.pause()
    for name, text in figures.items():
        ticket.query_one(f"#{name}", Input).value = text
    await pilot.press("enter")
    await settle(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))


async def test_a_bracket_is_sent_with_its_exits(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await _ready(pilot)
        await pilot.press("s")
        await _write(pilot, "BRACKET", quantity="10", trigger_price="2900", target_price="3050")
        await settle(pilot, lambda: "BRACKET, LIMIT · DAY" in text_of(pilot))
        await pilot.press("enter")
        await settle(pilot, lambda: bool(desk.broker.placed))

    (body,) = desk.broker.placed
    assert body["exits"] == {"stop": {"trigger_price": "2900"}, "target": {"price": "3050"}}
    assert (body["side"], body["validity"]) == ("BUY", "DAY")


async def test_an_oco_takes_the_side_that_leaves_a_holding(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await _ready(pilot)
        await pilot.press("b")
        figures = {"quantity": "5", "trigger_price": "2900", "price": "2890"}
        await _write(pilot, "OCO", **figures, target_price="3050")
        await settle(pilot, lambda: "OCO · GTT" in text_of(pilot))
        await pilot.press("enter")
        await settle(pilot, lambda: bool(desk.broker.placed))

    (body,) = desk.broker.placed
    assert (body["side"], body["validity"], body["target_price"]) == ("SELL", "GTT", "3050")


async def test_a_plan_is_opened_from_now_and_leads_to_the_order_desk(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await _ready(pilot)
        await pilot.press("b")
        await _write(pilot, "TWAP", quantity="90", price="", minutes="30", interval_minutes="10")
        await settle(pilot, lambda: "30 min, every 10" in text_of(pilot))
        assert "3, of 30 shares each" in text_of(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: bool(desk.broker.opened))
        await settle(pilot, lambda: isinstance(pilot.app.focused, Plans))

    (body,) = desk.broker.opened
    assert body["ends_at"] == (NOON + timedelta(minutes=30)).isoformat()
    assert "price" not in body


async def test_what_is_missing_of_a_plan_is_said_at_its_field(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await _ready(pilot)
        await pilot.press("b", "9")
        pilot.app.screen.query_one(Ticket).query_one("#type").value = "ICEBERG"  # type: ignore[attr-defined]
        await pilot.press("enter")
        await settle(pilot, lambda: "2 to 50" in text_of(pilot))
        await settle(
            pilot, lambda: pilot.app.focused is not None and pilot.app.focused.id == "legs"
        )


async def test_buying_from_the_order_desk_leads_to_the_ticket(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await _ready(pilot)
        await pilot.press("t", "end", "b", "1")
        await settle(pilot, lambda: pilot.app.screen.query_one(Ticket).draft.symbol == "TCS")
        assert "Ticket" in text_of(pilot)
        await pilot.press("escape", "2")
        await settle(pilot, lambda: isinstance(pilot.app.focused, Blotter))
        assert pilot.app.screen.query_one(Waiting).display
        await pilot.press("1")
        await settle(pilot, lambda: "Watchlist" in text_of(pilot))
