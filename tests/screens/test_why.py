"""Why an order stands where it does: the chain from intent to ledger."""

from datetime import date
from decimal import Decimal

from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal import ORDERS
from tests.support.terminal_prices import NOON
from tui.client.chain import ChainFill, ChainStep, LedgerRow, OrderChain, StepFill
from tui.client.models import RuleFailure
from tui.screens.why import WhyDialog
from tui.state.why import links
from tui.widgets.blotter import Blotter

FILLED = OrderChain(
    order_id="1002",
    client_order_id="mine-1",
    venue_order_id="V77",
    history=[
        ChainStep(seq=4, time=NOON, kind="ORDER_PLACED", quantity=10),
        ChainStep(seq=5, time=NOON, kind="ORDER_ACCEPTED", quantity=10),
        ChainStep(
            seq=6, time=NOON, kind="ORDER_FILLED",
            fill=StepFill(exec_id="E1", quantity=10, price=Decimal("2949.40")),
        ),
    ],
    fills=[
        ChainFill(
            exec_id="E1", quantity=10, price=Decimal("2949.40"), value=Decimal("29494.00"),
            charges=Decimal("33.93"), settles_on=date(2026, 7, 13),
            charges_by_head={"stt": Decimal("29.50"), "stamp": Decimal("4.43"), "gst": Decimal(0)},
        )
    ],
    ledger=[
        LedgerRow(seq=4, kind="ORDER_PLACED", cash_change=Decimal(0), cash=Decimal("1000000.00"),
                  held_change=Decimal("29559.36"), held=Decimal("29559.36")),
        LedgerRow(seq=6, kind="ORDER_FILLED", cash_change=Decimal("-29527.93"),
                  cash=Decimal("970472.07"), held_change=Decimal("-29559.36"), held=Decimal(0)),
    ],
)  # fmt: skip


def test_the_chain_goes_from_what_was_asked_to_the_money_that_moved() -> None:
    parts = [link.part for link in links(FILLED)]

    assert parts == [
        "Event", "Ledger", "Event", "Event", "Fill",
        "Charge", "Charge", "Charge", "Ledger", "Ledger",
    ]  # fmt: skip


def test_a_refusal_names_each_check_with_what_was_judged_and_its_limit() -> None:
    rule = RuleFailure(code="INSUFFICIENT_FUNDS", message="Too large", value="500", limit="100")
    step = ChainStep(seq=1, time=NOON, kind="ORDER_DENIED", rules=[rule])

    check = links(OrderChain(order_id="1", history=[step]))[1]

    assert (check.part, check.words, check.figure) == ("Check", "Too large", "500 · limit 100")


def test_a_line_has_a_key_that_no_other_has() -> None:
    keys = [link.key for link in links(FILLED)]

    assert len(keys) == len(set(keys))


async def test_w_on_an_order_shows_its_chain(desk: Desk) -> None:
    desk.broker.known_orders = ORDERS
    desk.broker.chains["1002"] = FILLED
    async with desk.terminal.run_test(size=(120, 36)) as pilot:
        await settle(pilot, lambda: is_live(pilot) and "2 working" in text_of(pilot))
        await pilot.press("o")
        pilot.app.screen.query_one(Blotter).cursor_key = "1002"
        await pilot.press("w")
        await settle(pilot, lambda: "execution E1" in text_of(pilot))

        said = text_of(pilot)
        for words in ("your number mine-1", "exchange's number V77", "₹33.93", "entry 6: cash"):
            assert words in said
        await pilot.press("escape")
        await settle(pilot, lambda: not isinstance(pilot.app.screen, WhyDialog))
