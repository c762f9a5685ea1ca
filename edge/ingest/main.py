"""ingest: the venue's market data in, last values out to Valkey. `python -m edge.ingest.main`

Invariant: a symbol is asked for on one session only, the one its partition falls to, so that its
updates keep their order.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Coroutine, Iterable, Mapping

import uvloop
from prometheus_client import REGISTRY

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.candles import CandleKeeper
from edge.ingest.feed import Feed
from edge.ingest.metrics import IngestMetrics
from edge.ingest.minutes import Minutes
from edge.ingest.publish import Publisher
from edge.runtime.backoff import Backoff
from edge.runtime.health import serve_health
from edge.runtime.log import configure_logging, logger
from functions.shared.clock import open_clock, wall_now
from functions.shared.domain.errors import Retryable
from functions.shared.domain.instruments import Instrument
from functions.shared.settings import Settings, SettingsError, split_address
from functions.shared.stores.candles import CandleStore
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Database
from functions.shared.stores.quotes import QuoteWriter
from functions.shared.wire.quotes import partition_of_symbol

#: Sequence numbers start at the wall clock's seconds times this: above all an earlier process gave
#: out (a batch each 20 ms gives a symbol 50 a second), and exact in a JSON number until 2242.
SEQ_PER_SECOND = 1 << 20


class IngestSettings(Settings, frozen=True, kw_only=True):
    """What ingest reads at start. Without a `clickhouse_url` nobody keeps candles."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    venue_feed: str
    health: str
    feed_sessions: int = 2
    clock: str = "real"
    clickhouse_url: str | None = None
    candles_waiting: int = 200_000


async def run(settings: IngestSettings) -> None:
    """Runs until SIGTERM or SIGINT. Raises SettingsError, OSError when it can't start."""
    address = split_address(settings.venue_feed)
    store, minutes = _candles(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics: IngestMetrics | None = None

    def state() -> tuple[bool, str]:
        return metrics.state() if metrics is not None else (False, "waiting for the instruments")

    health = serve_health(settings.health, "ingest", state)
    writer = QuoteWriter(settings.valkey_url)
    try:
        instruments = await _read_instruments(settings, stop)
        tokens = {symbol: row.token for symbol, row in instruments.items()}
        book = Book(tokens, int(wall_now().timestamp()) * SEQ_PER_SECOND, minutes)
        announced = Announced({symbol: row.security_class for symbol, row in instruments.items()})
        publisher = Publisher(book, announced, writer, wall_now)
        feeds = [
            Feed(f"OUTCRY-M{number + 1}", address, symbols, book, announced, wall_now)
            for number, symbols in enumerate(split_symbols(tokens, settings.feed_sessions))
            if symbols
        ]
        keepers = []
        if store is not None and minutes is not None:
            keepers.append(CandleKeeper(book, minutes, store, wall_now, settings.candles_waiting))
        metrics = IngestMetrics(book, feeds, publisher, time.monotonic, keepers)
        REGISTRY.register(metrics)
        bodies = [*(feed.run() for feed in feeds), *(keeper.run() for keeper in keepers)]
        await _until_stopped(stop, [publisher.run(), *bodies])
    finally:
        health.close()
        await writer.close()
        if store is not None:
            store.close()


def _candles(settings: IngestSettings) -> tuple[CandleStore | None, Minutes | None]:
    """Where candles are kept and what makes them, if anywhere. Raises SettingsError."""
    if settings.clickhouse_url is None:
        return None, None
    business = open_clock(settings.clock).business_at
    store = CandleStore.open(settings.clickhouse_url)
    return store, Minutes(business, settings.candles_waiting)


def split_symbols(symbols: Iterable[str], sessions: int) -> list[list[str]]:
    """The symbols of each session, by partition."""
    split: list[list[str]] = [[] for _ in range(sessions)]
    for symbol in symbols:
        split[partition_of_symbol(symbol) % sessions].append(symbol)
    return split


async def _read_instruments(
    settings: IngestSettings, stop: asyncio.Event
) -> Mapping[str, Instrument]:
    """Every instrument by symbol; asks again until the database answers."""
    database, backoff = Database(settings.postgres_urls[0], "ingest"), Backoff()
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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.05 + backoff.next_seconds())
    finally:
        database.close()
    return {}


async def _until_stopped(stop: asyncio.Event, bodies: list[Coroutine[None, None, None]]) -> None:
    """Runs the bodies until `stop`; an error in one of them ends all and is raised."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(body) for body in bodies]
        await stop.wait()
        for task in tasks:
            task.cancel()


def main() -> int:
    """The process's exit code: 0 stopped, 2 wrong settings."""
    try:
        settings = IngestSettings.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging("ingest", settings.log_level)
    uvloop.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
