"""Slots move to a new shard while their users trade, and the move is killed behind every step."""

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from functions.shared.domain.errors import Retryable
from functions.shared.domain.orders import Side
from functions.shared.stores.leases import RELAY, LedgerLeases
from functions.shared.stores.outbox import Outbox
from functions.shared.stores.postgres import Shards
from infra.command import slot_move, verify_ledger
from infra.local.postgres import APPLICATION, EDGE, OWNER, connect
from tests.integration.ledger.test_slots import an_added_shard
from tests.support.eventually import WAIT_SECONDS, wait_until
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases

SLOTS = (3, 7, 40, 50)
"""Two on either of the first two shards; the last one stays where it is."""
MOVED, NEW_SHARD = SLOTS[:3], 2
USERS_A_SLOT = 4
STEPS = ("copied", "fenced", "arrived", "left", "opened", "told")
RETRY_SECONDS = WAIT_SECONDS
ORDERS_FIRST, ORDERS_LEAST = 30, 100
"""Placed before anything moves, and at least in all."""
T = TypeVar("T")


def move_and_die(urls: list[str], slot: int, step: str | None) -> None:
    """In a process of its own: kill -9 behind that step, or finish."""
    slot_move.EVENTS_LEFT_MOST = 20  # type: ignore[misc]  # copies in rounds, few as they are
    moving = slot_move.Move(urls, slot, NEW_SHARD)
    for done in moving.steps():
        if done.name == step:
            os.kill(os.getpid(), signal.SIGKILL)


class Load:
    """Clients who trade and try again what is Retryable, the venue's word, and the relays."""

    def __init__(self, books: ShardsUnderTest) -> None:
        self._books = books
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self.orders: dict[tuple[int, str], int] = {}
        self.refused = 0
        self.handed_on: defaultdict[int, list[int]] = defaultdict(list)
        users = [slot + 64 * n for n in range(USERS_A_SLOT) for slot in SLOTS]
        bodies = [lambda mine=users[n::4]: self._trade(mine) for n in range(4)]
        bodies += [lambda shard=shard: self._relay(shard) for shard in range(NEW_SHARD + 1)]
        self._threads = [threading.Thread(target=self._guard, args=(body,)) for body in bodies]
        for thread in self._threads:
            thread.start()

    def go_on(self, orders: int) -> None:
        """Until so many have been placed, or somebody failed."""
        wait_until(lambda: len(self.orders) >= orders or bool(self._failures))

    def finish(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(RETRY_SECONDS + 10)
        assert not self._failures, self._failures

    def _guard(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # noqa: BLE001  told by `finish`
            self._failures.append(error)
            self._stop.set()

    def _trade(self, users: list[int]) -> None:
        shards = Shards(self._books.urls(APPLICATION)[:2], "clients")  # knows of no third
        traders = [Trader(shards, user, 100 * LAKH) for user in users]
        for number, trader in enumerate(itertools.cycle(traders)):
            if self._stop.is_set():
                break
            key = f"k{number}"
            placed = self._until_taken(partial(trader.place, Side.BUY, 1, key=key))
            assert placed.order is not None, placed
            assert placed.outcome in {"ACCEPTED", "REPLAY"}
            order_id = placed.order.order_id
            self.orders[trader.user_id, key] = order_id
            report = trader.report(order_id, "F", last_quantity=1, last_price=1_000_000)
            applied = self._until_taken(partial(trader.apply, report))
            assert applied.outcome in {"APPLIED", "DUPLICATE"}, applied
            assert self._until_taken(trader.funds).seq >= applied.seq
            self._stop.wait(0.04)
        shards.close()

    def _until_taken(self, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                return ask()
            except Retryable:
                self.refused += 1
                assert time.monotonic() < deadline, "a 503 that did not end"
                self._stop.wait(0.02)

    def _relay(self, shard: int) -> None:
        shards = Shards(self._books.urls(EDGE), "relay")
        fence = LedgerLeases(shards.database(shard)).take([RELAY], "test", RETRY_SECONDS * 10)
        assert fence is not None
        outbox = Outbox(shards.database(shard), lambda: fence)
        while True:
            rows = outbox.read(500)
            if not rows and self._stop.is_set():
                break
            for row in rows:
                self.handed_on[row.user_id].append(row.seq)
            if rows:
                outbox.delete([row.id for row in rows])
            else:
                self._stop.wait(0.05)
        shards.close()


def run_move(urls: list[str], slot: int, step: str | None) -> int | None:
    processes = multiprocessing.get_context("forkserver")  # imports once, then forks
    processes.set_forkserver_preload([__name__])
    process = processes.Process(target=move_and_die, args=(urls, slot, step))
    process.start()
    process.join(WAIT_SECONDS)
    return process.exitcode


def test_orders_flow_through_moves_that_are_killed_behind_every_step(
    postgres: PostgresUnderTest,
) -> None:
    with fresh_databases(postgres) as two, an_added_shard(two) as books:
        load = Load(books)
        try:
            load.go_on(ORDERS_FIRST)
            for step in STEPS:
                assert run_move(books.urls(OWNER), MOVED[0], step) == -signal.SIGKILL, step
            for slot in MOVED:
                assert run_move(books.urls(OWNER), slot, None) == 0
            load.go_on(max(ORDERS_LEAST, len(load.orders) + ORDERS_FIRST))
        finally:
            load.finish()
        assert verify_ledger.run(books.urls(OWNER)).problems == []
        check_every_order_once(books, load)
        for user_id, seqs in load.handed_on.items():
            assert seqs == list(range(1, len(seqs) + 1)), user_id


def check_every_order_once(books: ShardsUnderTest, load: Load) -> None:
    found: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for shard, url in enumerate(books.urls(OWNER)):
        connection = connect(url)
        rows = connection.run(
            "SELECT user_id, client_order_id, order_id, status FROM ledger.orders"
        )
        connection.close()
        for user_id, key, order_id, status in rows:
            assert status == "FILLED", (user_id, key, status)
            assert (shard == NEW_SHARD) == (user_id & 63 in MOVED)
            found[user_id, key].append(order_id)
    assert {key: [order_id] for key, order_id in load.orders.items()} == found
    assert len(load.orders) >= ORDERS_LEAST
