"""Clients and venue on the same few accounts while they, and PostgreSQL, are killed: whatever they
were answered, the books explain it."""

import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.command import verify_ledger
from infra.local.postgres import APPLICATION, OWNER, connect, shard_names
from tests.history import workload
from tests.support.eventually import WAIT_SECONDS
from tests.support.killable_postgres import KillablePostgres, killable_postgres

STRIKES = ("worker",) * 5 + ("server",) * 2 + ("backend",) * 2
WORKERS = ("client-0", "client-1", "client-2", "client-3", "venue-0", "venue-1")


@pytest.fixture
def seed() -> int:
    """Decides who asks for what and whom it hits; HISTORY_SEED repeats one. Printed on failure."""
    return int(os.environ.get("HISTORY_SEED") or random.randrange(2**32))


def test_a_history_with_kills_is_explained_by_the_books(tmp_path: Path, seed: int) -> None:
    print(f"HISTORY_SEED={seed}")
    rng = random.Random(seed)
    with killable_postgres() as postgres:
        owner_urls = postgres.server.urls(OWNER)
        workers = workload.Processes(
            tmp_path, postgres.server.urls(APPLICATION), [1, 2, 3, 40], seed, WORKERS
        )
        try:
            workers.start()
            strike(rng, postgres, workers, tmp_path)
            workers.join(WAIT_SECONDS)
        finally:
            workers.close()
        judgement = workload.judge(tmp_path, owner_urls)
        report = verify_ledger.run(owner_urls)
    print(judgement.text(), dict(workers.killed))
    assert judgement.problems == []
    assert report.problems == []
    assert judgement.calls["info"] > 0, "nothing was in doubt: the kills hit nobody"


def test_answers_given_before_the_disk_has_them_are_caught(tmp_path: Path) -> None:
    """The checker's teeth for what no edit of a function shows: commits that a kill takes back."""
    with killable_postgres() as postgres, ThreadPoolExecutor(1) as pool:
        answer_early(postgres)
        running = pool.submit(
            workload.run_in_threads, tmp_path, postgres.server.urls(APPLICATION), 600, 1
        )
        eventually(lambda: running.done() or asked(tmp_path) > 400)
        postgres.kill()
        postgres.start()
        running.result()
        judgement = workload.judge(tmp_path, postgres.server.urls(OWNER))
    assert any("but there is no such order" in p or "but nothing is booked" in p
               for p in judgement.problems), judgement.problems[:5]  # fmt: skip


def answer_early(postgres: KillablePostgres) -> None:
    """From now on commits are answered at once and written down seconds later."""
    connection = connect(postgres.server.urls("postgres")[0])
    for setting in ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"):
        connection.run(f"ALTER SYSTEM SET {setting}")
    for name in shard_names():
        connection.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    connection.run("SELECT pg_reload_conf()")
    connection.close()


def asked(folder: Path) -> int:
    """How many lines the history has."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))


def kill_one_backend(rng: random.Random, postgres: KillablePostgres) -> None:
    """The process of one connection dies; the server throws all others out and recovers."""
    connection = connect(postgres.server.urls(OWNER)[0])
    try:
        found = connection.run(
            "SELECT pid FROM pg_stat_activity WHERE usename = :name", name=APPLICATION
        )
    finally:
        connection.close()
    if found:
        os.kill(rng.choice(found)[0], signal.SIGKILL)
    eventually(postgres.server.answers)


def answered(folder: Path) -> int:
    """How many calls of the history were answered with what was asked for."""
    return sum(path.read_bytes().count(b'"type":"ok"') for path in folder.glob("*.jsonl"))


def eventually(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.02)


def strike(
    rng: random.Random, postgres: KillablePostgres, workers: workload.Processes, folder: Path
) -> None:
    """Kills one thing after the other, each when some more calls were answered since the last, and
    lets two settlement days pass meanwhile."""
    days = list(workload.DAYS[1:])
    for number, what in enumerate(rng.sample(STRIKES, len(STRIKES))):
        go_on(rng, folder)
        if days and number >= len(STRIKES) * (3 - len(days)) / 3:
            workload.set_day(folder, days.pop(0))
        if what == "worker":
            workers.kill(rng.choice(WORKERS))
            continue
        workers.killed[what] += 1
        if what == "server":
            postgres.kill()
            postgres.start()
        else:
            kill_one_backend(rng, postgres)
    go_on(rng, folder)


def go_on(rng: random.Random, folder: Path) -> None:
    """Lets some calls be answered, however fast the machine is."""
    enough = answered(folder) + rng.randint(5, 40)
    eventually(lambda: answered(folder) >= enough)
