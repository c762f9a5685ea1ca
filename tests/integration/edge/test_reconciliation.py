"""After a logon each open order of ours is compared with the venue's; nothing is sent twice."""

import itertools
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.integration.exchange.venue_process import write_clock
from tests.support.eventually import wait_until
from tests.support.fix_desk import Desk
from tests.support.valkey import valkey_server

#: The venue's clock begins here.
FIRST = datetime(2026, 11, 23, 6)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with valkey_server(durable=True) as streams:
        built = Desk(tmp_path, streams, DROP_COPY="true")
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
    wait_until(lambda: set(desk.ledger.statuses().values()) == {"0"})
    desk.gateway.kill()
    lost, unsent = desk.resting(), desk.resting()
    desk.ledger.place(lost, status="0")  # acknowledged, says the ledger
    desk.ledger.place(unsent)  # its command went down with the streams
    desk.ledger.forget(unknown)
    desk.ledger.forget(unequal)
    desk.ledger.place(msgspec.structs.replace(unequal, quantity=unequal.quantity + 1), status="0")
    desk.gateway.start()
    wait_until(lambda: len(desk.ledger.differences()) == 3)
    assert desk.ledger.differences() == {
        ("LOST_ORDER", str(lost.order_id)),
        ("UNKNOWN_ORDER", str(unknown.order_id)),
        ("UNEQUAL_ORDER", str(unequal.order_id)),
    }
    wait_until(lambda: desk.ledger.statuses()[unsent.order_id] == "0")
    figures = desk.gateway.metrics()
    assert figures['outcry_gateway_differences{kind="LOST_ORDER",session="OUTCRY-O1"}'] == 1.0

    def at_venue() -> dict[int, str]:
        rows = desk.venue.get("/orders")["orders"]
        return {int(o["cl_ord_id"].partition("-")[0]): o["status"] for o in rows}

    # No hold covers what the ledger has no working order for: that alone is cancelled there.
    wait_until(lambda: at_venue()[unknown.order_id] == "CANCELED")
    assert at_venue() == {
        equal.order_id: "NEW", unknown.order_id: "CANCELED", unequal.order_id: "NEW",
        unsent.order_id: "NEW",
    }  # fmt: skip
    assert "4" not in desk.exec_types(unknown)  # nor is the ledger told of its end


def test_a_lost_fill_comes_back_by_the_drop_copy_and_one_that_only_we_have_is_noted(
    desk: Desk,
) -> None:
    lost, kept = desk.order(), desk.order()
    for order in (lost, kept):
        desk.place(order)
    wait_until(desk.settled)
    desk.gateway.kill()
    booked = desk.ledger.fills()
    desk.ledger.lose_fill(lost)
    (exec_id,) = (name for name, fill in booked.items() if fill[0] == kept.order_id)
    desk.ledger.invent_fill("2026-11-23-999", exec_id)
    desk.gateway.start()
    wait_until(desk.gateway.ready)
    desk.place(desk.resting())  # told to the copy too: all before it has been
    times = (FIRST + timedelta(minutes=10 * n) for n in itertools.count(1))

    def compared(expected: set[tuple[str, str]]) -> bool:
        write_clock(desk.venue.clock, f"{next(times):%Y-%m-%dT%H:%M:%SZ}")
        deadline = time.monotonic() + 2
        while desk.ledger.differences() != expected:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    alone = ("UNKNOWN_FILL", "2026-11-23/2026-11-23-999")
    wait_until(lambda: compared({alone}))
    assert desk.ledger.fills() == booked | {"2026-11-23-999": booked[exec_id]}
