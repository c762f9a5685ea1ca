"""Ingest against the venue's own feed server and a real Valkey."""

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest

from edge.ingest.announced import Announced
from edge.ingest.book import Book
from edge.ingest.feed import Feed
from edge.ingest.metrics import IngestMetrics
from edge.ingest.publish import Publisher
from functions.shared.clock import from_micros, wall_now
from functions.shared.domain.sessions import Announcement, Phase, SecurityClass
from functions.shared.stores.quotes import QuoteCache, QuoteWriter
from infra.exchange.feed_server import Connection, FeedServer
from infra.exchange.feed_session import Subscribe
from infra.exchange.notices import PhaseNotice, StatusNotice
from infra.exchange.phases import Phase as VenuePhase
from infra.local.ports import free_ports
from tests.support.eventually import until
from tests.support.valkey import ValkeyUnderTest, valkey_server

LEVEL = "269=0\x01270=2950.50\x01271=10\x01290=1\x01"
TRADE = "279=0\x01269=2\x0155={symbol}\x01270={price}\x01271=5\x01"

AT = "20260710-03:45:00.000"
SINCE = from_micros(1_783_655_100_000_000)
PHASE = PhaseNotice(VenuePhase.CONTINUOUS, "", AT)
HALT = StatusNotice("M&M", VenuePhase.HALTED, 26_100_000, 31_900_000, AT, "news")
STANDING = Announcement(Phase.OPEN, SINCE)
LIFTED = Announcement(Phase.OPEN, SINCE, None, "", (26_100_000, 31_900_000), SINCE)
HALTED = LIFTED._replace(halt=Phase.HALTED, text="news")


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


class Venue:
    """The feed server with one snapshot a symbol."""

    def __init__(self, port: int) -> None:
        self.server = FeedServer("XNSE", frozenset({"OUTCRY-M1"}), self.answer)
        self.server.start("127.0.0.1", port)

    def answer(self, connection: Connection, request: Subscribe) -> None:
        entries = [LEVEL, "269=5\x01270=2900.00\x01"]
        snapshots = [(symbol, entries) for symbol in request.symbols]
        self.server.answer(connection, request, snapshots, [PHASE])

    def trade(self, symbol: str, price: str) -> None:
        self.server.publish([(symbol, [TRADE.format(symbol=symbol, price=price)])])


async def test_quotes_reach_the_cache_and_come_back_after_the_venue_or_valkey_was_away(
    valkey: ValkeyUnderTest,
) -> None:
    port, symbols = free_ports(1)[0], ["RELIANCE", "M&M"]
    venue = Venue(port)
    book = Book({"RELIANCE": 2885, "M&M": 2031}, 0)
    writer, cache = QuoteWriter(valkey.url), QuoteCache.open(valkey.url)
    announced = Announced(dict.fromkeys(symbols, SecurityClass.CLOSING_AUCTION))
    publisher = Publisher(book, announced, writer, wall_now)
    feed = Feed("OUTCRY-M1", ("127.0.0.1", port), symbols, book, announced, wall_now)
    metrics = IngestMetrics(book, [feed], publisher, time.monotonic)
    assert metrics.state() == (False, "stale feed: OUTCRY-M1")
    tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(feed.run())]

    await until(lambda: len(cache.get(symbols)) == 2)
    quote = cache.get(["M&M"])["M&M"]
    assert (quote.token, quote.bid, quote.close) == (2031, 29_505_000, 29_000_000)
    venue.trade("M&M", "2951.00")
    await until(lambda: cache.get(["M&M"])["M&M"].ltp == 29_510_000)
    await until(lambda: cache.facts(["M&M"])[0][1] == STANDING)
    venue.server.announce([HALT])
    await until(lambda: cache.facts(["M&M"])[0][1] == HALTED)
    assert cache.facts(["RELIANCE"])[0][1] == STANDING
    await until(lambda: metrics.state() == (True, ""))

    venue.server.stop(2)
    await until(lambda: not metrics.state()[0])
    venue = Venue(port)
    await until(lambda: metrics.state()[0])
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
    assert {sample.name for metric in metrics.collect() for sample in metric.samples} >= {
        "outcry_ingest_updates_total", "outcry_ingest_stale", "outcry_ingest_lag_seconds"
    }  # fmt: skip

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    venue.server.stop(2)
    await writer.close()
    cache.close()
