"""An entry with its exits in the running stack: one of them leaves the position, the other ends."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.stack import Stack
from tests.support.trader import eventually

FIRE_SECONDS = 120
TICK = Decimal("0.10")
QUANTITY = 3


@pytest.mark.timeout(400)
def test_an_entry_is_left_once_by_one_of_its_exits(stack: Stack) -> None:
    trader = stack.new_trader()

    def entered() -> Any:
        """An entry with exits two ticks away; None when the price has moved in between."""
        price = trader.price("INFY")
        exits = {
            "stop": {"trigger_price": str(price - 2 * TICK)},
            "target": {"price": str(price + 2 * TICK)},
        }
        answer = trader.place(
            symbol="INFY", side="BUY", type="MARKET", quantity=QUANTITY, exits=exits
        )
        return answer.json() if answer.status_code == 202 else None

    entry = eventually(entered, bool, FIRE_SECONDS)
    trader.wait_for(entry["order_id"], {"FILLED"}, FIRE_SECONDS)
    stack.kill("triggers")

    def left() -> list[Any]:
        return [
            trader.order(leg["order_id"])
            for leg in trader.order(entry["order_id"])["linked"]
            if leg["status"] not in {"TRIGGER_PENDING", "PENDING", "OPEN", "PARTIALLY_FILLED"}
        ]

    legs = eventually(
        left, lambda found: sum(leg["filled_quantity"] for leg in found) == QUANTITY, FIRE_SECONDS
    )
    assert all(leg["parent_order_id"] == entry["order_id"] for leg in legs)
    assert {leg["status"] for leg in legs} >= {"FILLED", "CANCELLED"}
    (ended,) = [leg for leg in legs if leg["status"] == "CANCELLED"]
    assert ended["reason"]["code"] == "SIBLING_FILLED"
    assert not [h for h in trader.get("/v1/holdings")["items"] if h["symbol"] == "INFY"]
    stack.wait_ready()
    for command in ("verify", "rebuild"):
        done = stack.outcry("ledger", command)
        assert done.returncode == 0, done.stdout + done.stderr
    # The exit that ended never was at the venue.
    eventually(lambda: stack.outcry("reconcile"), lambda done: done.returncode == 0, FIRE_SECONDS)
