"""`hot_account`: orders a second of one account, which everybody waits for.

The figure is one order a call, as the API places it: the account is locked until its commit is on
disk, so it goes no faster than the disk. `batched` places sixteen under one lock and one commit.
Both are told beside fdatasync's own speed. Baseline in the same run: the five-statement transaction
on that one account.
"""

import itertools
from collections.abc import Callable

from functions.shared.bookkeeping.placing import place, place_many
from functions.shared.stores.postgres import Shards
from tests.bench.fsync import measure_fsync
from tests.bench.order_load import FiveStatements, fund, placement, rates
from tests.bench.servers import durable_postgres

WORKERS = 4
BATCH = 16
USER = 1


def _batched(urls: list[str], worker: int) -> Callable[[], int]:
    shards, calls = Shards(urls, "bench"), itertools.count()

    def once() -> int:
        call = next(calls)
        keys = [f"b{worker}-{call}-{number}" for number in range(BATCH)]
        placed = place_many(shards, [placement(USER, key) for key in keys])
        if any(answer.outcome != "ACCEPTED" for answer in placed):
            raise RuntimeError(f"not accepted: {placed}")
        return BATCH

    return once


def _one_by_one(urls: list[str], worker: int) -> Callable[[], int]:
    shards, keys = Shards(urls, "bench"), itertools.count()

    def once() -> int:
        placed = place(shards, placement(USER, f"o{worker}-{next(keys)}"))
        if placed.outcome != "ACCEPTED":
            raise RuntimeError(f"{placed.outcome}: {placed.rules}")
        return 1

    return once


def _five_statements(urls: list[str], worker: int) -> Callable[[], int]:
    baseline, keys = FiveStatements(urls, worker), itertools.count()

    def once() -> int:
        baseline.place(USER, f"{worker}-{next(keys)}")
        return 1

    return once


def run(seconds: float) -> dict[str, object]:
    fsync = measure_fsync()
    with durable_postgres() as server:
        urls = list(server.app_urls)
        fund(urls, server.owner_urls, [USER])
        loads = (_batched, _one_by_one, _five_statements)
        batched, single, baseline = rates(loads, urls, WORKERS, seconds)
    return {
        "name": "hot_account",
        "figure": round(single, 1),
        "unit": "orders/s, one account",
        "baselines": [{"name": "five-statement transaction", "figure": round(baseline, 1)}],
        "batched": round(batched, 1),
        "batched_ratio": round(batched / baseline, 3),
        "batch": BATCH,
        "workers": WORKERS,
        **fsync.report(),
    }
