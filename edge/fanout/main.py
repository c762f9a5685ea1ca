"""fanout: quotes and private events to users' sockets. `python -m edge.fanout.main`

With OUTCRY_FANOUT_WORKERS above 1 this is the parent of as many processes of the same module, each
started with `--worker` and its Post.

Invariant: prices in memory come from Valkey alone and are read again whenever its channels were
lost; events come from the ledger. Losing either loses a client nothing once it is back.
"""

import argparse
import asyncio
import contextlib
import gc
import resource
import signal
import sys
from collections.abc import Callable
from datetime import date
from typing import TypeVar

import msgspec
import uvloop
from prometheus_client import REGISTRY, CollectorRegistry

from edge.fanout.beats import Beats
from edge.fanout.draining import drain
from edge.fanout.figures import tell_figures
from edge.fanout.freshness import Freshness
from edge.fanout.hub import Hub, Listed
from edge.fanout.limits import Limits
from edge.fanout.lookups import Lookups
from edge.fanout.metrics import BusFigures, FanoutMetrics
from edge.fanout.missed_ends import MissedEnds
from edge.fanout.portfolio import Portfolios
from edge.fanout.private import PrivateEvents
from edge.fanout.reception import Reception
from edge.fanout.server import StreamServer
from edge.fanout.tally import Rows, Tally
from edge.fanout.upkeep import Upkeep
from edge.fanout.workers import WRONG_SETTINGS, Post, Workers
from edge.runtime.backoff import Backoff
from edge.runtime.health import serve_health
from edge.runtime.log import configure_logging, logger
from functions.shared.access.regions import Regions
from functions.shared.access.sessions import ENDED_CHANNEL, Sessions
from functions.shared.access.verifier import Verifier
from functions.shared.clock import micros, open_clock, wall_now
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import NotFound, PeerProtocolError, Retryable
from functions.shared.settings import Settings, SettingsError, split_address
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.secrets import open_secrets
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.subscriber_link import Paces
from functions.shared.stores.user_events import UserEvents
from functions.shared.stores.user_portfolio import UserPortfolio
from functions.shared.stores.valkey import open_valkey
from functions.shared.wire.announcements import NEWS_CHANNEL, decode_news
from functions.shared.wire.events import user_of_channel
from functions.shared.wire.feed_state import FEED_CHANNEL, decode_feed_state
from functions.shared.wire.quotes import (
    PARTITIONS,
    Batch,
    decode_batch,
    partition_of_symbol,
    quotes_channel,
)

#: Descriptors for the stores, the health server and the loop.
_OTHER_FILES = 200
#: How long one thread keeps the others waiting. By default 5 ms, for which each answer of a store
#: to a sign-in would wait while the loop is busy with prices.
_SWITCH_INTERVAL_S = 0.001
_QUOTES = frozenset(map(quotes_channel, range(PARTITIONS)))
T = TypeVar("T")


class FanoutSettings(Settings, frozen=True, kw_only=True):
    """What the fanout reads at start."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    secrets_url: str
    listen: str
    health: str
    clock: str = "real"
    region: str = "IN"
    regions: tuple[str, ...] = ()


class Fanout:
    """The parts of one process, joined."""

    def __init__(self, settings: FanoutSettings, limits: Limits, post: Post | None = None) -> None:
        self._settings, self._limits, self._post = settings, limits, post
        self._regions = Regions.parse(settings.region, settings.regions)
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._hub = Hub({}, limits.symbols, limits.min_moves)
        self._clock = open_clock(settings.clock)
        self._shards = Shards(settings.postgres_urls, "fanout")
        self._master = InstrumentMaster(self._shards.control, keep_seconds=limits.listing_seconds)
        self._valkey = open_valkey(settings.valkey_url)
        self._cache = QuoteCache(self._valkey)
        self._warming: asyncio.Task[None] | None = None
        #: Channels on which quotes may have been missed that were not read from the cache yet.
        self._unread: frozenset[str] = frozenset()
        self._subscriber = ValkeySubscriber(
            settings.valkey_url,
            self._deliver,
            self._restored,
            self._listening,
            paces=_paces(limits),
        )
        self._bus = BusFigures()
        self._metrics: FanoutMetrics | None = None

    def state(self) -> tuple[bool, str]:
        """For /health: ready once clients are served with quotes and events."""
        if self._metrics is None:
            return False, "waiting for the signing key and the instruments"
        return self._metrics.state()

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then drains. Raises what ended it otherwise."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        telling = self._tell_health()
        try:
            verifier = await self._until_answered(self._open_verifier)
            if verifier is None or await self._until_answered(self._read_listing) is None:
                return
            await self._serve(verifier)
        finally:
            telling()
        if self._failure is not None:
            raise self._failure

    def _tell_health(self) -> Callable[[], object]:
        """Serves /health and /metrics, or tells them to the parent; what ends that."""
        if self._post is None:
            return serve_health(self._settings.health, "fanout", self.state).close
        beats = asyncio.create_task(Beats(self._post.beats, self.state, self._stop.set).run())
        beats.add_done_callback(self._task_ended)
        return beats.cancel

    async def _serve(self, verifier: Verifier) -> None:
        self._lookups = Lookups(
            verifier,
            self._open_events,
            self._open_portfolio,
            self._subscriber,
            self._fail,
            self._limits,
        )
        tally = self._open_tally()
        portfolios = Portfolios(self._hub, self._lookups, self._trade_date, self._limits)
        self._private = PrivateEvents(self._lookups, portfolios, self._limits, tally)
        self._reception = Reception(self._hub, self._private, self._lookups, self._limits, wall_now)
        missed = MissedEnds(
            self._open_sessions(), self._reception.session_ended, self._fail, wall_now
        )
        self._lookups.attach(self._reception, self._private, missed)
        self._server = StreamServer(self._hub, self._reception, tally)
        upkeep = Upkeep(self._server)
        self._subscriber.subscribe([*_QUOTES, ENDED_CHANNEL, NEWS_CHANNEL, FEED_CHANNEL])
        self._freshness = Freshness(self._hub, silence_seconds=self._limits.feed_silence_seconds)
        tasks = [
            asyncio.create_task(self._subscriber.run()),
            asyncio.create_task(self._keep_listing()),
            asyncio.create_task(upkeep.run()),
            asyncio.create_task(self._freshness.run()),
            asyncio.create_task(tell_figures(self._server, self._bus)),
        ]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        await self._server.listen(*split_address(self._settings.listen))
        self._metrics = FanoutMetrics(
            self._server, self._private, self._subscriber, self._bus, upkeep
        )
        REGISTRY.register(self._metrics)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.freeze()  # what start-up made lives on: no collection needs to look at it
        try:
            await self._stop.wait()
            await drain(self._server)
        finally:
            for task in tasks:
                task.cancel()
            self._lookups.close()

    # -- What Valkey tells

    def _deliver(self, channel: bytes, payload: bytes) -> None:
        if (user_id := user_of_channel(channel)) is not None:
            self._private.live(user_id, payload)
        elif channel == ENDED_CHANNEL.encode():
            self._reception.session_ended(payload.decode())
        else:
            try:
                if channel == NEWS_CHANNEL.encode():
                    self._reception.market(decode_news(payload))
                elif channel == FEED_CHANNEL.encode():
                    self._freshness.take(decode_feed_state(payload))
                else:
                    self._take_batch(decode_batch(payload))
            except PeerProtocolError as error:
                self._bus.bad_batches += 1
                logger(__name__).error("what ingest published can't be read", detail=str(error))

    def _take_batch(self, batch: Batch) -> None:
        self._bus.arrived(micros(wall_now()) - batch.published_us)
        self._hub.take(batch.quotes)
        self._server.wake_soon()

    def _listening(self, channel: str) -> None:
        if (user_id := user_of_channel(channel.encode())) is not None:
            self._private.listening(user_id)

    def _restored(self, missed: frozenset[str]) -> None:
        """All channels are subscribed: what was published before is read from where it is kept."""
        users = (user_of_channel(channel.encode()) for channel in missed)
        self._private.restored([user_id for user_id in users if user_id is not None])
        if ENDED_CHANNEL in missed:
            self._lookups.ends_missed()
        self._unread |= missed & _QUOTES
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        backoff = Backoff()
        while symbols := [
            symbol
            for symbol in self._hub.listed
            if quotes_channel(partition_of_symbol(symbol)) in self._unread
        ]:
            unread, self._unread = self._unread, frozenset()
            try:
                quotes = await asyncio.to_thread(self._cache.get, symbols)
            except Retryable:
                self._unread |= unread
                await asyncio.sleep(backoff.next_seconds())
                continue
            self._hub.take(quotes.values())
            self._server.wake_soon()

    # -- What the stores tell

    def _open_verifier(self) -> Verifier:
        """Raises Retryable while the signing key has not been made."""
        secrets = open_secrets(self._settings.secrets_url)
        shards = Shards(self._settings.postgres_urls, "fanout-verify")
        try:
            valkey = open_valkey(self._settings.valkey_url)
            return Verifier.from_stores(secrets, valkey, shards, self._regions)
        except NotFound as error:
            raise Retryable(f"the signing key is not there yet: {error}") from error

    def _open_sessions(self) -> Sessions:
        shards = Shards(self._settings.postgres_urls, "fanout-ends")
        return Sessions(shards.control, open_valkey(self._settings.valkey_url))

    def _open_tally(self) -> Tally:
        if self._post is None:
            return Tally()
        return Tally(Rows(self._post.counts, self._limits.workers), self._post.number - 1)

    def _open_events(self) -> UserEvents:
        return UserEvents(Shards(self._settings.postgres_urls, "fanout-events"))

    def _open_portfolio(self) -> UserPortfolio:
        return UserPortfolio(Shards(self._settings.postgres_urls, "fanout-portfolio"))

    def _trade_date(self) -> date:
        return market_status(self._clock.now(), self._clock.hours).trade_date

    def _read_listing(self) -> int:
        """Reads the instruments; how many there are. Raises Retryable while there are none."""
        rows = self._master.by_symbol()
        if not rows:
            raise Retryable("no instruments are listed yet")
        self._hub.listed = {s: Listed(row.exchange, row.token) for s, row in rows.items()}
        return len(rows)

    async def _keep_listing(self) -> None:
        while True:
            await asyncio.sleep(self._limits.listing_seconds)
            try:
                await asyncio.to_thread(self._read_listing)
            except Retryable as error:
                logger(__name__).warning("the instruments can't be read", detail=str(error))

    async def _until_answered(self, ask: Callable[[], T]) -> T | None:
        """The answer, asked for again while it is Retryable; None when stopped before."""
        backoff = Backoff()
        while not self._stop.is_set():
            try:
                return await asyncio.to_thread(ask)
            except Retryable as error:
                logger(__name__).warning("not ready to start", detail=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 0.05 + backoff.next_seconds())
        return None

    # -- How it ends

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """An error nobody expects: drains, and ends the process with it."""
        self._failure = self._failure or error
        self._stop.set()


async def keep_workers(settings: FanoutSettings, limits: Limits) -> int:
    """The parent's life; its exit code."""
    workers = Workers([sys.executable, "-m", "edge.fanout.main"], limits)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, workers.stop)
    registry = CollectorRegistry()
    registry.register(workers)
    health = serve_health(settings.health, "fanout", workers.state, registry)
    try:
        return await workers.run()
    finally:
        health.close()


def _paces(limits: Limits) -> Paces:
    return Paces(
        connect=limits.bus_connect_seconds,
        probe=limits.bus_probe_seconds,
        dead=limits.bus_dead_seconds,
        reread=limits.bus_reread_seconds,
        pause_most=limits.bus_pause_most_seconds,
    )


def _within_files(limits: Limits) -> Limits:
    """The limits, with no more connections than this process may have open files: one each, and one
    for those that are being refused."""
    others = limits.openings_per_second + _OTHER_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY or hard >= limits.connections + others:
        return limits
    connections = max(1, hard - others)
    logger(__name__).warning("few open files are allowed", allowed=hard, connections=connections)
    return msgspec.structs.replace(limits, connections=connections)


def main() -> int:
    """The process's exit code: 0 stopped, 2 wrong settings."""
    arguments = argparse.ArgumentParser(prog="edge.fanout.main")
    arguments.add_argument("--worker", nargs=3, type=int, metavar=("BEATS", "COUNTS", "NUMBER"))
    told: list[int] | None = arguments.parse_args().worker
    post = None if told is None else Post(*told)
    try:
        settings, limits = FanoutSettings.from_environment(), Limits.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTINGS
    configure_logging("fanout" if post is None else f"fanout-{post.number}", settings.log_level)
    if post is None and limits.workers > 1:
        return asyncio.run(keep_workers(settings, limits))

    bounded = _within_files(limits)

    async def run() -> None:
        await Fanout(settings, bounded, post).run()

    uvloop.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
