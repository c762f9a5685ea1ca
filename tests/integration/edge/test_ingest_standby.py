"""Two ingests on one feed: who takes over, and that no price goes back whatever the first one does
when it goes on. Each trade's price is above the one before it.
"""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from functions.shared.wire.feed_state import FEED_CHANNEL, decode_feed_state
from functions.shared.wire.quotes import PARTITIONS, decode_batch, quotes_channel
from infra.exchange.feed_server import Connection, FeedServer
from infra.exchange.feed_session import Subscribe
from infra.local.ports import free_ports
from infra.local.postgres import EDGE
from tests.support.eventually import wait_until
from tests.support.postgres import ShardsUnderTest
from tests.support.processes import ProcessUnderTest
from tests.support.valkey import ValkeyUnderTest, valkey_server

WAIT_SECONDS = 90.0
SYMBOL = "TCS"
TRADE = "279=0\x01269=2\x0155=TCS\x01270={price}.00\x01271=5\x01"
CLOSE = "269=5\x01270=2900.00\x01"
LAST = "269=2\x01270={price}.00\x01271=5\x01"


class Venue:
    """Two lines; every so often TCS trades a rupee higher."""

    def __init__(self) -> None:
        self.ports = free_ports(2)
        self.price = 3_000
        self._stop = threading.Event()
        self._server = FeedServer("XNSE", frozenset({"OUTCRY-M1", "OUTCRY-M2"}), self._answer)
        self._server.start("127.0.0.1", *self.ports)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._trade, daemon=True)
        self._thread.start()

    def _answer(self, connection: Connection, request: Subscribe) -> None:
        with self._lock:
            told = [CLOSE, LAST.format(price=self.price)]
            snapshots = [(s, told if s == SYMBOL else [CLOSE]) for s in request.symbols]
            self._server.answer(connection, request, snapshots)

    def _trade(self) -> None:
        while not self._stop.wait(0.01):
            with self._lock:
                self.price += 1
                self._server.publish([(SYMBOL, [TRADE.format(price=self.price)])])

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_SECONDS)
        self._server.stop(2)


class Screen:
    """Everything that is published, in its order, and whether any of it goes back."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._pubsub.ssubscribe(*map(quotes_channel, range(PARTITIONS)), FEED_CHANNEL)
        self.price = self.seq = self.fence = 0
        self.changed_at = time.monotonic()
        self.longest_still = 0.0

    def read(self) -> None:
        while (message := self._pubsub.get_message()) is not None:
            if message["channel"] == FEED_CHANNEL.encode():
                state = decode_feed_state(message["data"])
                assert state.fence >= self.fence
                self.fence = state.fence
                continue
            for quote in decode_batch(message["data"]).quotes:
                if quote.symbol == SYMBOL:
                    assert quote.ltp >= self.price
                    assert quote.seq > self.seq
                    self._see(quote.ltp)
                    self.seq = quote.seq

    def _see(self, price: int) -> None:
        if price > self.price:
            now = time.monotonic()
            self.longest_still = max(self.longest_still, now - self.changed_at)
            self.price, self.changed_at = price, now

    def wait_for(self, fence: int, rupees: int) -> None:
        """Until that holder speaks, and a price that is still to come was shown."""

        def shown() -> bool:
            self.read()
            return self.fence == fence and self.price >= rupees * 10_000

        wait_until(shown, WAIT_SECONDS)

    def close(self) -> None:
        self._pubsub.close()
        self._client.close()


@pytest.fixture
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


def test_a_standby_goes_on_with_the_prices_and_none_goes_back(
    valkey: ValkeyUnderTest, databases: ShardsUnderTest, tmp_path: Path
) -> None:
    venue, screen = Venue(), Screen(valkey.url)
    settings = {
        "POSTGRES_URLS": ",".join(databases.urls(EDGE)),
        "VALKEY_URL": valkey.url,
        "VENUE_FEED": f"127.0.0.1:{venue.ports[0]}",
        "VENUE_FEED_B": f"127.0.0.1:{venue.ports[1]}",
        "FEED_SESSIONS": "1",
    }
    first, second = (
        ProcessUnderTest(
            "edge.ingest.main",
            {**settings, "INSTANCE": f"ingest.{n}", "FEED_FIRST_SESSION": str(n)},
            tmp_path / f"ingest.{n}",
        )
        for n in (1, 2)
    )
    try:
        first.start()
        first.wait_ready()
        screen.wait_for(1, venue.price + 5)
        second.start()
        second.wait_ready()
        assert second.metric("outcry_ingest_publishing") == 0
        screen.read()
        screen.longest_still = 0.0

        first.signal(signal.SIGSTOP)
        screen.wait_for(2, venue.price + 5)
        print(f"stopped: prices stood still for {screen.longest_still:.2f} s")
        first.signal(signal.SIGCONT)
        assert first.wait_ended(WAIT_SECONDS) == 1
        screen.wait_for(2, venue.price + 5)
        first.start()
        first.wait_ready()
        screen.read()
        screen.longest_still = 0.0

        second.kill()
        screen.wait_for(3, venue.price + 5)
        print(f"killed: prices stood still for {screen.longest_still:.2f} s")
        assert first.metric("outcry_ingest_publishing") == 1
    finally:
        first.kill()
        second.kill()
        venue.close()
        screen.close()
