"""`search`: how long a search takes when they come at their own pace, 580 a second over 100,000
instruments: answers of the last minute, the embedded index behind them, prices of each answer.

A search has its moment in a schedule made before, and its time counts from that moment. It is what
the function does between its request and its response; sign-in and HTTP are `http_to_fill`'s. Whose
name is typed follows a zipf law, how much of it is typed is even, and one in ten has a typo.
Baseline in the same run: PostgreSQL's ILIKE over the same master, one after the other, because it
can't keep that pace. `engine_p99_ms` is the index alone, without the answers that were kept.
"""

import random
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import msgspec
from hdrh.histogram import HdrHistogram

from functions.search.find import find
from functions.search.index import index_of
from functions.search.keep_index import mend
from functions.shared.domain.search_terms import asked_for
from functions.shared.runtime.composition import Stores
from functions.shared.settings import StoreSettings
from functions.shared.stores.postgres import Database
from functions.shared.wire.quotes import Quote, encode_record, encode_value, quote_key
from tests.bench.order_load import all_ready, started_together
from tests.bench.servers import durable_postgres
from tests.support.valkey import valkey_server

INSTRUMENTS = 100_000
PER_SECOND = 580.0
WORKERS = 2
HITS = 10
_TYPED_MOST = 10
_MICROSECONDS_MAX = 60_000_000
_SYLLABLES = [a + b for a in "bdghjklmnprstv" for b in ("a", "e", "i", "o", "an", "ar", "in")]
_FILL = """
INSERT INTO market.instrument (token, exchange, symbol, name, isin, sector, kind, tick, lot,
  band_percent, previous_close, market_cap)
SELECT r.token, 'NSE', r.symbol, r.name, '', 'Any', 'EQUITY', 500, 1, 20, 1000000, r.market_cap
FROM json_to_recordset(CAST(:rows AS json))
  AS r (token integer, symbol text, name text, market_cap bigint)
"""
_ILIKE = """
SELECT token, symbol, name FROM market.instrument
WHERE symbol ILIKE :begins OR name ILIKE :begins OR name ILIKE :within
ORDER BY symbol ILIKE :begins DESC, market_cap DESC LIMIT 10
"""

Search = Callable[[str], object]


def run(seconds: float) -> dict[str, object]:
    with (
        durable_postgres() as server,
        valkey_server() as valkey,
        tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder,
    ):
        _fill(server.owner_urls[0])
        address = f"file://{Path(folder) / 'search'}"
        settings = _settings(server.owner_urls, valkey.url, address)
        started = time.monotonic()
        stores = Stores(settings)
        _quote(stores)
        mend(stores)
        built = time.monotonic() - started
        stores.close()
        told = msgspec.json.encode(settings)
        ours = _open_loop(_ours, told, seconds)
        engine = _open_loop(_engine, told, seconds)
        ilike = _one_by_one(server.app_urls[0], seconds)
    return {
        "name": "search",
        "figure": _milliseconds(ours, 99),
        "unit": f"ms, p99 at {PER_SECOND:.0f} searches/s, {INSTRUMENTS} instruments",
        "baselines": [
            {"name": "PostgreSQL ILIKE, one by one", "figure": _milliseconds(ilike, 99)},
        ],
        "p50_ms": _milliseconds(ours, 50),
        "p99_9_ms": _milliseconds(ours, 99.9),
        "engine_p50_ms": _milliseconds(engine, 50),
        "engine_p99_ms": _milliseconds(engine, 99),
        "baseline_p50_ms": _milliseconds(ilike, 50),
        "build_seconds": round(built, 1),
        "searches": ours.get_total_count(),
        "workers": WORKERS,
        "seconds": seconds,
    }


def names(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Symbols and names, as many as there are instruments."""
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) for _ in range(20_000)]
    for number in range(INSTRUMENTS):
        own = chance.choices(words, k=chance.randint(1, 3))
        symbol = f"{own[0][:8]}{number:x}".upper()
        yield symbol, f"{' '.join(own).title()} {chance.choice(('Limited', 'India Limited'))}"


def typed(seed: int) -> Iterator[str]:
    """What users have typed so far of a symbol or a name, without end."""
    known, chance = list(names(random.Random(1))), random.Random(seed)
    weights = list(accumulate(1 / rank for rank in range(1, INSTRUMENTS + 1)))
    while True:
        text = chance.choice(known[bisect(weights, chance.random() * weights[-1])]).lower()
        letters = list(text[: chance.randint(1, _TYPED_MOST)])
        if chance.random() < 0.1:
            letters[chance.randrange(len(letters))] = chance.choice("aeiou")
        yield "".join(letters)


def _fill(url: str) -> None:
    database, chance = Database(url, "bench", statement_timeout_ms=60_000), random.Random(2)
    rows = [
        {"token": token, "symbol": symbol, "name": name, "market_cap": chance.randint(0, 1_000_000)}
        for token, (symbol, name) in enumerate(names(random.Random(1)), 1)
    ]
    for start in range(0, INSTRUMENTS, 5_000):
        part = msgspec.json.encode(rows[start : start + 5_000]).decode()
        database.run(_FILL, rows=part)
    database.run("ANALYZE market.instrument")
    database.close()


def _settings(urls: list[str], valkey: str, search: str) -> StoreSettings:
    return StoreSettings(
        postgres_urls=tuple(urls), valkey_url=valkey, secrets_url="file:///none", search_url=search
    )


def _quote(stores: Stores) -> None:
    """Every instrument has a price."""
    chance = random.Random(3)
    with stores.valkey.pipeline(transaction=False) as pipeline:
        for token, (symbol, _) in enumerate(names(random.Random(1)), 1):
            price = chance.randint(10_000, 50_000_000)
            quote = Quote(
                symbol=symbol, token=token, seq=1, timestamp_ms=1, ltp=price, last_quantity=1,
                open=price, high=price, low=price, close=price, volume=chance.randint(0, 10**6),
                average=price, levels=(0,) * 30,
            )  # fmt: skip
            pipeline.set(quote_key(symbol), encode_value(encode_record(quote)))
            if token % 5_000 == 0:
                pipeline.execute()
        pipeline.execute()


def _ours(stores: Stores) -> Search:
    return lambda query: find(stores, query, HITS, None)


def _engine(stores: Stores) -> Search:
    def search(query: str) -> object:
        asked, index = asked_for(query), index_of(stores)
        if asked is None or index is None:
            raise RuntimeError("nothing is asked, or of nobody")
        return index.find(asked, HITS)

    return search


def _open_loop(load: Callable[[Stores], Search], told: bytes, seconds: float) -> HdrHistogram:
    taken = _histogram()
    with started_together(WORKERS) as pool:
        work = [(load, told, worker, seconds) for worker in range(WORKERS)]
        for encoded in pool.starmap(_keep_to_schedule, work):
            taken.decode_and_add(encoded)
    return taken


def _keep_to_schedule(
    load: Callable[[Stores], Search], told: bytes, worker: int, seconds: float
) -> bytes:
    stores = Stores(msgspec.json.decode(told, type=StoreSettings))
    search, taken, chance = load(stores), _histogram(), random.Random(worker)
    queries = typed(10 + worker)
    for _ in range(20):
        search(next(queries))
    due: list[tuple[float, str]] = []
    at = chance.expovariate(PER_SECOND / WORKERS)
    while at < seconds:
        due.append((at, next(queries)))
        at += chance.expovariate(PER_SECOND / WORKERS)
    all_ready()
    started = time.monotonic()
    for at, query in due:
        if (wait := started + at - time.monotonic()) > 0:
            time.sleep(wait)
        search(query)
        _record(taken, time.monotonic() - started - at)
    stores.close()
    encoded: bytes = taken.encode()
    return encoded


def _one_by_one(url: str, seconds: float) -> HdrHistogram:
    database, taken, queries = Database(url, "bench"), _histogram(), typed(10)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        query, started = next(queries), time.monotonic()
        database.run(_ILIKE, begins=f"{query}%", within=f"% {query}%")
        _record(taken, time.monotonic() - started)
    database.close()
    return taken


def _histogram() -> HdrHistogram:
    return HdrHistogram(1, _MICROSECONDS_MAX, 3)


def _record(taken: HdrHistogram, seconds: float) -> None:
    taken.record_value(max(1, min(int(seconds * 1_000_000), _MICROSECONDS_MAX)))


def _milliseconds(taken: HdrHistogram, percentile: float) -> float:
    micros: int = taken.get_value_at_percentile(percentile)
    return round(micros / 1_000, 3)
