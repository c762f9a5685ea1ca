"""ingest: the venue's market data in, last values out to Valkey. `python -m edge.ingest.main`

    line A -> feed -+
                    +-> arbiter -> book -> publisher -> Valkey        lease -> publisher
    line B -> feed -+

Invariant: a symbol is asked for on one session only, the one its partition falls to, so that its
updates keep their order. One process publishes, by a lease; the others keep their books as warm as
its own and write nothing.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated

import uvloop
from msgspec import Meta
from prometheus_client import REGISTRY

from edge.ingest.announced import Announced
from edge.ingest.arbiter import HoldLimits
from edge.ingest.book import Book
from edge.ingest.breaker import BreakerWatch
from edge.ingest.candles import CandleKeeper
from edge.ingest.feed import FeedPair
from edge.ingest.limits import Count, Limits
from edge.ingest.listings import Listings
from edge.ingest.metrics import IngestMetrics
from edge.ingest.minutes import Minutes
from edge.ingest.publish import Publisher
from edge.runtime.backoff import Backoff
from edge.runtime.health import serve_health
from edge.runtime.lease import Lease, LeaseTimes, holder_of
from edge.runtime.log import configure_logging, logger
from edge.runtime.threads import Threads
from functions.shared.clock import open_clock, trade_date, wall_now
from functions.shared.domain.errors import Fenced, InvariantViolated, Retryable
from functions.shared.domain.instruments import Instrument
from functions.shared.settings import Settings, SettingsError, split_address
from functions.shared.stores.candles import CandleStore
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.leases import INGEST, LedgerLeases
from functions.shared.stores.listings import ANNOUNCED_TOKENS, IMPORTED_TOKENS, list_share
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.valkey import open_valkey
from functions.shared.wire.quotes import partition_of_symbol


class IngestSettings(Settings, frozen=True, kw_only=True):
    """What ingest reads at start. Without a `clickhouse_url` nobody keeps candles."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    venue_feed: str
    health: str
    venue_feed_b: str | None = None
    instance: str | None = None
    clock: str = "real"
    clickhouse_url: str | None = None
    candles_waiting: int = 200_000
    candles_days: Annotated[int, Meta(ge=60)] = 730  # curves look back for forty
    feed_sessions: Count = 2
    feed_first_session: Count = 1
    feed_hold_ms: Count = 250
    feed_hold_messages: Count = 2_000
    feed_stale_ms: Count = 1_500
    ingest_batch_ms: Count = 20
    ingest_lease_ms: Count = 1_200


class Ingest:
    """The parts of one process, joined. Raises SettingsError for an address or a clock that can't
    be opened."""

    def __init__(
        self, settings: IngestSettings, limits: Limits, threads: Threads, lease: Lease
    ) -> None:
        self._settings, self._limits = settings, limits
        self._threads, self._lease = threads, lease
        self._clock = open_clock(settings.clock)
        self._store = None
        if settings.clickhouse_url is not None:
            self._store = CandleStore.open(settings.clickhouse_url, settings.candles_days)
        self._metrics: IngestMetrics | None = None
        self._parts: tuple[Book, Announced, list[FeedPair]] | None = None

    def state(self) -> tuple[bool, str]:
        """For /health: ready when prices come in and go out, or would if the lease were ours."""
        if self._metrics is None:
            return False, "waiting for the instruments"
        ready, detail = self._metrics.state()
        return self._lease.state() if ready else (ready, detail)

    async def run(self) -> None:
        """Until the threads stop. Raises what ended a task of the loop, but Fenced."""
        self._loop = asyncio.get_running_loop()
        writer = QuoteWriter(self._settings.valkey_url, self._limits.write_seconds)
        try:
            instruments = await self._read_instruments()
            if instruments:
                await self._work(instruments, writer)
        finally:
            await writer.close()
            if self._store is not None:
                self._store.close()

    async def _work(self, instruments: Mapping[str, Instrument], writer: QuoteWriter) -> None:
        settings, limits = self._settings, self._limits
        instruments = {  # of the others the venue tells after the logon, if it has them
            symbol: row
            for symbol, row in instruments.items()
            if row.token not in ANNOUNCED_TOKENS
            and row.token not in IMPORTED_TOKENS
            and row.previous_close  # none of a share that is known and not traded here
        }
        minutes = Minutes(self._clock.business_at, settings.candles_waiting)
        tokens = {symbol: row.token for symbol, row in instruments.items()}
        kept = minutes if self._store is not None else None
        book = Book(tokens, minutes=kept, symbols_most=limits.symbols)
        announced = Announced({symbol: row.security_class for symbol, row in instruments.items()})
        control = Database(settings.postgres_urls[0], "ingest-listings")
        listings = Listings(instruments, partial(list_share, control), self._join)
        feeds = self._feeds(instruments, book, announced, listings)
        self._parts = book, announced, feeds
        publisher = self._publisher = Publisher(
            book,
            announced,
            feeds,
            writer,
            wall_now,
            business=lambda: trade_date(self._clock.now()),
            batch_seconds=settings.ingest_batch_ms / 1000,
            stale_seconds=settings.feed_stale_ms / 1000,
            limits=self._limits,
        )
        keepers = []
        if self._store is not None:
            most = settings.candles_waiting
            keepers.append(CandleKeeper(book, minutes, self._store, wall_now, most, limits))
        shards = Shards(settings.postgres_urls, "ingest-halts")
        valkey = open_valkey(settings.valkey_url)
        watch = BreakerWatch(book, announced, shards, valkey, self._clock, lambda: publisher.fence)
        self._metrics = IngestMetrics(book, feeds, publisher, keepers, watch)
        REGISTRY.register(self._metrics)
        self._threads.start("lease", self._hold)
        tasks = [asyncio.create_task(publisher.run())]
        tasks += [asyncio.create_task(feed.run()) for feed in feeds]
        tasks += [asyncio.create_task(keeper.run()) for keeper in keepers]
        tasks.append(asyncio.create_task(listings.run()))
        tasks.append(asyncio.create_task(watch.run()))
        stopped = asyncio.create_task(asyncio.to_thread(self._threads.stop.wait))
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        self._threads.stop.set()
        done, others = await asyncio.wait(tasks, timeout=0)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        control.close()
        shards.close()
        valkey.close()
        try:
            for task in done:
                task.result()
        except Fenced as error:
            logger(__name__).error("another process publishes", detail=str(error))
            self._threads.fail()

    def _join(self, shares: Sequence[Instrument]) -> None:
        """New shares are watched from now on, each by the session that its partition falls to."""
        if self._parts is None:
            raise InvariantViolated("a share was listed before anything was watched")
        book, announced, feeds = self._parts
        for share in shares:
            book.take_in(share.symbol, share.token)
            announced.take_in(share.symbol, share.security_class)
        settings = self._settings
        split = split_symbols((share.symbol for share in shares), settings.feed_sessions)
        of_sender = {
            _sender(number): symbols
            for number, symbols in enumerate(split, settings.feed_first_session)
        }
        for feed in feeds:
            if of_sender[feed.sender]:
                feed.watch(of_sender[feed.sender])

    def _feeds(
        self, instruments: Mapping[str, Instrument], book: Book, announced: Announced,
        listings: Listings,
    ) -> list[FeedPair]:  # fmt: skip
        settings = self._settings
        lines = [address for address in (settings.venue_feed, settings.venue_feed_b) if address]
        addresses = [split_address(address) for address in lines]
        hold = HoldLimits(settings.feed_hold_ms / 1000, settings.feed_hold_messages)
        split = split_symbols(instruments, settings.feed_sessions)
        return [
            FeedPair(
                _sender(number), addresses, symbols, book, announced, wall_now, hold,
                listings.hear, self._limits,
            )
            for number, symbols in enumerate(split, settings.feed_first_session)
            if symbols
        ]  # fmt: skip

    def _hold(self) -> None:
        """The lease's thread: publishes while it is ours and there is anything to publish."""
        lease, stop, publisher = self._lease, self._threads.stop, self._publisher
        while lease.take(stop, publisher.is_fit):
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(publisher.begin, lease.fence)
            lease.keep(stop, publisher.is_fit)
            if stop.is_set():
                return
            logger(__name__).warning("nothing is heard of the market; another may publish")
            ended = asyncio.run_coroutine_threadsafe(publisher.end(), self._loop)
            ended.result(self._limits.end_seconds)
            lease.give_up()

    async def _read_instruments(self) -> Mapping[str, Instrument]:
        """Every instrument by symbol; asks again until the database answers. None of them when
        stopped before."""
        stop = self._threads.stop
        database, backoff = Database(self._settings.postgres_urls[0], "ingest"), Backoff()
        try:
            while not stop.is_set():
                try:
                    master = InstrumentMaster(database)
                    instruments = await asyncio.to_thread(master.by_symbol)
                except Retryable as error:
                    logger(__name__).warning("the instruments can't be read yet", detail=str(error))
                else:
                    if instruments:
                        return instruments
                    logger(__name__).warning("no instruments are listed yet")
                await asyncio.to_thread(stop.wait, 0.05 + backoff.next_seconds())
        finally:
            database.close()
        return {}


def _sender(number: int) -> str:
    return f"OUTCRY-M{number}"


def split_symbols(symbols: Iterable[str], sessions: int) -> list[list[str]]:
    """The symbols of each session, by partition."""
    split: list[list[str]] = [[] for _ in range(sessions)]
    for symbol in symbols:
        split[partition_of_symbol(symbol) % sessions].append(symbol)
    return split


def lease_times(milliseconds: int) -> LeaseTimes:
    """Two renewals may fail, and a look is soon enough for the takeover."""
    seconds = milliseconds / 1000
    return LeaseTimes(seconds, seconds / 3, seconds / 12)


def main() -> int:
    """The process's exit code: 0 stopped, 1 failed, 2 wrong settings."""
    try:
        settings, limits = IngestSettings.from_environment(), Limits.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging("ingest", settings.log_level)
    threads = Threads()
    threads.stop_on_signals()
    database = Database(settings.postgres_urls[0], "ingest-lease")
    lease = Lease(
        LedgerLeases(database),
        [INGEST],
        holder_of(settings.instance),
        time.monotonic,
        lease_times(settings.ingest_lease_ms),
    )
    ingest = Ingest(settings, limits, threads, lease)
    health = serve_health(settings.health, "ingest", ingest.state)
    uvloop.run(ingest.run())
    code = threads.wait()
    if lease.taken:
        lease.give_up()
    health.close()
    database.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
