"""`place_order`: orders a second into PostgreSQL over spread accounts, one round trip each.

Baseline in the same run: the five-statement transaction (`order_load`). Loads run in processes of
their own, as many of each.
"""

import itertools
import time

from functions.shared.bookkeeping.placing import place
from functions.shared.stores.postgres import Shards
from tests.bench.fsync import measure_fsync
from tests.bench.order_load import FiveStatements, fund, placement, rates
from tests.bench.servers import durable_postgres

WORKERS = 4
ACCOUNTS = 256


def _user(worker: int, count: int) -> int:
    return 1 + (count * WORKERS + worker) % ACCOUNTS


def _ours(urls: list[str], worker: int, until: float) -> int:
    shards = Shards(urls, "bench")
    for count in itertools.count():
        if time.monotonic() >= until:
            break
        placed = place(shards, placement(_user(worker, count), f"{worker}-{count}"))
        if placed.outcome != "ACCEPTED":
            raise RuntimeError(f"{placed.outcome}: {placed.rules}")
    shards.close()
    return count


def _five_statements(urls: list[str], worker: int, until: float) -> int:
    baseline = FiveStatements(urls, worker)
    for count in itertools.count():
        if time.monotonic() >= until:
            break
        baseline.place(_user(worker, count), f"{worker}-{count}")
    baseline.close()
    return count


def run(seconds: float) -> dict[str, object]:
    fsync = measure_fsync()
    with durable_postgres() as server:
        urls = list(server.app_urls)
        fund(urls, server.owner_urls, range(1, ACCOUNTS + 1))
        ours, baseline = rates([_ours, _five_statements], urls, WORKERS, seconds)
    return {
        "name": "place_order",
        "figure": round(ours, 1),
        "unit": "orders/s, spread accounts",
        "baselines": [{"name": "five-statement transaction", "figure": round(baseline, 1)}],
        "workers": WORKERS,
        **fsync.report(),
    }
