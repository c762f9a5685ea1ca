"""A session in FIX 4.2 beside one in 4.4: the same orders, the same life."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.shared.wire.commands import CancelOrder, ReplaceOrder, session_of_symbol
from tests.support.eventually import wait_until
from tests.support.fix_desk import Desk
from tests.support.valkey import valkey_server

#: One carried by each session, of two.
IN_44, IN_42 = "INFY", "SBIN"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with valkey_server(durable=True) as streams:
        built = Desk(tmp_path, streams, FIX_SESSIONS="OUTCRY-O1,OUTCRY-L1:FIX.4.2")
        try:
            built.open()
            yield built
        finally:
            built.close()


def test_orders_of_a_42_session_live_as_those_of_a_44_session_do(desk: Desk) -> None:
    assert [session_of_symbol(symbol, 2) for symbol in (IN_44, IN_42)] == [0, 1]
    taken = [desk.order(symbol) for symbol in (IN_44, IN_42)]
    rests = desk.resting(IN_42)
    for order in (*taken, rests):
        desk.place(order)
    wait_until(lambda: {desk.ledger.statuses()[o.order_id] for o in taken} == {"2"})
    wait_until(lambda: desk.ledger.statuses()[rests.order_id] == "0")
    desk.tell(taken[1])  # told twice: answered by its state, in both versions
    wait_until(lambda: "I" in desk.exec_types(taken[1]))
    same = {"order_id": rests.order_id, "user_id": rests.user_id, "symbol": IN_42, "side": "BUY"}
    desk.change(
        ReplaceOrder(
            **same, type="LIMIT", validity="DAY", quantity=7, price=rests.price, request=1,
            original=0,
        )
    )  # fmt: skip
    wait_until(lambda: desk.events(rests) == ["0", "5"])
    lost = desk.resting(IN_42)
    desk.gateway.kill()
    desk.ledger.place(lost, status="0")
    desk.gateway.start()
    wait_until(lambda: desk.ledger.differences() == {("LOST_ORDER", str(lost.order_id))})
    desk.change(CancelOrder(**same, quantity=7, request=2, original=1))
    wait_until(lambda: desk.events(rests) == ["0", "5", "4"])
    assert desk.settled()
    assert {o["session"] for o in desk.venue.get("/orders")["orders"]} == {"OUTCRY-O1", "OUTCRY-L1"}
