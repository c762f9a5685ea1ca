"""`balance_check`: balances read a second over spread accounts, as `GET /v1/funds` reads them.

Baseline in the same run: the bare row by its primary key, through the same driver.
"""

import itertools
import time
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


def _ours(urls: list[str], worker: int, until: float) -> int:
    shards, today = Shards(urls, "bench"), datetime.now(UTC).date()
    for count in itertools.count():
        if time.monotonic() >= until:
            break
        funds(shards, 1 + (count * WORKERS + worker) % ACCOUNTS, today)
    shards.close()
    return count


def _bare_row(urls: list[str], worker: int, until: float) -> int:
    shards = Shards(urls, "bench")
    for count in itertools.count():
        if time.monotonic() >= until:
            break
        user = 1 + (count * WORKERS + worker) % ACCOUNTS
        shards.database(shards.number_of_user(user)).run(_BARE, user_id=user)
    shards.close()
    return count


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
