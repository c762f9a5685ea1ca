"""`place_order`: orders a second into PostgreSQL over spread accounts, through our driver.

Baseline in the same run: the five-statement transaction that locks the row with SELECT ... FOR
UPDATE and holds it over every round trip. Loads run in processes of their own; four of each.
"""

import multiprocessing
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from functions.shared.bookkeeping.accounts import deposit, open_account
from functions.shared.bookkeeping.placing import Placement, place
from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import Judgement, OrderIntent
from functions.shared.stores.postgres import Database, Shards
from tests.bench.servers import durable_postgres

WORKERS = 4
ACCOUNTS = 256
PRICE = 1_500_0000

_BASELINE_TABLES = """
CREATE SCHEMA IF NOT EXISTS baseline;
CREATE TABLE baseline.account (user_id bigint PRIMARY KEY, cash bigint, held bigint);
CREATE TABLE baseline.orders (order_id bigserial PRIMARY KEY, user_id bigint, coid text,
  symbol text, side text, quantity bigint, price bigint, hold bigint, body text,
  UNIQUE (user_id, coid));
CREATE TABLE baseline.event (user_id bigint, id bigserial, held bigint, body text);
GRANT ALL ON SCHEMA baseline TO outcry_app;
GRANT ALL ON ALL TABLES IN SCHEMA baseline TO outcry_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA baseline TO outcry_app;
"""


def _ours(urls: list[str], worker: int, until: float) -> int:
    shards = Shards(urls, "bench")
    rates = charge_rates(Product.CNC, "NSE", Side.BUY, datetime.now(UTC).date()).rates
    value = PRICE // 100
    charges = charges_on(value, rates)
    judgement = Judgement((), PRICE, value, charges, rates, 10**9, value + sum(charges))
    intent = OrderIntent(Side.BUY, OrderType.LIMIT, 1, PRICE)
    count = 0
    while time.monotonic() < until:
        user = 1 + (count * WORKERS + worker) % ACCOUNTS
        placed = place(
            shards,
            Placement(
                user, f"{worker}-{count}", b"\x00" * 32, "INFY", intent, Product.CNC, Validity.DAY,
                judgement, "{}", 10**9, datetime.now(UTC).date(), datetime.now(UTC),
            ),
        )  # fmt: skip
        if placed.outcome != "ACCEPTED":
            raise RuntimeError(f"{placed.outcome}: {placed.rules}")
        count += 1
    shards.close()
    return count


def _five_statements(urls: list[str], worker: int, until: float) -> int:
    database = Database(urls[0], "bench")
    body = "x" * 600  # what an event's body weighs
    hold = PRICE // 100
    count = 0
    while time.monotonic() < until:
        user = 1 + (count * WORKERS + worker) % ACCOUNTS
        with database.transaction():
            held = database.run(
                "SELECT cash, held FROM baseline.account WHERE user_id = :u FOR UPDATE", u=user
            )[0][1]
            order = database.run(
                "INSERT INTO baseline.orders (user_id, coid, symbol, side, quantity, price, hold,"
                " body) VALUES (:u, :c, 'INFY', 'BUY', 1, :p, :h, :b) RETURNING order_id",
                u=user, c=f"{worker}-{count}", p=PRICE, h=hold, b=body,
            )[0][0]  # fmt: skip
            database.run(
                "UPDATE baseline.account SET held = held + :h WHERE user_id = :u", h=hold, u=user
            )
            database.run(
                "INSERT INTO baseline.event (user_id, held, body) VALUES (:u, :h, :b)",
                u=user, h=held + hold, b=body + str(order),
            )  # fmt: skip
        count += 1
    database.close()
    return count


def _rate(work: Callable[[list[str], int, float], int], urls: list[str], seconds: float) -> float:
    until = time.monotonic() + seconds
    context = multiprocessing.get_context("spawn")
    with context.Pool(WORKERS) as pool:
        started = time.monotonic()
        counts: list[Any] = pool.starmap(
            work, [(urls, worker, until + 1.0) for worker in range(WORKERS)]
        )
        return sum(counts) / (time.monotonic() - started)


def run(seconds: float) -> dict[str, object]:
    with durable_postgres() as server:
        owner = Database(server.owner_urls[0], "bench")
        owner._simple(_BASELINE_TABLES)
        owner._simple(
            "INSERT INTO baseline.account SELECT g, 10::bigint^15, 0"
            f" FROM generate_series(1, {ACCOUNTS}) g"
        )
        owner.close()
        urls = list(server.app_urls)
        shards = Shards(urls, "bench")
        for user in range(1, ACCOUNTS + 1):
            open_account(shards, user, datetime.now(UTC))
            deposit(shards, user, "bench", 10**15, datetime.now(UTC).date(), datetime.now(UTC))
        shards.close()
        ours = _rate(_ours, urls, seconds)
        baseline = _rate(_five_statements, urls, seconds)
    return {
        "name": "place_order",
        "figure": round(ours, 1),
        "unit": "orders/s, spread accounts",
        "baselines": [{"name": "five-statement transaction", "figure": round(baseline, 1)}],
        "workers": WORKERS,
    }
