"""`balance_check`: balances read a second over spread accounts, as `GET /v1/funds` reads them.

Baseline in the same run: the bare row by its primary key, through the same driver.
"""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

from functions.shared.bookkeeping.reading import funds
from functions.shared.stores.postgres import Shards
from tests.bench.order_load import fund, rates
from tests.bench.servers import durable_postgres

WORKERS = 4
ACCOUNTS = 256
_BARE = (
    "SELECT cash, held, borrowed, unsettled, blocked, seq FROM ledger.account"
    " WHERE user_id = :user_id"
)


def _ours(urls: list[str], worker: int) -> Callable[[], int]:
    shards, today = Shards(urls, "bench"), datetime.now(UTC).date()
    users = itertools.cycle(range(1 + worker, ACCOUNTS + 1, WORKERS))

    def once() -> int:
        funds(shards, next(users), today)
        return 1

    return once


def _bare_row(urls: list[str], worker: int) -> Callable[[], int]:
    shards = Shards(urls, "bench")
    users = itertools.cycle(range(1 + worker, ACCOUNTS + 1, WORKERS))

    def once() -> int:
        user = next(users)
        shards.database(shards.number_of_user(user)).run(_BARE, user_id=user)
        return 1

    return once


def run(seconds: float) -> dict[str, object]:
    with durable_postgres() as server:
        urls = list(server.app_urls)
        fund(urls, server.owner_urls, range(1, ACCOUNTS + 1))
        ours, baseline = rates([_ours, _bare_row], urls, WORKERS, seconds)
    return {
        "name": "balance_check",
        "figure": round(ours, 1),
        "unit": "balances/s, spread accounts",
        "baselines": [{"name": "the bare row", "figure": round(baseline, 1)}],
        "workers": WORKERS,
    }
