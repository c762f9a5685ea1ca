"""`open_loop`: how long an order takes to be accepted when orders come at their own pace.

Users come by a zipf law over spread accounts, and one hot user on top. Each order has its moment in
a schedule made before; its time counts from that moment, whether or not the load was free to send
it then (corrected for coordinated omission by construction). Baseline in the same run: the
five-statement transaction under the same schedule. Five minutes of each:
`.venv/bin/python -m tests.bench open_loop --seconds 300`.
"""

import random
import time
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from hdrh.histogram import HdrHistogram

from functions.shared.bookkeeping.placing import place
from functions.shared.domain.errors import Retryable
from functions.shared.stores.postgres import Shards
from tests.bench.fsync import measure_fsync, watched_disk
from tests.bench.order_load import (
    FiveStatements,
    all_ready,
    fund,
    placement,
    started_together,
)
from tests.bench.servers import durable_postgres

WORKERS = 8
ACCOUNTS = 1_000
#: Of all workers together: the others' orders by zipf, and the hot user's.
SPREAD_PER_SECOND = 100.0
HOT_PER_SECOND = 50.0
HOT_USER = ACCOUNTS + 1
_WARM_UP = 20
_MICROSECONDS_MAX = 60_000_000
_TRIES = 20

Send = Callable[[int, str], None]
#: Of a worker: (addresses, its number) -> what sends a user's order of that key.
Load = Callable[[list[str], int], Send]


@dataclass(frozen=True, slots=True)
class Due:
    """An order of the schedule: seconds after the start, and whose it is."""

    at: float
    user: int


def schedule(seconds: float, seed: int) -> list[Due]:
    """Poisson arrivals of one worker's share, by time; zipf exponent 1 over the spread accounts."""
    chance = random.Random(seed)
    weights = list(accumulate(1 / rank for rank in range(1, ACCOUNTS + 1)))
    due: list[Due] = []
    for per_second, hot in ((SPREAD_PER_SECOND, False), (HOT_PER_SECOND, True)):
        at = chance.expovariate(per_second / WORKERS)
        while at < seconds:
            drawn = bisect(weights, chance.random() * weights[-1])
            due.append(Due(at, HOT_USER if hot else 1 + min(drawn, ACCOUNTS - 1)))
            at += chance.expovariate(per_second / WORKERS)
    return sorted(due, key=lambda each: each.at)


def _histogram() -> HdrHistogram:
    return HdrHistogram(1, _MICROSECONDS_MAX, 3)


def _keep_to_schedule(load: Load, urls: list[str], worker: int, seconds: float) -> bytes:
    """Sends each order at its moment or, behind it, at once; returns the encoded times."""
    send, taken, due = load(urls, worker), _histogram(), schedule(seconds, worker)
    for number in range(_WARM_UP):
        send(1 + worker * _WARM_UP + number, f"{worker}-warm-{number}")
    all_ready()
    started = time.monotonic()
    for number, each in enumerate(due):
        moment = started + each.at
        if (wait := moment - time.monotonic()) > 0:
            time.sleep(wait)
        _send_until_answered(send, each.user, f"{worker}-{number}")
        micros = int((time.monotonic() - moment) * 1_000_000)
        taken.record_value(max(1, min(micros, _MICROSECONDS_MAX)))
    encoded: bytes = taken.encode()
    return encoded


def _send_until_answered(send: Send, user: int, key: str) -> None:
    """As a client does: what the ledger was too busy for is asked again, with the same key."""
    for _ in range(_TRIES):
        try:
            return send(user, key)
        except Retryable as error:
            busy = error
    raise busy


def _ours(urls: list[str], worker: int) -> Send:
    shards = Shards(urls, "bench")

    def send(user: int, key: str) -> None:
        placed = place(shards, placement(user, key))
        if placed.outcome != "ACCEPTED":
            raise RuntimeError(f"{placed.outcome}: {placed.rules}")

    return send


def _five_statements(urls: list[str], worker: int) -> Send:
    return FiveStatements(urls, worker).place


def _measure(load: Load, urls: list[str], seconds: float) -> HdrHistogram:
    taken = _histogram()
    with started_together(WORKERS) as pool:
        for encoded in pool.starmap(
            _keep_to_schedule, [(load, urls, worker, seconds) for worker in range(WORKERS)]
        ):
            taken.decode_and_add(encoded)
    return taken


def _milliseconds(taken: HdrHistogram, percentile: float) -> float:
    micros: int = taken.get_value_at_percentile(percentile)
    return round(micros / 1_000, 3)


def run(seconds: float) -> dict[str, object]:
    fsync = measure_fsync()
    with durable_postgres() as server:
        urls = list(server.app_urls)
        fund(urls, server.owner_urls, range(1, HOT_USER + 1))
        with watched_disk() as disk:
            ours = _measure(_ours, urls, seconds)
        with watched_disk() as baseline_disk:
            baseline = _measure(_five_statements, urls, seconds)
    rate = SPREAD_PER_SECOND + HOT_PER_SECOND
    return {
        "name": "open_loop",
        "figure": _milliseconds(ours, 99),
        "unit": f"ms, p99 at {rate:.0f} orders/s, {HOT_PER_SECOND:.0f} hot",
        "baselines": [
            {"name": "five-statement transaction", "figure": _milliseconds(baseline, 99)}
        ],
        "p50_ms": _milliseconds(ours, 50),
        "p99_ms": _milliseconds(ours, 99),
        "p99_9_ms": _milliseconds(ours, 99.9),
        "baseline_p50_ms": _milliseconds(baseline, 50),
        "baseline_p99_9_ms": _milliseconds(baseline, 99.9),
        "orders": ours.get_total_count(),
        "seconds": seconds,
        **fsync.report(),
        **disk,
        **{f"baseline_{name}": value for name, value in baseline_disk.items()},
    }
