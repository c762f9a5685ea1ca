"""A shard is added to a running stack and slots move to it while their users trade over HTTP."""

import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import httpx
import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import FINAL, Trader, eventually

# Beside the others that break a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("broken stacks")

TRADERS = 3
ORDERS = 40
SETTLE_SECONDS = 120
NEW_SHARD = 2


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own: its slots don't stay where they were."""
    with own_stack() as running:
        yield running


def trade(trader: Trader, placed: list[str]) -> None:
    """Orders that fill and orders that rest; only a 503 is asked again, with the same id."""
    price = trader.price("INFY")
    for number in range(ORDERS):
        limit = price * Decimal("0.97" if number % 4 == 0 else "1.01")
        body = {
            "client_order_id": str(uuid.uuid4()), "symbol": "INFY", "side": "BUY", "type": "LIMIT",
            "quantity": 1, "price": str(limit.quantize(Decimal(1))),
        }  # fmt: skip
        deadline = time.monotonic() + SETTLE_SECONDS
        while (answer := trader.http.post("/v1/orders", json=body)).status_code == 503:
            assert time.monotonic() < deadline, answer.text
            time.sleep(float(answer.headers["Retry-After"]) / 10)
        assert answer.status_code in {httpx.codes.OK, httpx.codes.ACCEPTED}, answer.text
        placed.append(answer.json()["order_id"])


def settled(trader: Trader) -> bool:
    ends = FINAL | {"OPEN", "PARTIALLY_FILLED"}
    return all(order["status"] in ends for order in trader.every_order())


def test_slots_move_to_an_added_shard_while_orders_flow(stack: Stack) -> None:
    traders = [stack.new_trader() for _ in range(TRADERS)]
    slots = sorted({int(t.get("/v1/profile")["user_id"]) & 63 for t in traders})
    placed: list[list[str]] = [[] for _ in traders]
    senders = [
        threading.Thread(target=trade, args=pair) for pair in zip(traders, placed, strict=True)
    ]
    for sender in senders:
        sender.start()
    added = stack.outcry("shards", "add")
    assert added.returncode == 0, added.stderr
    for slot in slots:
        with stack.started("shards", "move", str(slot), "--to", str(NEW_SHARD)) as move:
            assert move.stdout is not None
            for line in move.stdout:
                if line.startswith("fenced"):  # it takes no orders, and nobody goes on moving it
                    move.kill()
        moved = stack.outcry("shards", "move", str(slot), "--to", str(NEW_SHARD))
        assert moved.returncode == 0, moved.stdout + moved.stderr
    for sender in senders:
        sender.join()
    for trader, mine in zip(traders, placed, strict=True):
        assert len(mine) == ORDERS
        eventually(partial(settled, trader), bool, SETTLE_SECONDS)
        assert sorted(o["order_id"] for o in trader.every_order()) == sorted(mine)
    check_books(stack)
    stack.stop()
    stack.start()  # the home has three shards now
    check_books(stack)
    listed = stack.outcry("shards", "list").stdout
    assert f"shard {NEW_SHARD}" in listed
    assert f"{len(slots)} slots" in listed


def check_books(stack: Stack) -> None:
    verified = stack.outcry("ledger", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    reconciled = eventually(
        lambda: stack.outcry("reconcile"), lambda done: done.returncode == 0, SETTLE_SECONDS
    )
    assert reconciled.returncode == 0
