"""A stop in the running stack: it fires once, though what watches its price is killed."""

from decimal import Decimal
from typing import Any

from tests.support.stack import Stack
from tests.support.trader import FINAL, Trader, eventually

FIRE_SECONDS = 180
TICK = Decimal("0.10")


def stop(trader: Trader, side: str, trigger: Decimal) -> Any:
    return trader.place(
        symbol="INFY", side=side, type="STOP", quantity=1, trigger_price=str(trigger)
    )


def test_a_stop_fires_once_after_its_watcher_was_killed(stack: Stack) -> None:
    trader = stack.new_trader()
    bought = trader.place(symbol="INFY", side="BUY", type="MARKET", quantity=1).json()
    trader.wait_for(bought["order_id"], {"FILLED"}, FIRE_SECONDS)

    def around() -> list[str] | None:
        """A stop on either side of the last price; None when it has moved in between."""
        price = trader.price("INFY")
        answers = [
            stop(trader, "BUY", price + TICK), stop(trader, "SELL", price - TICK)
        ]  # fmt: skip
        placed = [a.json()["order_id"] for a in answers if a.status_code == 202]
        if len(placed) == 2:
            return placed
        for order_id in placed:
            trader.http.delete(f"/v1/orders/{order_id}")
        return None

    stops = eventually(around, bool, FIRE_SECONDS)
    stack.kill("triggers")

    def fired() -> list[Any]:
        orders = [trader.order(order_id) for order_id in stops]
        return [o for o in orders if o["status"] in FINAL]

    (order, *_) = eventually(fired, bool, FIRE_SECONDS)
    assert order["status"] == "FILLED", order
    kinds = [row["kind"] for row in order["history"]]
    assert kinds.count("ORDER_RELEASED") == 1
    (seen,) = [row["trigger"] for row in order["history"] if row["trigger"] is not None]
    reached, trigger = Decimal(seen["price"]), Decimal(order["trigger_price"])
    assert reached >= trigger if order["side"] == "BUY" else reached <= trigger
    assert sum(fill["quantity"] for fill in order["fills"]) == 1
    trader.http.delete("/v1/orders")
    stack.wait_ready()
    verified = stack.outcry("ledger", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    # What waited and was cancelled never was at the venue.
    eventually(lambda: stack.outcry("reconcile"), lambda done: done.returncode == 0, FIRE_SECONDS)
