"""Runs a workload, in threads or in processes that may be killed, and judges what it left behind.

The accounts are few, so that calls meet; the business day moves on meanwhile, so that proceeds
settle between two calls of a race. Nothing drains the outbox: the checker wants to see all of it.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from functions.shared.bookkeeping import accounts
from functions.shared.domain.accounts import AccountClass
from infra.local.children import die_with_parent
from infra.local.postgres import connect
from tests.history import checker, record, rows
from tests.history.clients import Client
from tests.history.venue import Venue
from tests.history.worker import Setting, noon
from tests.support.ledger import ACME

DAY_BEFORE = date(2026, 7, 9)
DAYS = (date(2026, 7, 10), date(2026, 7, 13), date(2026, 7, 14))
"""A Friday and the two settlement days behind it."""
FUNDS = 250_000_00
SHARES = 500
THREADS_SECONDS = 300.0
PROCESSES_SECONDS = 500.0
"""Processes whose parent forgot them end by themselves."""


def set_day(folder: Path, day: date) -> None:
    """The business day of every call that begins from now on."""
    (folder / "day.new").write_text(day.isoformat())
    (folder / "day.new").rename(folder / "day")


def enough(folder: Path) -> Path:
    """The file that ends every process of a workload, once it is there."""
    return folder / "enough"


def open_accounts(folder: Path, urls: Sequence[str], users: Sequence[int], life: int = 1) -> None:
    """Every account with cash, and with shares bought the day before, by recorded calls."""
    set_day(folder, DAY_BEFORE)
    setting = Setting(folder, list(urls), list(users), 0)
    client, venue = Client(setting, f"opener.{life}", 0), Venue(setting, f"opening.{life}", 0, [])
    for user in users:
        accounts.open_account(client.shards, user, noon(DAY_BEFORE), AccountClass.TEST)
        client.pay_in(user, FUNDS, DAY_BEFORE)
        terms = {"symbol": ACME.symbol, "side": "BUY", "product": "CNC", "quantity": SHARES,
                 "price": 100 * 10_000, "open_orders_most": 1_000}  # fmt: skip
        bought = client.send(user, terms | {"key": "first", "today": DAY_BEFORE.isoformat()})
        assert bought is not None
        venue.tell(user, bought["order"], "F", 0, SHARES, 100 * 10_000)
    client.close()
    venue.close()
    set_day(folder, DAYS[0])


def run_in_threads(folder: Path, urls: Sequence[str], steps: int, seed: int, life: int = 1) -> None:
    """Four clients and two venues on two accounts, over two settlement days, until the clients
    have made so many steps together. Each life of the same books has two accounts of its own.
    Raises what any of them raised."""
    users = [2 * life - 1, 2 * life]
    open_accounts(folder, urls, users, life)
    setting = Setting(folder, list(urls), users, time.monotonic() + THREADS_SECONDS)
    clients = [Client(setting, f"client-{n}.{life}", seed) for n in range(4)]
    venues = [
        Venue(Setting(folder, list(urls), [user], setting.until), f"venue-{user}.{life}", seed, [])
        for user in users
    ]
    days = list(DAYS[1:])

    def done() -> bool:
        return sum(client.steps for client in clients) >= steps

    with ThreadPoolExecutor(len(clients) + len(venues)) as pool:
        running = [pool.submit(worker.run, done) for worker in (*clients, *venues)]
        while not all(worker.done() for worker in running):
            wait(running, 0.02)
            made = sum(client.steps for client in clients)
            if days and made > steps * (len(DAYS) - len(days)) / len(DAYS):
                set_day(folder, days.pop(0))
    for worker in running:
        worker.result()


@dataclass
class Processes:
    """The same workers as processes of their own. A killed one lives again under the next number,
    and its file stays."""

    folder: Path
    urls: Sequence[str]
    users: Sequence[int]
    seed: int
    names: Sequence[str]
    killed: Counter[str] = field(default_factory=Counter)
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _lives: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """Opens the accounts and starts every worker; they run until they are joined."""
        open_accounts(self.folder, self.urls, self.users)
        until = time.monotonic() + PROCESSES_SECONDS
        text = {"urls": list(self.urls), "users": list(self.users), "until": until}
        (self.folder / "setting.json").write_text(json.dumps(text))
        for name in self.names:
            self._begin(name)

    def kill(self, name: str) -> None:
        """SIGKILL in the middle of whatever it does, and a new life."""
        self._running[name].kill()
        self._running[name].wait(60)
        self.killed[name.split("-")[0]] += 1
        self._begin(name)

    def join(self, seconds: float) -> None:
        """Lets each of them end the step it is at. Raises when one ended in an error."""
        enough(self.folder).touch()
        deadline = time.monotonic() + seconds
        for name, process in self._running.items():
            code = process.wait(max(0.1, deadline - time.monotonic()))
            if code:
                log = self.folder / f"{name}.{self._lives[name]}.log"
                raise RuntimeError(f"{name} ended with {code}:\n{log.read_text()}")

    def close(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait(60)

    def _begin(self, name: str) -> None:
        self._lives[name] += 1
        life = f"{name}.{self._lives[name]}"
        with (self.folder / f"{life}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.history", str(self.folder), life, str(self.seed)],
                stdout=log, stderr=log, preexec_fn=die_with_parent(),
            )  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """What the checker found, and what it had to look at."""

    problems: list[str]
    calls: Counter[str]
    events: int

    def text(self) -> str:
        calls = " ".join(f"{outcome}={n}" for outcome, n in sorted(self.calls.items()))
        return f"{self.calls.total()} calls ({calls}), {self.events} events"


def judge(folder: Path, owner_urls: Sequence[str]) -> Judgement:
    """Reads every file and every shard, and asks the checker."""
    operations = record.read(folder.glob("*.jsonl"))
    connections = [connect(url) for url in owner_urls]
    try:
        books = rows.read(connections)
    finally:
        for connection in connections:
            connection.close()
    return Judgement(
        checker.check(operations, books),
        Counter(operation.outcome for operation in operations),
        sum(len(log) for log in books.events.values()),
    )
