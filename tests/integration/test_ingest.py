"""Ingest against the venue's own feed server and a real Valkey."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Self

import pytest

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
from infra.exchange.feed_server import Connection, FeedServer
from infra.exchange.feed_session import Subscribe
from infra.exchange.notices import PhaseNotice, StatusNotice
from infra.exchange.phases import Phase as VenuePhase
from infra.local.ports import free_ports
from tests.support.eventually import until
from tests.support.valkey import ValkeyUnderTest, valkey_server

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
