"""Ingest against the venue's own feed server and a real Valkey; a silent venue, as users see it."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from typing import Self, cast

import pytest

from edge.fanout.draining import drain
from edge.fanout.freshness import Freshness
from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.feed import FeedPair
from edge.ingest.metrics import IngestMetrics
from edge.ingest.publish import Publisher
from functions.shared.clock import from_micros, wall_now
from functions.shared.domain.sessions import Announcement, Phase, SecurityClass
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.quotes import QuoteCache
from functions.shared.wire.day_figures import DayFigures
from functions.shared.wire.feed_state import FEED_CHANNEL, decode_feed_state
from infra.exchange.feed_server import Connection, FeedServer
from infra.exchange.feed_session import Subscribe
from infra.exchange.notices import PhaseNotice, StatusNotice
from infra.exchange.phases import Phase as VenuePhase
from infra.local.ports import free_ports
from outcry_client.session import Session
from tests.support.eventually import until
from tests.support.fanout_node import Node
from tests.support.raw_stream import RawStream, frame, handshake
from tests.support.valkey import ValkeyUnderTest, valkey_server
from tui.client.broker import Broker
from tui.client.models import Tokens
from tui.client.stream import StreamFeed
from tui.follower import Follower

LEVEL = "269=0\x01270=2950.50\x01271=10\x01290=1\x01"
TRADE = "279=0\x01269=2\x0155={symbol}\x01270={price}\x01271=5\x01"

TOKENS = {"RELIANCE": 2885, "M&M": 2031}
DAY = date(2026, 7, 10)
AT = "20260710-03:45:00.000"
SINCE = from_micros(1_783_655_100_000_000)
PHASE = PhaseNotice(VenuePhase.CONTINUOUS, "", AT)
HALT = StatusNotice("M&M", VenuePhase.HALTED, 26_100_000, 31_900_000, AT, "news")
STANDING = Announcement(Phase.OPEN, SINCE)
LIFTED = Announcement(Phase.OPEN, SINCE, None, "", (26_100_000, 31_900_000), SINCE)
HALTED = LIFTED._replace(halt=Phase.HALTED, text="news")


def told_stale(cache: QuoteCache) -> bool:
    """Whether users are told that the price of M&M stands still."""
    state = cache.feed()
    return state is None or state.is_stale("M&M")


def shown_price(cache: QuoteCache) -> int:
    """The last price of M&M, 0 while there is none."""
    quotes = cache.get(["M&M"])
    return quotes["M&M"].ltp if quotes else 0


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


class Venue:
    """The feed server with one snapshot a symbol, on a port for each line."""

    def __init__(self, *ports: int) -> None:
        self.server = FeedServer("XNSE", frozenset({"OUTCRY-M1"}), self.answer)
        self.server.start("127.0.0.1", *ports)

    def answer(self, connection: Connection, request: Subscribe) -> None:
        entries = [LEVEL, "269=5\x01270=2900.00\x01"]
        snapshots = [(symbol, entries) for symbol in request.symbols]
        self.server.answer(connection, request, snapshots, [PHASE])

    def trade(self, symbol: str, price: str) -> None:
        self.server.publish([(symbol, [TRADE.format(symbol=symbol, price=price)])])


class Pipe:
    """A TCP connection's way to `port`, which the test may stall or cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = free_ports(1)[0]
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._ends += [writer, to_writer]
        await asyncio.gather(
            self._pump(reader, to_writer), self._pump(to_reader, writer), return_exceptions=True
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self.flowing.wait()
            writer.write(data)
            await writer.drain()


class Ingest:
    """The parts of ingest, joined, publishing from the start."""

    def __init__(self, url: str, ports: Sequence[int]) -> None:
        self.book = Book(TOKENS)
        announced = Announced(dict.fromkeys(TOKENS, SecurityClass.CLOSING_AUCTION))
        self.writer = QuoteWriter(url)
        addresses = [("127.0.0.1", port) for port in ports]
        self.feed = FeedPair("OUTCRY-M1", addresses, list(TOKENS), self.book, announced, wall_now)
        self.publisher = Publisher(
            self.book, announced, [self.feed], self.writer, wall_now, business=lambda: DAY
        )
        self.metrics = IngestMetrics(self.book, [self.feed], self.publisher)
        self._tasks = [asyncio.create_task(each.run()) for each in (self.publisher, self.feed)]
        self.publisher.begin(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writer.close()

    def sample(self, name: str, **labels: str) -> float:
        return next(
            sample.value
            for metric in self.metrics.collect()
            for sample in metric.samples
            if sample.name == name and sample.labels == labels
        )


class TellingNode(Node):
    """A node of the stream that tells its clients of stale prices, as the real one does."""

    def __init__(self, valkey_url: str) -> None:
        super().__init__(valkey_url)
        self.fresh = Freshness(self.hub)
        self.subscriber.subscribe([FEED_CHANNEL])

    def _deliver(self, channel: bytes, data: bytes) -> None:
        if channel == FEED_CHANNEL.encode():
            self.fresh.take(decode_feed_state(data))
        else:
            super()._deliver(channel, data)


@contextlib.asynccontextmanager
async def telling_node(valkey_url: str, cache: QuoteCache) -> AsyncIterator[int]:
    """Its port, once it has the last prices and knows them to be live."""
    node = TellingNode(valkey_url)
    tasks = [asyncio.create_task(run()) for run in (node.subscriber.run, node.fresh.run)]
    port = await node.server.listen("127.0.0.1", 0)
    await until(lambda: node.subscriber.connected and not node.hub.stale)
    node.hub.take(cache.get(["M&M"]).values())
    try:
        yield port
    finally:
        await drain(node.server)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        node.lookups.close()
        await node.writer.close()


@contextlib.asynccontextmanager
async def terminal(port: int) -> AsyncIterator[Follower]:
    """What the terminal's screen asks, behind the terminal's own client, which watches M&M."""

    async def url() -> str:
        return f"ws://127.0.0.1:{port}/v1/stream"

    async def no_refresh(_: str) -> Tokens:
        raise AssertionError

    session = Session(no_refresh)
    session.begin(Tokens(access_token="user:8", expires_in=10**6, refresh_token=""))
    follower, feed = Follower(cast(Broker, None), lambda _message: None), StreamFeed(url, session)
    feed.watch(["M&M"])
    following = asyncio.create_task(feed.follow(follower, 0))
    try:
        await until(lambda: bool(follower.take_quotes()))
        yield follower
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_quotes_reach_the_cache_and_come_back_after_the_venue_or_valkey_was_away(
    valkey: ValkeyUnderTest,
) -> None:
    ports = free_ports(2)
    venue = Venue(*ports)
    cache = QuoteCache.open(valkey.url)
    async with Ingest(valkey.url, ports) as ingest:
        await _lose_and_find(valkey, ingest, cache, venue, ports)
    cache.close()


async def _lose_and_find(
    valkey: ValkeyUnderTest, ingest: Ingest, cache: QuoteCache, venue: Venue, ports: list[int]
) -> None:
    metrics, publisher, symbols = ingest.metrics, ingest.publisher, list(TOKENS)
    assert metrics.state() == (False, "stale feed: OUTCRY-M1")

    await until(lambda: len(cache.get(symbols)) == 2)
    quote = cache.get(["M&M"])["M&M"]
    assert (quote.token, quote.bid, quote.close) == (2031, 29_505_000, 29_000_000)
    venue.trade("M&M", "2951.00")
    await until(lambda: cache.get(["M&M"])["M&M"].ltp == 29_510_000)
    await until(lambda: cache.facts(["M&M"])[0][1] == STANDING)
    venue.server.announce([HALT])
    await until(lambda: cache.facts(["M&M"])[0][1] == HALTED)
    assert cache.facts(["RELIANCE"])[0][1] == STANDING
    assert cache.day("RELIANCE", DAY) is None
    traded = DayFigures(
        open=29_510_000, high=29_510_000, low=29_510_000, close=29_510_000, volume=0
    )
    await until(lambda: cache.day("M&M", DAY) == traded)
    await until(lambda: metrics.state() == (True, ""))
    await until(lambda: told_stale(cache) is False)

    venue.server.stop(2)
    await until(lambda: not metrics.state()[0])
    await until(lambda: told_stale(cache) is True)
    venue = Venue(*ports)
    await until(lambda: metrics.state()[0])
    await until(lambda: told_stale(cache) is False)
    await until(lambda: cache.facts(["M&M"])[0][1] == LIFTED)  # told no more after the logon
    venue.trade("M&M", "2952.00")
    await until(lambda: cache.get(["M&M"])["M&M"].ltp == 29_520_000)

    valkey.stop(signal.SIGKILL)
    venue.trade("RELIANCE", "2960.00")
    await until(lambda: publisher.away)
    await until(lambda: metrics.state() == (False, "the quote cache is away"))
    valkey.start()
    await until(lambda: metrics.state()[0])
    assert cache.get(["RELIANCE"])["RELIANCE"].ltp == 29_600_000
    assert cache.facts(["RELIANCE", "M&M"])[1][1] == LIFTED
    assert ingest.sample("outcry_ingest_publishing") == 1
    venue.server.stop(2)


async def test_a_line_that_is_lost_or_lags_costs_no_price_and_is_seen(
    valkey: ValkeyUnderTest,
) -> None:
    ports, cache = free_ports(2), QuoteCache.open(valkey.url)
    venue = Venue(*ports)
    price = iter(range(3_000, 4_000))
    async with Pipe(ports[1]) as pipe, Ingest(valkey.url, [ports[0], pipe.port]) as ingest:

        async def trades_come(count: int) -> None:
            for _ in range(count):
                rupees = next(price)
                venue.trade("M&M", f"{rupees}.00")
            await until(lambda: shown_price(cache) == rupees * 10_000)

        def lines(name: str) -> list[float]:
            """A's and B's."""
            return [ingest.sample(name, session="OUTCRY-M1", line=line) for line in "AB"]

        await until(lambda: lines("outcry_ingest_line_down") == [0, 0])
        taken = ingest.book.updates
        await trades_come(20)
        await until(lambda: lines("outcry_ingest_line_behind") == [0, 0])
        assert ingest.book.updates == taken + 20  # each once

        pipe.flowing.clear()  # B lags
        await trades_come(20)
        assert lines("outcry_ingest_line_behind") == [0, 20]
        pipe.flowing.set()
        await until(lambda: lines("outcry_ingest_line_behind") == [0, 0])
        assert ingest.book.updates == taken + 40

        pipe.cut()  # B is lost
        await until(lambda: lines("outcry_ingest_line_down") == [0, 1])
        await trades_come(20)
        assert ingest.book.updates == taken + 60
        assert ingest.feed.arbiter.losses == 0
    venue.server.stop(2)
    cache.close()


async def test_a_venue_that_falls_silent_is_told_to_every_kind_of_client_and_taken_back(
    valkey: ValkeyUnderTest,
) -> None:
    (number,) = free_ports(1)
    venue, cache = Venue(number), QuoteCache.open(valkey.url)
    ask = frame(b'{"action":"subscribe","symbols":["M&M"],"mode":"quote"}')
    told = [b'"type":"stale","symbols":["M&M"],"stale":%s' % word for word in (b"true", b"false")]
    async with Pipe(number) as pipe, Ingest(valkey.url, [pipe.port]) as ingest:
        await until(lambda: ingest.metrics.state()[0])
        await until(lambda: told_stale(cache) is False and shown_price(cache) > 0)
        async with telling_node(valkey.url, cache) as port, terminal(port) as screen:
            clients = [await RawStream.connect(port) for _ in range(2)]
            binary = handshake().replace(b"outcry.v1.json", b"outcry.v1.binary")
            for client, hello in zip(clients, (handshake(), binary), strict=True):
                await client.say(hello + ask)
                await client.hear(b'"subscribed"')

            pipe.flowing.clear()  # the venue is stopped: its connection stands, and says nothing
            await until(lambda: screen.stale_symbols == {"M&M"})
            for client in clients:
                await client.hear(told[0])
            pipe.flowing.set()
            await until(lambda: not screen.stale_symbols)
            for client in clients:
                await client.hear(told[1])
                client.close()
    venue.server.stop(2)
    cache.close()
