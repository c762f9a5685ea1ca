"""`triggers`: price updates looked at per processor second, with a million orders waiting.

1,000,000 triggers on 500 symbols rest in the shipped book; updates come as the packed batches that
the quote channels carry, are decoded and matched as the process does it, and some fire. Baseline in
the same run: every trigger of the symbol is looked at for each update, decoded by the reader that
the fanout uses. `fire_p99_ms`: at 100,000 updates a second on an open loop (a batch each 20 ms),
from when a batch was due to the last of its commands. `book_bytes_per_trigger` is what the book
added to the process. `with_alerts` is the figure with a million price alerts of every kind watched
beside the orders, as the process does it.
"""

import gc
import random
import time
from collections.abc import Iterator
from typing import Any, Final

import psutil

from edge.triggers.alerts import AlertBook
from edge.triggers.book import TriggerBook
from functions.shared.domain.price_alerts import WHOLE, AlertKind
from functions.shared.stores.price_alerts import WatchedAlert
from functions.shared.stores.waiting_orders import WatchedOrder
from functions.shared.wire.quotes import (
    PARTITIONS,
    Quote,
    decode_batch,
    decode_prices,
    encode_batch,
    encode_record,
)

SYMBOLS: Final = 500
TRIGGERS: Final = 1_000_000
ALERTS: Final = 1_000_000
UPDATES_A_SECOND: Final = 100_000
BATCH_SECONDS: Final = 0.02
BASE: Final = 1_000 * 10_000
TICK: Final = 500
#: A price moves a tick or two; the triggers lie from 5 to 4,000 ticks away from where it starts.
NEAREST, FURTHEST = 5, 4_000
NAIVE_UPDATES: Final = 2_000
FAR: Final = 2**62

Books = tuple[TriggerBook | AlertBook, ...]


def _orders() -> Iterator[WatchedOrder]:
    rng = random.Random(1)
    for number in range(TRIGGERS):
        rising = number % 2 == 0
        away = rng.randint(NEAREST, FURTHEST) * TICK
        yield WatchedOrder(
            number, number % 100_000, 1, f"S{number % SYMBOLS}", rising,
            BASE + (away if rising else -away), None, FAR, 0,
        )  # fmt: skip


def _alerts() -> Iterator[WatchedAlert]:
    """As far from the prices as the orders are, in each kind's unit; volumes are never reached."""
    rng, kinds = random.Random(3), tuple(AlertKind)
    for number in range(ALERTS):
        kind = kinds[number // SYMBOLS % len(kinds)]
        away = rng.randint(NEAREST, FURTHEST) * TICK
        side = away if kind.rising else -away
        threshold = {
            "PRICE": BASE + side, "CHANGE": side * WHOLE // BASE, "VOLUME": away,
        }[kind.partition("_")[0]]  # fmt: skip
        yield WatchedAlert(
            number, number % 100_000, 1, f"S{number % SYMBOLS}", kind, threshold, None
        )


class _Walk:
    """Prices that wander, in payloads of 20 ms."""

    def __init__(self) -> None:
        self._rng = random.Random(2)
        self._prices = [BASE] * SYMBOLS
        self._seq = 0

    def payloads(self, updates: int) -> list[bytes]:
        """One batch's worth, spread over the partitions."""
        records: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        for _ in range(updates):
            self._seq += 1
            symbol = self._rng.randrange(SYMBOLS)
            self._prices[symbol] += self._rng.randint(-2, 2) * TICK
            price = self._prices[symbol]
            quote = Quote(f"S{symbol}", symbol, self._seq, self._seq, price, 1, BASE, price, price,
                          BASE, 1, price)  # fmt: skip
            records[symbol % PARTITIONS].append(encode_record(quote))
        return [encode_batch(number, 1, part) for number, part in enumerate(records) if part]


def _take(books: Books, payloads: list[bytes]) -> int:
    """As the process takes what its channels deliver. Returns how many commands came of it."""
    fired = 0
    for payload in payloads:
        for tick in decode_prices(payload):
            for book in books:
                fired += len(book.trade(tick, 0.0, 0))
    return fired


def _naive(orders: list[WatchedOrder], payloads: list[bytes], updates: int) -> float:
    """Updates a processor second by looking at every trigger of the symbol."""
    by_symbol: dict[str, list[WatchedOrder]] = {}
    for order in orders:
        by_symbol.setdefault(order.symbol, []).append(order)
    began = time.process_time()
    for payload in payloads:
        for quote in decode_batch(payload).quotes:
            waiting, price = by_symbol[quote.symbol], quote.ltp
            reached = [
                o for o in waiting
                if o.trigger is not None
                and (price >= o.trigger if o.rising else price <= o.trigger)
            ]  # fmt: skip
            for order in reached:
                waiting.remove(order)
    return updates / (time.process_time() - began)


def _throughput(books: Books, walk: _Walk, seconds: float) -> tuple[float, int]:
    """Updates a processor second, and commands made."""
    used = taken = fired = 0.0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        payloads = walk.payloads(20_000)
        began = time.process_time()
        fired += _take(books, payloads)
        used += time.process_time() - began
        taken += 20_000
    return taken / used, int(fired)


def _fire_p99_ms(books: Books, walk: _Walk, seconds: float) -> float:
    """Of the batches that fired something, from the time a batch was due to its last command."""
    each = int(UPDATES_A_SECOND * BATCH_SECONDS)
    batches = [walk.payloads(each) for _ in range(int(seconds / BATCH_SECONDS))]
    late: list[float] = []
    start = time.perf_counter()
    for number, payloads in enumerate(batches):
        due = start + number * BATCH_SECONDS
        if (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        if _take(books, payloads):
            late.append(time.perf_counter() - due)
    late.sort()
    return late[int(len(late) * 0.99)] * 1_000 if late else 0.0


def run(seconds: float) -> dict[str, Any]:
    process = psutil.Process()
    orders = list(_orders())
    gc.collect()
    before = process.memory_info().rss
    began = time.process_time()
    book = TriggerBook()
    book.load(orders)
    loaded = time.process_time() - began
    bytes_each = (process.memory_info().rss - before) / TRIGGERS
    gc.freeze()
    walk = _Walk()
    figure, fired = _throughput((book,), walk, seconds / 2)
    p99 = _fire_p99_ms((book,), walk, seconds / 2)
    alerts = AlertBook()
    alerts.load(_alerts())
    gc.freeze()
    with_alerts, told = _throughput((book, alerts), walk, seconds / 2)
    naive = _naive(orders, _Walk().payloads(NAIVE_UPDATES), NAIVE_UPDATES)
    return {
        "name": "triggers",
        "figure": figure,
        "unit": "updates/processor second",
        "baselines": [{"name": "look at each trigger of the symbol", "figure": naive}],
        "resting": TRIGGERS,
        "fired": fired,
        "with_alerts": round(with_alerts),
        "fired_with_alerts": told,
        "fire_p99_ms": round(p99, 2),
        "load_seconds": round(loaded, 1),
        "book_bytes_per_trigger": round(bytes_each),
    }
