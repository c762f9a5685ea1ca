"""A change that is asked for again is the same change, however much has happened since."""

from dataclasses import replace

import pytest

from edge.gateway.translate import command_fields
from functions.shared.bookkeeping import changing
from functions.shared.bookkeeping.placing import place
from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.commands import (
    CancelOrder,
    NewOrder,
    OrderCommand,
    ReplaceOrder,
    decode_command,
)
from functions.shared.wire.events import render_order
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, NOON, RUPEE, Trader, verdict


def modify(trader: Trader, order: int, key: str, quantity: int) -> changing.Changed:
    return changing.request_modify(
        trader.shards, trader.user_id, order, key, None, trader.today, trader.now,
        changing.Asked(quantity), quantity, verdict(Side.BUY, quantity, 100),
    )  # fmt: skip


def cancel(trader: Trader, order: int, key: str, version: int | None = None) -> changing.Changed:
    return changing.request_cancel(
        trader.shards, trader.user_id, order, key, version, trader.today, trader.now
    )


def test_a_change_asked_for_again_behind_a_later_one_is_not_made_anew(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    for number, quantity in enumerate((20, 30), 1):
        modify(trader, order, f"key {number}", quantity)
        trader.told(order, "5", request=number)
    again = modify(trader, order, "key 1", 20)
    assert (again.rules, again.order.quantity, again.order.pending_change) == ([], 30, None)
    assert trader.kinds().count("MODIFY_REQUESTED") == 2


def test_an_id_stands_for_the_body_it_was_first_sent_with(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    modify(trader, order, "key_1", 20)
    for said in ("", "5"):  # while the change is on its way, and after it
        if said:
            trader.told(order, said, request=1)
        with pytest.raises(Conflict, match="another body") as refused:
            modify(trader, order, "key_1", 30)
        assert refused.value.code == "ID_REUSED"
        assert modify(trader, order, "key_1", 20).order.version == (3 if said else 2)
    modify(trader, order, "keyX1", 30)  # another id: an underscore is no wildcard
    trader.told(order, "5", request=2)
    cancel(trader, order, "c")
    with pytest.raises(Conflict, match="another body"):
        cancel(trader, order, "c", version=1)
    assert trader.kinds().count("MODIFY_REQUESTED") == 2


def test_a_cancel_answered_with_one_under_way_is_no_cancel_of_its_own(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    cancel(trader, order, "key 1")
    assert cancel(trader, order, "key 2").order.pending_change == "CANCEL"
    trader.told(order, "9", request=1, exec_id="", reject_code=0)
    assert cancel(trader, order, "key 2").order.pending_change is None
    assert trader.kinds()[-3:] == ["CANCEL_REQUESTED", "CANCEL_REPEATED", "CHANGE_REFUSED"]


def test_a_change_that_was_denied_is_denied_again_under_its_id(new_trader: NewTrader) -> None:
    trader = new_trader(funds=1_100 * RUPEE)
    order = trader.buy(10)
    first = modify(trader, order, "key 1", 100)
    assert [rule["code"] for rule in first.rules] == ["INSUFFICIENT_FUNDS"]
    trader.deposit(LAKH)  # by now it would be taken
    assert modify(trader, order, "key 1", 100) == first
    with pytest.raises(Conflict, match="another body"):
        modify(trader, order, "key 1", 20)
    assert modify(trader, order, "key 2", 100).rules == []
    assert trader.kinds()[-3:] == ["CHANGE_DENIED", "DEPOSITED", "MODIFY_REQUESTED"]


def test_a_conflict_uses_up_no_id(new_trader: NewTrader) -> None:
    trader = new_trader()
    order = trader.buy(10)
    with pytest.raises(Conflict):
        cancel(trader, order, "key", version=7)
    assert cancel(trader, order, "key").order.pending_change == "CANCEL"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["SQ-1"], "SQUARED_OFF"),
        (["SQ-1", "mine"], "SQUARED_OFF"),  # the broker's was on its way already
        (["mine", "SQ-1"], None),
        (["SQ-1", "refused", "mine"], None),  # the venue had refused the broker's
    ],
)
def test_an_order_is_squared_off_when_the_cancel_in_flight_is_the_brokers(
    new_trader: NewTrader, asked: list[str], reason: str | None
) -> None:
    trader = new_trader()
    order = trader.buy(10, product=Product.MIS)
    for key in asked:
        if key == "refused":
            trader.told(order, "9", request=1, exec_id="", reject_code=0)
        else:
            cancel(trader, order, key)
    trader.told(order, "4", request=trader.kinds().count("CANCEL_REQUESTED"))
    assert trader.order(order).status == "CANCELLED"
    assert trader.order(order).reason_code == reason


def test_a_cancel_under_the_id_of_a_change_is_asked_for_all_the_same(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    modify(trader, order, "key", 20)
    trader.told(order, "5", request=1)
    assert cancel(trader, order, "key").order.pending_change == "CANCEL"
    assert cancel(trader, order, "key").order.version == 4
    assert trader.kinds().count("CANCEL_REQUESTED") == 1


def test_an_order_is_changed_twenty_five_times_and_can_then_be_cancelled(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    for number in range(1, 26):
        assert modify(trader, order, f"key {number}", 10 + number).rules == []
        trader.told(order, "5" if number % 5 else "9", request=number, reject_code=0)
    refused = modify(trader, order, "key 26", 99)
    assert [(r["code"], r["value"], r["limit"]) for r in refused.rules] == [
        ("TOO_MANY_CHANGES", "26", "25")
    ]
    assert modify(trader, order, "key 25", 35).rules == []  # asked for again, it is that one
    assert cancel(trader, order, "last").order.pending_change == "CANCEL"


def test_changes_that_were_refused_neither_make_room_nor_take_an_accepted_ones_answer(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    for number in range(1, 26):
        assert modify(trader, order, f"key {number}", 10 + number).rules == []
        trader.told(order, "5", request=number)
        for again in range(6):
            assert modify(trader, order, f"too much {number}.{again}", 10**6).rules
    refused = modify(trader, order, "key 26", 99)
    assert [r["code"] for r in refused.rules] == ["TOO_MANY_CHANGES"]
    first = modify(trader, order, "key 1", 11)  # asked for again, it is that one
    assert (first.rules, first.order.pending_change, first.order.quantity) == ([], None, 35)
    cancel(trader, order, "mine")
    for again in range(120):
        cancel(trader, order, f"again {again}")
    assert modify(trader, order, "key 1", 11).rules == []


def commands(trader: Trader) -> list[OrderCommand]:
    """What the venue is told of the trader's orders, in order."""
    rows = trader.database().run(
        "SELECT command FROM ledger.outbox WHERE user_id = :u AND command IS NOT NULL ORDER BY id",
        u=trader.user_id,
    )
    return [decode_command(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("answer", "original", "quantity"), [("5", 1, 20), ("9", 0, 10)], ids=["replaced", "refused"]
)
def test_a_cancel_during_a_change_goes_out_when_the_change_is_answered(
    new_trader: NewTrader, answer: str, original: int, quantity: int
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    modify(trader, order, "change", 20)
    taken = cancel(trader, order, "stop").order
    assert render_order(taken)["pending_change"] == "CANCEL"
    assert cancel(trader, order, "stop again").order.version == taken.version
    with pytest.raises(Conflict, match="on its way"):
        modify(trader, order, "too late", 30)
    assert [type(each) for each in commands(trader)] == [NewOrder, ReplaceOrder]

    trader.told(order, answer, request=1, reject_code=0)
    asked = trader.order(order)
    assert (asked.pending_change, asked.quantity, asked.cancel_waits) == ("CANCEL", quantity, False)
    sent = commands(trader)[-1]
    assert isinstance(sent, CancelOrder)
    assert (sent.request, sent.original, sent.quantity) == (2, original, quantity)
    trader.told(order, "4", request=2)
    assert trader.order(order).status == "CANCELLED"
    assert trader.funds().held == 0


def test_a_cancel_that_waits_is_dropped_when_the_order_is_filled_before(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(10)
    modify(trader, order, "change", 20)
    cancel(trader, order, "stop")
    trader.fill(order, 10)
    filled = trader.order(order)
    assert (filled.status, filled.pending_change, filled.cancel_waits) == ("FILLED", None, False)
    assert [type(each) for each in commands(trader)] == [NewOrder, ReplaceOrder]


def test_the_shown_part_of_an_order_goes_to_the_venue_and_stays_when_it_is_replaced(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    wanted = trader.placement(Side.BUY, 100)
    wanted = replace(wanted, intent=replace(wanted.intent, disclosed=10))
    placed = place(trader.shards, wanted)
    assert placed.order is not None
    assert placed.order.disclosed_quantity == 10
    modify(trader, placed.order.order_id, "change", 90)
    new, changed = commands(trader)
    assert isinstance(new, NewOrder)
    assert isinstance(changed, ReplaceOrder)
    assert (new.disclosed, changed.disclosed) == (10, 10)
    assert (111, "10") in command_fields(changed, NOON)
