"""triggers: waiting orders to commands. `python -m edge.triggers.main`

    quotes (Valkey) -> book -> asking -> stream `commands`        clock -> book
    ledger -> feed -> books           plans, by the clock and by ended legs -> asking

Invariant: the books live on the event loop alone, and the loop waits for no store. Everything it
knows is in the ledger or in the quote cache: a process that dies loses nothing. One watches, by a
lease, and others stand by; two that did would ask for the same things, which are done once.
"""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import uvloop
from prometheus_client import REGISTRY

from edge.runtime.backoff import Backoff
from edge.runtime.health import State, serve_health
from edge.runtime.lease import Lease, holder_of
from edge.runtime.log import configure_logging, logger
from edge.runtime.stream_lag import StreamLag
from edge.runtime.threads import Threads
from edge.triggers.alerts import AlertBook, AlertEnded
from edge.triggers.asking import Asking
from edge.triggers.book import TriggerBook
from edge.triggers.feed import GROUP, Change, Ended, Feed, Watched
from edge.triggers.metrics import TriggerMetrics
from edge.triggers.plans import PlanBook, PlanEnded, SliceSeen
from functions.shared.clock import micros, open_clock, wall_now
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.settings import SettingsError, StreamSettings
from functions.shared.stores.leases import TRIGGERS, LedgerLeases
from functions.shared.stores.postgres import Shards
from functions.shared.stores.price_alerts import PriceAlerts, WatchedAlert
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.seen_prices import keep_seen, read_seen
from functions.shared.stores.streams import streams_of
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.valkey import open_valkey
from functions.shared.stores.waiting_orders import WaitingOrders, WatchedOrder
from functions.shared.stores.watched_plans import WatchedPlan, WatchedPlans
from functions.shared.wire.quotes import PARTITIONS, PriceTick, decode_prices, quotes_channel
from functions.shared.wire.trigger_commands import EdgeCommand

CLOCK_SECONDS: Final = 0.1
ASK_AGAIN_TICKS: Final = 10
LOOK_SECONDS: Final = 0.25


class TriggerSettings(StreamSettings, frozen=True, kw_only=True):
    """What the triggers read at start."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    health: str
    instance: str | None = None
    clock: str = "real"
    execution_partitions: int = 4


class Triggers:
    """The parts of one process, joined."""

    def __init__(self, settings: TriggerSettings, threads: Threads, lease: Lease) -> None:
        self._threads = threads
        self._lease = lease
        self._clock = open_clock(settings.clock)
        self._book = TriggerBook()
        self._plans = PlanBook()
        self._alerts = AlertBook()
        self._metrics = TriggerMetrics(REGISTRY)
        self._metrics.watched.set_function(lambda: len(self._book))
        self._metrics.unanswered.set_function(lambda: self._book.unanswered)
        shards = Shards(settings.postgres_urls, "triggers")
        streams = streams_of(settings)
        self._feed = Feed(
            WaitingOrders(shards),
            WatchedPlans(shards),
            PriceAlerts(shards),
            streams,
            StreamLag(streams, GROUP, REGISTRY),
            self._on_loop_load,
            self._on_loop_take,
            lease.held,
        )
        self._asking = Asking(
            streams_of(settings),
            settings.execution_partitions,
            self._metrics,
            lease.held,
        )
        self._subscriber = ValkeySubscriber(settings.valkey_url, self._deliver, self._warm_up)
        self._valkey = open_valkey(settings.valkey_url)
        self._cache = QuoteCache(self._valkey)
        self._loaded = asyncio.Event()
        self._warming: asyncio.Task[None] | None = None
        self._unread = False

    def state(self) -> tuple[bool, str]:
        """For /health: ready while prices and events come in and commands go out."""
        if not self._subscriber.connected:
            return False, "the quote channels are away"
        for ready, detail in (self._feed.state(), self._asking.state()):
            if not ready:
                return False, detail
        return True, ""

    async def run(self) -> None:
        """Until the threads stop. Raises what ended a task of the loop."""
        threads = self._threads
        self._loop = asyncio.get_running_loop()
        self._subscriber.subscribe(quotes_channel(number) for number in range(PARTITIONS))
        tasks = [
            asyncio.create_task(self._follow_prices()),
            asyncio.create_task(self._follow_clock()),
            asyncio.create_task(asyncio.to_thread(threads.stop.wait)),
        ]
        threads.start("lease", partial(self._lease.keep, threads.stop))
        threads.start("feed", partial(self._feed.run, threads.stop))
        threads.start("asking", partial(self._asking.run, threads.stop))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        threads.stop.set()
        for task in tasks:
            task.cancel()
        self._cache.close()
        for task in done:
            task.result()

    # -- Prices

    async def _follow_prices(self) -> None:
        """From when the orders are known: what was seen before is recalled for them."""
        await self._loaded.wait()
        with contextlib.suppress(Retryable):  # then nothing is recalled
            seen = await asyncio.to_thread(read_seen, self._valkey)
            if seen is not None:
                self._book.recall(seen)
        await self._subscriber.run()

    def _deliver(self, _channel: bytes, payload: bytes) -> None:
        try:
            ticks = decode_prices(payload)
        except PeerProtocolError as error:
            self._metrics.bad_batches.inc()
            logger(__name__).error("a quote batch can't be read", detail=str(error))
            return
        self._trade(ticks)

    def _trade(self, ticks: list[PriceTick]) -> None:
        now, at = time.monotonic(), micros(wall_now())
        trade, alert = self._book.trade, self._alerts.trade
        for tick in ticks:
            if commands := trade(tick, now, at):
                self._asking.put(commands)
            if alerts := alert(tick, now, at):
                self._asking.put(alerts)
        self._metrics.prices.inc(len(ticks))

    def _warm_up(self, _missed: frozenset[str] = frozenset()) -> None:
        """What was published before the channels were subscribed is in the cache."""
        self._unread = True
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        """The last price of every symbol that an order or an alert waits for."""
        backoff = Backoff()
        while self._unread:
            self._unread = False
            try:
                wanted = {*self._book.symbols, *self._alerts.symbols}
                quotes = await asyncio.to_thread(self._cache.get, list(wanted))
            except Retryable:
                self._unread = True
                await asyncio.sleep(backoff.next_seconds())
                continue
            self._trade(
                [
                    PriceTick(
                        q.symbol, q.seq, q.timestamp_ms, q.ltp, q.high, q.low, q.close, q.volume
                    )
                    for q in quotes.values()
                ]
            )

    # -- Orders

    def _on_loop_load(self, found: Watched) -> None:
        self._on_loop(partial(self._load, found))

    def _on_loop_take(self, changes: list[Change]) -> None:
        self._on_loop(partial(self._take, changes))

    def _load(self, found: Watched) -> None:
        self._book.load(found.orders)
        self._plans.load(found.plans)
        self._alerts.load(found.alerts)
        self._ask(self._book.reached(self._book.symbols, time.monotonic(), micros(wall_now())))
        if self._loaded.is_set():
            self._warm_up()
        self._loaded.set()
        logger(__name__).info("orders read", watched=len(self._book), alerts=len(self._alerts))

    def _take(self, changes: list[Change]) -> None:
        symbols: set[str] = set()
        now, at = time.monotonic(), micros(wall_now())
        for change in changes:
            match change:
                case WatchedAlert():
                    self._ask(self._alerts.watch(change, now, at))
                case AlertEnded():
                    self._alerts.forget(change)
                case WatchedOrder():
                    self._book.watch(change)
                    symbols.add(change.symbol)
                case Ended():
                    self._book.forget(*change)
                case WatchedPlan():
                    self._plans.watch(change)
                case PlanEnded():
                    self._plans.forget(change)
                case SliceSeen():
                    self._plans.see(change, now)
        self._ask(self._book.reached(symbols, now, at))
        if any(isinstance(change, WatchedAlert) for change in changes):
            self._warm_up()  # the price may be there, of a symbol that nobody waited for

    def _on_loop(self, work: partial[None]) -> None:
        """Runs it on the loop and waits for its end, or the process's. Raises what it raises."""
        done = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again on the waiting thread
                failure.append(error)
            done.set()

        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(run)
        while not done.wait(LOOK_SECONDS):
            if self._threads.stop.is_set():
                return
        if failure:
            raise failure[0]

    # -- Times

    async def _follow_clock(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            now, at = time.monotonic(), micros(wall_now())
            business = micros(self._clock.now())
            self._ask(self._book.due(business, now, at))
            self._ask(self._plans.due(business, now, at))
            ticks += 1
            if ticks % ASK_AGAIN_TICKS == 0:
                again = [*self._book.ask_again(now), *self._alerts.ask_again(now)]
                self._metrics.again.inc(len(again))
                self._ask(again)
                await self._keep_seen()

    async def _keep_seen(self) -> None:
        if self._loaded.is_set() and self._lease.held():
            seen = self._book.seen(micros(self._clock.now()))
            with contextlib.suppress(Retryable):  # the next second tries again
                await asyncio.to_thread(keep_seen, self._valkey, seen)

    def _ask(self, commands: Sequence[EdgeCommand]) -> None:
        if commands:
            self._asking.put(commands)


def main() -> int:
    """The process's exit code: 0 stopped, 1 failed, 2 wrong settings."""
    try:
        settings = TriggerSettings.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging("triggers", settings.log_level)
    threads = Threads()
    threads.stop_on_signals()
    shards = Shards(settings.postgres_urls, "triggers-lease")
    lease = Lease(LedgerLeases(shards.control), [TRIGGERS], holder_of(settings.instance))
    states: list[State] = [lease.state]
    health = serve_health(settings.health, "triggers", lambda: states[-1]())
    code = 0
    if lease.take(threads.stop):
        triggers = Triggers(settings, threads, lease)
        states.append(triggers.state)
        uvloop.run(triggers.run())
        code = threads.wait()
        lease.give_up()
    health.close()
    shards.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
