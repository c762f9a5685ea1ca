"""`portfolio`: how long `GET /v1/portfolio` takes inside its function, over real stores.

An account with 20 delivery holdings of two days and 5 intraday positions, each with a live price.
Baseline in the same run: `GET /v1/funds`, which asks the ledger once.
"""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from functions.ledger import handler
from functions.shared.access.call_rates import CallRates
from functions.shared.access.principal import SCOPES, Principal
from functions.shared.bookkeeping.accounts import deposit, open_account
from functions.shared.bookkeeping.applying import apply_execution
from functions.shared.bookkeeping.placing import place
from functions.shared.clock import micros, wall_now
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.calendar import settlement_date
from functions.shared.domain.orders import Product
from functions.shared.runtime import composition
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.valkey import open_valkey
from functions.shared.wire.executions import ExecutionReport
from functions.shared.wire.quotes import Quote, encode_record, encode_value, quote_key
from tests.bench.order_load import PRICE, placement
from tests.bench.servers import durable_postgres
from tests.support.api_events import api_event
from tests.support.valkey import valkey_server

USER = 1
HOLDINGS = 20
POSITIONS = 5
NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)


class _Stores:
    """What the function is given, with the clock at a Friday noon and a verifier that trusts."""

    hours: Literal["nse"] = "nse"

    def __init__(self, shards: Shards, quotes: QuoteCache) -> None:
        self.shards = shards
        self.quotes = quotes
        self.clock = self
        self.verifier = self
        self.call_rates = CallRates(None, None, None)

    def now(self) -> datetime:
        return NOON

    def admit(self, token: str, *_: object) -> Principal:
        return Principal(
            USER, "s", ("user",), "PAPER", "IN", wall_now() + timedelta(minutes=5), SCOPES
        )


def _buy(shards: Shards, symbol: str, product: Product, day: date, number: int) -> None:
    """A filled order of one share."""
    at = datetime.combine(day, NOON.time(), UTC)
    wanted = placement(USER, f"{symbol}-{product}-{day}")
    placed = place(shards, replace(wanted, symbol=symbol, product=product, trade_date=day, now=at))
    if placed.order is None or placed.outcome != "ACCEPTED":
        raise RuntimeError(f"{placed.outcome}: {placed.rules}")
    report = ExecutionReport(
        session="BENCH", position=number, user_id=USER, order_id=placed.order.order_id, request=0,
        exec_id=f"B{number}", exec_type="F", ord_status="2", venue_order_id="V", symbol=symbol,
        side=None, last_quantity=1, last_price=PRICE, cumulative_quantity=1, leaves_quantity=0,
        order_quantity=1, price=None, trade_date=day.isoformat(), transacted_at=micros(at),
    )  # fmt: skip
    applied = apply_execution(shards, report, settlement_date(day, "nse"), day, at)
    if applied.outcome != "APPLIED":
        raise RuntimeError(f"{applied.outcome}: {applied.why}")


def _fill_books(shards: Shards, valkey_url: str) -> None:
    open_account(shards, USER, NOON - timedelta(days=2), AccountClass.TEST)  # no bound on its rate
    deposit(shards, USER, "bench", 10**12, NOON.date() - timedelta(days=1), NOON)
    number = 0
    for day in (NOON.date() - timedelta(days=1), NOON.date()):
        for holding in range(HOLDINGS):
            number += 1
            _buy(shards, f"SHARE{holding}", Product.CNC, day, number)
    for position in range(POSITIONS):
        number += 1
        _buy(shards, f"SHARE{position}", Product.MIS, NOON.date(), number)
    valkey = open_valkey(valkey_url)
    for token in range(HOLDINGS):
        symbol, at = f"SHARE{token}", micros(NOON) // 1000
        quote = Quote(symbol, token, 1, at, PRICE, 1, PRICE, PRICE, PRICE, PRICE, 1, PRICE)
        valkey.set(quote_key(symbol), encode_value(encode_record(quote)))
    valkey.close()


def _p99_ms(target: str, seconds: float) -> tuple[float, float]:
    """p50 and p99 of one request after the other."""
    event = api_event("GET", target, token="any")
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        answer = handler.lambda_handler(event, None)
        taken.append((time.perf_counter() - started) * 1_000)
        if answer["statusCode"] != 200:
            raise RuntimeError(answer["body"])
    taken.sort()
    return round(taken[len(taken) // 2], 3), round(taken[len(taken) * 99 // 100], 3)


def run(seconds: float) -> dict[str, object]:
    with durable_postgres() as server, valkey_server() as cache:
        shards = Shards(server.app_urls, "bench")
        valkey = open_valkey(cache.url)
        quotes = QuoteCache(valkey)
        _fill_books(shards, cache.url)
        given = composition.stores
        composition.stores = lambda: _Stores(shards, quotes)  # type: ignore[assignment]
        try:
            middle, ours = _p99_ms("/v1/portfolio", seconds)
            _, baseline = _p99_ms("/v1/funds", seconds)
        finally:
            composition.stores = given
            valkey.close()
            shards.close()
    return {
        "name": "portfolio",
        "figure": ours,
        "unit": f"ms, p99, {HOLDINGS} holdings {HOLDINGS + POSITIONS} positions",
        "baselines": [{"name": "GET /v1/funds", "figure": baseline}],
        "p50_ms": middle,
    }
