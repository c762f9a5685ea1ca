"""`place_order`: orders a second into PostgreSQL over spread accounts, one round trip each.

`batched`: the same by sixteen orders a call. Baseline in the same run: the five-statement
transaction (`order_load`). Loads run in processes of their own, as many of each.
"""

import itertools
from collections.abc import Callable, Iterator

from functions.shared.bookkeeping.placing import place, place_many
from functions.shared.stores.postgres import Shards
from tests.bench.fsync import measure_fsync
from tests.bench.order_load import FiveStatements, fund, placement, rates
from tests.bench.servers import durable_postgres

WORKERS = 4
BATCH = 16
ACCOUNTS = 256


def _users(worker: int) -> Iterator[int]:
    """This worker's accounts, round and round: no two workers share one."""
    return itertools.cycle(range(1 + worker, ACCOUNTS + 1, WORKERS))


def _ours(urls: list[str], worker: int) -> Callable[[], int]:
    shards, users, keys = Shards(urls, "bench"), _users(worker), itertools.count()

    def once() -> int:
        placed = place(shards, placement(next(users), f"{worker}-{next(keys)}"))
        if placed.outcome != "ACCEPTED":
            raise RuntimeError(f"{placed.outcome}: {placed.rules}")
        return 1

    return once


def _batched(urls: list[str], worker: int) -> Callable[[], int]:
    shards, users, keys = Shards(urls, "bench"), _users(worker), itertools.count()

    def once() -> int:
        batch = [placement(next(users), f"b{worker}-{next(keys)}") for _ in range(BATCH)]
        placed = place_many(shards, batch)
        if any(answer.outcome != "ACCEPTED" for answer in placed):
            raise RuntimeError(f"not accepted: {placed}")
        return BATCH

    return once


def _five_statements(urls: list[str], worker: int) -> Callable[[], int]:
    baseline, users, keys = FiveStatements(urls, worker), _users(worker), itertools.count()

    def once() -> int:
        baseline.place(next(users), f"{worker}-{next(keys)}")
        return 1

    return once


def run(seconds: float) -> dict[str, object]:
    fsync = measure_fsync()
    with durable_postgres() as server:
        urls = list(server.app_urls)
        fund(urls, server.owner_urls, range(1, ACCOUNTS + 1))
        loads = (_ours, _batched, _five_statements)
        ours, batched, baseline = rates(loads, urls, WORKERS, seconds)
    return {
        "name": "place_order",
        "figure": round(ours, 1),
        "unit": "orders/s, spread accounts",
        "baselines": [{"name": "five-statement transaction", "figure": round(baseline, 1)}],
        "batched": round(batched, 1),
        "batched_ratio": round(batched / baseline, 3),
        "batch": BATCH,
        "workers": WORKERS,
        **fsync.report(),
    }
