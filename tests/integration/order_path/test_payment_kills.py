"""Kill the bank, the worker or PostgreSQL between every two steps of a payment: it ends once.

The steps are counted where they leave the worker: each statement and each question to the bank. The
worker is a process that runs the real handler; at the step a test names, it kills itself or has the
other killed. Afterwards everything is started again, the client sends its request again, and the
schedule runs: then the ledger and the bank's journal agree.
"""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import pytest

from functions.ledger import handler, pay
from functions.shared.bookkeeping import accounts
from functions.shared.domain.payments import Direction
from functions.shared.runtime import composition
from functions.shared.stores.bank import BankAnswer, HttpBank
from functions.shared.stores.postgres import Database, Row, Shards
from functions.shared.stores.valkey import open_valkey
from infra.command import reconcile_bank, verify_ledger
from infra.local.postgres import APPLICATION, OWNER
from tests.integration.order_path.conftest import OrderStores
from tests.support.api_events import Answer, api_event, call
from tests.support.bank import TOKEN, BankProcess, bank_process
from tests.support.eventually import WAIT_SECONDS
from tests.support.killable_postgres import KillablePostgres, killable_postgres
from tests.support.ledger import LAKH, NOON

AMOUNT = "250.50"
PAISE = 250_50
ROUTES = {Direction.IN: "/v1/funds/deposits", Direction.OUT: "/v1/funds/withdrawals"}
ENDS = {Direction.IN: ("BOOKED", LAKH + PAISE), Direction.OUT: ("PAID", LAKH - PAISE)}
# Where users live; of money out, whether the bank account changes; record; of money out, that
# again; attempt; the bank; end; the funds; and once more, before the answer.
STEPS = {Direction.IN: range(7), Direction.OUT: range(9)}
NOWHERE = "redis://127.0.0.1:9"

_users = itertools.count(1, 37)


@dataclass
class Parts:
    """What a payment goes through."""

    postgres: KillablePostgres
    bank: BankProcess

    def stores(self) -> OrderStores:
        """A process's own; there is no Valkey, which only ever hurries the relay."""
        shards = Shards(self.postgres.server.urls(APPLICATION), "test")
        return OrderStores(shards, open_valkey(NOWHERE), self.bank.client())

    def restart(self, target: str) -> None:
        if target == "postgres":
            self.postgres.start()
        elif target == "bank":
            self.bank.start()

    def kill(self, target: str) -> None:
        if target == "postgres":
            self.postgres.kill()
        else:
            self.bank.kill()


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    with killable_postgres() as postgres, bank_process() as bank:
        yield Parts(postgres, bank)
        report = verify_ledger.run(postgres.server.urls(OWNER))
        assert report.ok, report.problems


@pytest.fixture
def stores(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrderStores]:
    opened = parts.stores()
    monkeypatch.setattr(composition, "stores", lambda: opened)
    yield opened
    opened.shards.close()


class Patient:
    """A context with all the time in the world."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Killer:
    """Counts a worker's steps and strikes before the one it was told."""

    def __init__(self, step: int, strike: Callable[[], None]) -> None:
        self._left = step
        self._strike = strike

    def before_step(self) -> None:
        if self._left == 0:
            self._strike()
        self._left -= 1


def serve(parts: Parts, user_id: int, direction: Direction, step: int, parent: Connection) -> None:
    """The worker: one request, struck before `step`. Without a target it kills itself."""

    def strike() -> None:
        parent.send("strike")
        if not parent.recv():
            os.kill(os.getpid(), signal.SIGKILL)

    killer = Killer(step, strike)
    run, ask = Database.run, HttpBank._ask

    def counted_run(self: Database, sql: str, **parameters: object) -> list[Row]:
        killer.before_step()
        return run(self, sql, **parameters)

    def counted_ask(self: HttpBank, *arguments: Any) -> BankAnswer:
        killer.before_step()
        return ask(self, *arguments)

    setattr(Database, "run", counted_run)  # noqa: B010  a type checker knows it as a method
    setattr(HttpBank, "_ask", counted_ask)  # noqa: B010
    opened = parts.stores()
    composition.stores = lambda: opened  # type: ignore[assignment]
    answer = send(user_id, direction)
    killer.before_step()
    parent.send(answer.status)
    os._exit(0)  # nothing of the test session that this process was forked from is torn down here


def send(user_id: int, direction: Direction) -> Answer:
    body = {"client_id": "p", "amount": AMOUNT}
    event = api_event("POST", ROUTES[direction], body, token=f"user-{user_id}")
    return call(handler.lambda_handler, event)


def kill_between(parts: Parts, user_id: int, direction: Direction, target: str, step: int) -> bool:
    """Runs the worker and kills the target before the step. False when it never got there."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    worker = context.Process(target=serve, args=(parts, user_id, direction, step, theirs))
    worker.start()
    theirs.close()
    struck = False
    try:
        while True:
            told = ours.recv()
            if told != "strike":
                return struck
            struck = True
            if target != "worker":
                parts.kill(target)
            ours.send(target != "worker")
    except EOFError:  # it killed itself
        return struck
    finally:
        ours.close()
        worker.join(WAIT_SECONDS)
        assert worker.exitcode in {0, -signal.SIGKILL}
        if struck:
            parts.restart(target)


def drive_to_the_end(stores: OrderStores) -> None:
    """Runs the schedule at later and later times until nothing is under way."""
    for _ in range(15):
        stores.clock.at += timedelta(minutes=61)
        if pay.lambda_handler({}, Patient())["asked"] == 0:
            return
    raise AssertionError("payments stay under way")


@pytest.mark.parametrize(
    ("direction", "step"), [(each, step) for each, steps in STEPS.items() for step in steps]
)
@pytest.mark.parametrize("target", ["worker", "bank", "postgres"])
def test_a_payment_cut_off_anywhere_happens_once(
    parts: Parts, stores: OrderStores, direction: Direction, target: str, step: int
) -> None:
    user_id = next(_users)
    accounts.open_account(stores.shards, user_id, NOON)
    accounts.deposit(stores.shards, user_id, "start", LAKH, NOON.date(), NOON)
    assert kill_between(parts, user_id, direction, target, step)
    assert send(user_id, direction).status == 202
    drive_to_the_end(stores)
    answer = send(user_id, direction)
    status, cash = ENDS[direction]
    assert (answer.status, answer.body["status"]) == (202, status)
    assert answer.body["funds"]["cash"] == f"{cash // 100}.{cash % 100:02d}"
    listed = api_event("GET", "/v1/funds/payments", token=f"user-{user_id}")
    assert len(call(handler.lambda_handler, listed).body["items"]) == 1
    urls = parts.postgres.server.urls(OWNER)
    report = reconcile_bank.run(urls, parts.bank.url, TOKEN)
    assert report.ok, report.problems
    assert report.checked["payments under way"] == 0


def test_the_steps_are_all_there_are(parts: Parts, stores: OrderStores) -> None:
    for direction, steps in STEPS.items():
        user_id = next(_users)
        accounts.open_account(stores.shards, user_id, NOON)
        accounts.deposit(stores.shards, user_id, "start", LAKH, NOON.date(), NOON)
        assert not kill_between(parts, user_id, direction, "worker", len(steps))
