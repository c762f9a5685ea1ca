"""After a logon each open order of ours is compared with the venue's; nothing is sent twice."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.fix_desk import Desk, until
from tests.support.valkey import valkey_server


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with valkey_server(durable=True) as streams:
        built = Desk(tmp_path, streams)
        try:
            built.open()
            yield built
        finally:
            built.close()


def test_lost_unknown_and_unequal_orders_are_noted_and_an_unsent_one_is_sent_once(
    desk: Desk,
) -> None:
    equal, unknown, unequal = (desk.resting() for _ in range(3))
    for order in (equal, unknown, unequal):
        desk.place(order)
    until(lambda: set(desk.ledger.statuses().values()) == {"0"})
    desk.gateway.kill()
    lost, unsent = desk.resting(), desk.resting()
    desk.ledger.place(lost, status="0")  # acknowledged, says the ledger
    desk.ledger.place(unsent)  # its command went down with the streams
    desk.ledger.forget(unknown)
    desk.ledger.forget(unequal)
    desk.ledger.place(msgspec.structs.replace(unequal, quantity=unequal.quantity + 1), status="0")
    desk.gateway.start()
    until(lambda: len(desk.ledger.differences()) == 3)
    assert desk.ledger.differences() == {
        ("LOST_ORDER", str(lost.order_id)),
        ("UNKNOWN_ORDER", str(unknown.order_id)),
        ("UNEQUAL_ORDER", str(unequal.order_id)),
    }
    until(lambda: desk.ledger.statuses()[unsent.order_id] == "0")
    at_venue = [int(o["cl_ord_id"]) for o in desk.venue.get("/orders")["orders"]]
    assert sorted(at_venue) == sorted(o.order_id for o in (equal, unknown, unequal, unsent))
    figures = desk.gateway.metrics()
    assert figures['outcry_gateway_differences{kind="LOST_ORDER",session="OUTCRY-O1"}'] == 1.0
