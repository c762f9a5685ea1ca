"""Money in and out of a running stack: whatever the bank does, and whatever is killed meanwhile."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import Trader, eventually

# Beside the others that run a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("own stacks")

OPENING = Decimal("1000000.00")
SETTLE_SECONDS = 120
#: Asked for before each kill, and once more behind the last.
PAYMENTS = 10
PARTS = ("bank", "api", "postgres")
ENDED = {"BOOKED", "FAILED", "PAID", "RETURNED", "REFUSED"}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of its own: its clock is moved, and its parts are killed."""
    with own_stack() as stack:
        yield stack


def patiently(send: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer, asked for again while nobody answers: what was killed is started again."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = send()
            if answer.status_code < 500:
                return answer
        assert time.monotonic() < deadline, "nobody answered in time"
        time.sleep(0.1)


def ask(trader: Trader, route: str, client_id: str, amount: str) -> httpx.Response:
    body = {"client_id": client_id, "amount": amount}
    return patiently(lambda: trader.http.post(f"/v1/funds/{route}", json=body))


def payments(trader: Trader) -> list[Any]:
    answer = patiently(lambda: trader.http.get("/v1/funds/payments", params={"limit": 500}))
    return list(answer.json()["items"])


def drive_to_the_end(stack: Stack, trader: Trader) -> None:
    """Moves the clock until every payment has ended, as hours of waiting would."""

    def under_way() -> list[str]:
        assert stack.outcry("clock", "advance", "1h").returncode == 0
        return [p["client_id"] for p in payments(trader) if p["status"] not in ENDED]

    assert not eventually(under_way, lambda left: not left, SETTLE_SECONDS)


def check_books(stack: Stack, trader: Trader) -> None:
    """The ledger is whole, agrees with bank and venue, and the user's cash is what moved."""
    for command in (("ledger", "verify"), ("reconcile",)):
        done = stack.outcry(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    moved = {"BOOKED": 1, "PAID": -1}
    cash = OPENING + sum(Decimal(p["amount"]) * moved.get(p["status"], 0) for p in payments(trader))
    assert Decimal(trader.get("/v1/funds")["cash"]) == cash


def test_every_way_a_bank_misbehaves_ends_in_one_booking_or_none(own: Stack) -> None:
    trader = own.new_trader()
    told = {
        (route, amount): ask(trader, route, f"{route[0]}-{amount[3:]}", amount)
        for route in ("deposits", "withdrawals")
        for amount in ("13.01", "13.02", "13.03", "13.04", "13.05", "13.06", "13.07", "20.00")
    }
    assert told["deposits", "20.00"].json()["status"] == "BOOKED"
    assert told["withdrawals", "20.00"].json()["status"] == "PAID"
    for route in ("deposits", "withdrawals"):
        refused, lost = told[route, "13.01"], told[route, "13.03"]
        assert (refused.status_code, refused.json()["code"]) == (422, "BANK_REFUSED")
        assert (lost.status_code, lost.json()["status"]) == (202, "PENDING")
    drive_to_the_end(own, trader)
    ends = {(p["direction"], p["amount"]): p["status"] for p in payments(trader)}
    for amount in ("13.02", "13.03", "13.04", "13.05", "13.06", "20.00"):
        assert (ends["IN", amount], ends["OUT", amount]) == ("BOOKED", "PAID")
    for amount in ("13.01", "13.07"):
        assert (ends["IN", amount], ends["OUT", amount]) == ("FAILED", "RETURNED")
    check_books(own, trader)


def test_parts_killed_in_turn_in_the_middle_of_payments_lose_and_double_none(own: Stack) -> None:
    own.wait_ready()
    trader = own.new_trader()
    sent: list[httpx.Response] = []
    count = PAYMENTS * (len(PARTS) + 1)

    def send() -> None:
        for number in range(count):
            route = "withdrawals" if number % 2 else "deposits"
            sent.append(ask(trader, route, f"p{number}", f"{number + 100}.25"))

    sender = threading.Thread(target=send)
    sender.start()
    for number, part in enumerate(PARTS, start=1):
        eventually(lambda: len(sent), lambda n, due=PAYMENTS * number: n >= due, SETTLE_SECONDS)
        own.wait_ready()  # what was killed before is back
        own.kill(part)
    sender.join()
    own.wait_ready()
    assert [answer.status_code for answer in sent if answer.status_code not in {200, 202}] == []
    drive_to_the_end(own, trader)
    assert {p["status"] for p in payments(trader)} == {"BOOKED", "PAID"}
    assert len(payments(trader)) == count
    check_books(own, trader)


def test_a_bank_told_to_be_away_leaves_payments_pending_until_it_is_back(own: Stack) -> None:
    own.wait_ready()
    trader = own.new_trader()
    assert own.outcry("bank", "away").returncode == 0
    assert ask(trader, "withdrawals", "a", "500.00").json()["status"] == "PENDING"
    assert own.outcry("reconcile").returncode == 0
    assert own.outcry("bank", "normal").returncode == 0
    drive_to_the_end(own, trader)
    assert own.outcry("payments", "stuck").stdout == "no payment is stuck\n"
    assert own.outcry("payments", "retry", payments(trader)[0]["payment_id"]).returncode == 3
    check_books(own, trader)
