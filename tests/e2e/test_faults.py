"""Five hundred orders at work, and everything goes wrong in turn: afterwards our book, the venue's
and the ledger agree, shown by one command, `outcry reconcile`.
"""

import itertools
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.eventually import wait_until
from tests.support.faults import (
    cut,
    end,
    holder_of,
    lose_folder,
    stop_past_the_lease,
    tell_twice_and_out_of_order,
)
from tests.support.stack import Stack, own_stack
from tests.support.trader import FINAL, Trader, eventually

# Beside the others that break a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("broken stacks")

TRADERS, BASKET = 5, 20
#: Resting at the venue all the time; those that trade come on top.
IN_FLIGHT = 500
#: Placed around each fault, half of it before.
BURST = 48
WAIT_SECONDS = 240.0
SYMBOLS = ("INFY", "TCS", "SBIN", "ITC", "RELIANCE", "HDFCBANK")
SESSIONS = ("OUTCRY-O1", "OUTCRY-O2")
#: Of `functions.shared.settings`: what an order is worth to a broker that is unable just now.
UNABLE = {502, 503, 504}
AT_REST = FINAL | {"OPEN", "PARTIALLY_FILLED"}


class Flight:
    """Orders of several users: many that rest, and a thread that places, changes and cancels as
    many as it is told to, so that a slow machine has no more to do than a fast one."""

    def __init__(self, traders: list[Trader]) -> None:
        self.traders = traders
        self._placed = 0
        self._wanted = 0
        self._prices = {symbol: traders[0].price(symbol) for symbol in SYMBOLS}
        self._keys = itertools.count(1)
        self._resting: list[tuple[Trader, str]] = []
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """IN_FLIGHT orders are taken when this returns."""
        baskets = [t for t in self.traders for _ in range(IN_FLIGHT // TRADERS // BASKET)]
        with ThreadPoolExecutor(TRADERS) as pool:
            list(pool.map(lambda trader: self._basket(trader, BASKET, "0.96"), baskets))
        self._thread.start()

    def land(self) -> None:
        """The traffic ends. Raises what went wrong with it."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def go_on(self) -> None:
        """Returns when all that was wanted so far was taken, and half of BURST more; the other half
        is placed while the caller goes on."""
        self._wanted += BURST
        half = self._wanted - BURST // 2
        wait_until(lambda: self._placed >= half or not self._thread.is_alive(), WAIT_SECONDS)

    def unsettled(self) -> list[tuple[str, str, str | None]]:
        """The orders that wait for an answer, with what for."""
        return [
            (order["order_id"], order["status"], order["pending_change"])
            for trader in self.traders
            for order in trader.every_order()
            if order["status"] not in AT_REST or order["pending_change"] is not None
        ]

    def _run(self) -> None:
        try:
            for trader in itertools.cycle(self.traders):
                while self._placed >= self._wanted:
                    if self._stop.wait(0.02):
                        return
                self._placed += self._basket(trader, 8, "1.01") + self._basket(trader, 4, "0.96")
                self._change()
        except BaseException as error:  # noqa: BLE001  told by `land`
            self._failure = error

    def _basket(self, trader: Trader, count: int, factor: str) -> int:
        """Sent until the answer says what became of each; returns how many were taken."""
        orders = []
        for number in range(count):
            symbol = SYMBOLS[number % len(SYMBOLS)]
            limit = (self._prices[symbol] * Decimal(factor)).quantize(Decimal(1))
            orders.append({
                "client_order_id": f"flight-{next(self._keys)}", "symbol": symbol, "side": "BUY",
                "type": "LIMIT", "quantity": 1 + number % 3, "price": str(limit),
            })  # fmt: skip
        items: list[Any] = self._ask(trader, "POST", "/v1/orders/baskets", {"orders": orders})[
            "items"
        ]
        assert {item["status"] for item in items} <= {200, 202, *UNABLE}, items
        taken = [item["order"]["order_id"] for item in items if "order" in item]
        if factor < "1":
            self._resting += [(trader, order_id) for order_id in taken]
        return len(taken)

    def _change(self) -> None:
        """One of the oldest is cancelled, and one has its price changed, whatever comes of it."""
        trader, order_id = self._resting.pop(0)
        self._ask(trader, "DELETE", f"/v1/orders/{order_id}", {"request_id": f"c{order_id}"})
        trader, order_id = self._resting[0]
        order = self._ask(trader, "GET", f"/v1/orders/{order_id}", None)
        price = str(Decimal(order["price"]) - 1)
        body = {"request_id": f"m{order_id}", "price": price}
        self._ask(trader, "PATCH", f"/v1/orders/{order_id}", body)

    def _ask(self, trader: Trader, method: str, path: str, body: object) -> Any:
        """Asks again while there is no answer or the broker is unable, with the same ids."""
        answers: list[httpx.Response] = []

        def answered() -> bool:
            try:
                answers.append(trader.http.request(method, path, json=body))
            except httpx.TransportError:
                return False
            return answers[-1].status_code not in UNABLE

        wait_until(answered, WAIT_SECONDS)
        assert answers[-1].status_code in {200, 202, 409, 422}, answers[-1].text
        return answers[-1].json()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with own_stack("--standbys") as running:
        yield running


@pytest.fixture
def flight(stack: Stack) -> Iterator[Flight]:
    begun = Flight(stack.new_traders(TRADERS, deposit="9000000.00"))
    begun.start()
    at_work = httpx.get(f"{stack.exchange}/health").json()
    assert at_work["open_orders"] >= IN_FLIGHT // 2
    yield begun
    begun.land()


def agree(stack: Stack, flight: Flight) -> None:
    """All is at rest, and one command finds nothing between the three books."""
    stack.wait_ready()
    eventually(flight.unsettled, lambda left: not left, WAIT_SECONDS)
    done = eventually(
        lambda: stack.outcry("reconcile"), lambda ran: ran.returncode == 0, WAIT_SECONDS
    )
    assert "nothing is wrong" in done.stdout


def broken_in_turn(stack: Stack, flight: Flight) -> None:
    """Every fault, each when orders flow again after what went before it."""
    for parts in (
        ("gateway", "gateway-standby"), ("relay", "ingest"), ("relay-standby", "ledger"),
        ("triggers", "api"), ("valkey", "fanout"), ("streams",), ("postgres",), ("exchange",),
    ):  # fmt: skip
        after(stack, flight)
        end(stack, parts)

    after(stack, flight)
    stop_past_the_lease(stack, [*SESSIONS, "relay", "triggers"])

    after(stack, flight)
    gateway = stack.part(holder_of(stack, SESSIONS[0]))
    assert cut(gateway, order_port(stack)) >= len(SESSIONS)

    after(stack, flight)
    holder = holder_of(stack, SESSIONS[0])
    lose_folder(stack.home / holder)
    end(stack, [holder])

    # An orderly end with its session store lost: sequence numbers reset, as on a venue's new day.
    after(stack, flight)
    lose_folder(stack.home / "exchange" / "fix")
    end(stack, ["exchange"], signal.SIGTERM)

    after(stack, flight)
    tell_twice_and_out_of_order(stack, BURST // 4)
    after(stack, flight)


def after(stack: Stack, flight: Flight) -> None:
    """Everything is back, and orders flow; half of a burst falls into what comes next."""
    stack.wait_ready()
    flight.go_on()


def order_port(stack: Stack) -> int:
    """Of the exchange, by its command line."""
    words = stack.part("exchange").cmdline()
    return int(words[words.index("--orders-port") + 1])


@pytest.mark.timeout(900)
def test_with_500_orders_in_flight_no_fault_parts_the_three_books(
    stack: Stack, flight: Flight
) -> None:
    broken_in_turn(stack, flight)
    flight.land()
    agree(stack, flight)
