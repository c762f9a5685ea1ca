"""What a screen has no room for is said elsewhere, and comes back when there is room."""

import msgspec
from textual.pilot import Pilot

from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal import REFUSED, order
from tui.client.models import Reason, RuleFailure


async def test_what_has_no_room_beside_its_field_is_said_in_full_below(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("b", "enter")
        await settle(pilot, lambda: "Enter a quantity" in text_of(pilot))
        await pilot.press("1")
        await settle(pilot, lambda: "Enter a quantity" not in text_of(pilot))


def _orders(pilot: Pilot[None]) -> str:
    """The orders' pane of the small screen, which is all but the keys from there on."""
    return text_of(pilot).partition("Orders")[2].rpartition("\n")[0]


async def test_a_wide_screen_gives_the_orders_every_column_and_gives_them_back(desk: Desk) -> None:
    words = "the order needs more than what can be spent"
    reason = Reason(code="INSUFFICIENT_FUNDS", message=words)
    desk.broker.known_orders = [order("1001", status="DENIED", reason=reason)]
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot) and words in text_of(pilot))
        await settle(pilot, lambda: " IST" in text_of(pilot))  # the day, by which orders are dated
        small = _orders(pilot)
        await pilot.resize_terminal(200, 50)
        await settle(pilot, lambda: "Insufficient funds" in text_of(pilot))
        assert "LIMIT  " in text_of(pilot)
        await pilot.resize_terminal(260, 50)
        await settle(pilot, lambda: text_of(pilot).count(words) == 2)
        await pilot.resize_terminal(80, 24)
        await settle(pilot, lambda: _orders(pilot) == small)


async def test_a_long_refusal_of_a_stop_leaves_the_review_in_sight(desk: Desk) -> None:
    words = "the trigger is outside the day's band; a SELL waits for a price below the last one"
    rule = RuleFailure(code="TRIGGER_OUTSIDE_BAND", message=words, nearest="1516.00")
    desk.broker.preview_answer = msgspec.structs.replace(REFUSED, rules=[rule])
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("s", "1", "shift+tab", "right", "right", "tab", "tab", *"9999")
        await settle(pilot, lambda: "The trigger is outside" in text_of(pilot))
        assert "PAPER SELL   ↵ review" in text_of(pilot)
