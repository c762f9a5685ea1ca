"""Kill any process at any moment: no order lost, doubled or forgotten, no rupee out of place."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import FINAL, Trader, eventually

# Beside the others that break a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("broken stacks")

#: Placed before each kill, and once more behind the last.
ORDERS = 40
PARTS = ("gateway", "relay", "ledger", "valkey", "streams", "postgres")
SETTLE_SECONDS = 120
SYMBOLS = ("INFY", "TCS", "SBIN", "ITC", "RELIANCE", "HDFCBANK")


@pytest.fixture(scope="module")
def killed() -> Iterator[Stack]:
    """A stack of its own: what is killed here must not disturb other tests."""
    with own_stack() as stack:
        yield stack


def place_many(trader: Trader, count: int, placed: list[dict[str, str]]) -> None:
    """Sends orders and sends an unanswered one again with the same id, as any client should."""
    prices = {symbol: trader.price(symbol) for symbol in SYMBOLS}
    rng = random.Random(7)
    for number in range(count):
        symbol = rng.choice(SYMBOLS)
        factor = Decimal(rng.choice(["1.01", "1.01", "0.96"]))
        body = {
            "client_order_id": f"kill-{len(placed)}-{number}-{time.monotonic_ns()}",
            "symbol": symbol, "side": "BUY", "type": "LIMIT", "quantity": rng.randint(1, 3),
            "price": str((prices[symbol] * factor).quantize(Decimal(1))),
        }  # fmt: skip
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                answer = trader.http.post("/v1/orders", json=body)
                if answer.status_code in {200, 202, 422}:
                    break
                assert answer.status_code in {502, 503, 504}, answer.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "an order could not be placed in time"
            time.sleep(0.1)
        placed.append({"order_id": answer.json()["order_id"]})


def settled(trader: Trader) -> bool:
    return all(
        o["status"] in FINAL | {"OPEN", "PARTIALLY_FILLED"} and o["pending_change"] is None
        for o in trader.every_order()
    )


def check_books(stack: Stack, trader: Trader) -> None:
    """Every order in a state the venue agrees with, every fill booked once, money to the paisa."""
    stack.wait_ready()
    eventually(lambda: settled(trader), bool, SETTLE_SECONDS)
    verified = stack.outcry("ledger", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    reconciled = eventually(
        lambda: stack.outcry("reconcile"), lambda done: done.returncode == 0, SETTLE_SECONDS
    )
    assert reconciled.returncode == 0
    fills = [f for o in trader.every_order() for f in trader.order(o["order_id"])["fills"]]
    spent = sum(Decimal(f["value"]) + Decimal(f["charges"]) for f in fills)
    assert Decimal(trader.get("/v1/funds")["cash"]) == Decimal("1000000.00") * 10 - spent


def test_parts_killed_in_turn_in_the_middle_of_orders_lose_and_double_nothing(
    killed: Stack,
) -> None:
    killed.wait_ready()
    trader = killed.new_trader(deposit="9000000.00")
    placed: list[dict[str, str]] = []
    sender = threading.Thread(target=place_many, args=(trader, ORDERS * (len(PARTS) + 1), placed))
    sender.start()
    for number, part in enumerate(PARTS, start=1):
        eventually(lambda: len(placed), lambda n, due=ORDERS * number: n >= due, SETTLE_SECONDS)
        killed.wait_ready()  # what was killed before is back
        killed.kill(part)
    sender.join()
    assert len({p["order_id"] for p in placed}) == ORDERS * (len(PARTS) + 1)
    check_books(killed, trader)


def test_orders_are_refused_while_the_exchange_is_away_and_taken_when_it_is_back(
    killed: Stack,
) -> None:
    killed.wait_ready()
    trader = killed.new_trader(deposit="9000000.00")
    number, price = itertools.count(1), str(int(trader.price("INFY")))

    def place() -> httpx.Response:
        body = {
            "client_order_id": f"away-{next(number)}", "symbol": "INFY", "side": "BUY",
            "type": "LIMIT", "quantity": 1, "price": price,
        }  # fmt: skip
        return trader.http.post("/v1/orders", json=body)

    with killed.unattended():
        killed.kill("exchange")
        refused = eventually(
            place,
            lambda answer: (
                (answer.status_code, answer.json().get("code")) == (503, "VENUE_UNAVAILABLE")
            ),
            SETTLE_SECONDS,
        )
    assert refused.headers["Retry-After"] == "1"
    eventually(place, lambda answer: answer.status_code == 202, SETTLE_SECONDS)
    check_books(killed, trader)


def test_streams_that_lose_their_files_lose_no_order_and_no_fill(killed: Stack) -> None:
    killed.wait_ready()
    trader = killed.new_trader(deposit="9000000.00")
    placed: list[dict[str, str]] = []
    sender = threading.Thread(target=place_many, args=(trader, 2 * ORDERS, placed))
    sender.start()
    eventually(lambda: len(placed), lambda n: n >= ORDERS, SETTLE_SECONDS)
    killed.lose_streams()
    sender.join()
    check_books(killed, trader)


def test_everything_killed_at_once_is_all_there_after_a_new_start(killed: Stack) -> None:
    killed.wait_ready()
    trader = killed.new_trader(deposit="9000000.00")
    placed: list[dict[str, str]] = []
    place_many(trader, 20, placed)
    killed.kill_everything()
    killed.start()
    again = Trader(killed.api, killed.stream, trader.user).sign_in()
    assert {o["order_id"] for o in again.every_order()} == {p["order_id"] for p in placed}
    check_books(killed, again)
