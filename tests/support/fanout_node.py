"""A fanout joined as its main module joins it, with tokens and a ledger of the test's own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

import redis.asyncio

from edge.fanout.draining import drain
from edge.fanout.hub import Hub
from edge.fanout.limits import Limits
from edge.fanout.lookups import Lookups
from edge.fanout.portfolio import Portfolios
from edge.fanout.private import PrivateEvents
from edge.fanout.reception import Reception
from edge.fanout.server import StreamServer
from edge.fanout.tally import Tally
from edge.fanout.upkeep import Upkeep
from functions.shared.access.principal import Principal
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Refused
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.wire.events import HoldingFacts, UserEvent, user_channel, user_of_channel
from functions.shared.wire.portfolio import PortfolioFacts
from functions.shared.wire.quotes import (
    PARTITIONS,
    Quote,
    decode_batch,
    encode_record,
    partition_of_symbol,
    quotes_channel,
)
from tests.support.eventually import until
from tests.support.fanout import LISTED, event, payload, principal


class Tokens:
    """`user:N` signs user N in for a long time; anything else is refused with its own text."""

    def verify_all(self, tokens: Sequence[str]) -> list[Principal | Refused]:
        return [
            principal(int(token[5:]), f"session-{token[5:]}", seconds=10**9)
            if token.startswith("user:")
            else Refused(401, token, "refused by the test")
            for token in tokens
        ]


class Ledger:
    """Events and holdings of every user, as the stores would give them."""

    def __init__(self) -> None:
        self.events: list[UserEvent] = []
        self.holdings: list[HoldingFacts] = []

    def latest_all(self, user_ids: Sequence[int]) -> list[int]:
        return [len(self.events)] * len(user_ids)

    def after(self, user_id: int, seq: int, count: int) -> list[UserEvent]:
        return self.events[seq : seq + count]

    def read_all(self, user_ids: Sequence[int], trade_date: date) -> list[PortfolioFacts]:
        facts = PortfolioFacts(
            seq=len(self.events), cash=100, borrowed=0, short_delivery=0,
            holdings=self.holdings, positions=[],
        )  # fmt: skip
        return [facts] * len(user_ids)

    def close(self) -> None:
        pass


class Node:
    """A fanout's parts, joined as its main module joins them."""

    def __init__(
        self,
        valkey_url: str,
        limits: Limits | None = None,
        tally: Tally | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.ledger = ledger or Ledger()
        self.failures: list[BaseException] = []
        self.writer = QuoteWriter(valkey_url)
        self._valkey = redis.asyncio.Redis.from_url(valkey_url)
        limits = limits or Limits()
        self.hub = Hub(LISTED, limits.symbols, limits.min_moves)
        self.subscriber = ValkeySubscriber(
            valkey_url, self._deliver, self._restored, self._listening
        )
        self.subscriber.subscribe([*map(quotes_channel, range(PARTITIONS)), "sessions.ended"])
        books: Any = lambda: self.ledger  # noqa: E731
        lookups = Lookups(Tokens(), books, books, self.subscriber, self.failures.append)
        portfolios = Portfolios(self.hub, lookups, lambda: date(2026, 11, 23), limits)
        self.lookups, self.private = lookups, PrivateEvents(lookups, portfolios, limits, tally)
        self.reception = Reception(self.hub, self.private, lookups, limits, wall_now)
        lookups.attach(self.reception, self.private)
        self.server = StreamServer(self.hub, self.reception, tally)

    def _deliver(self, channel: bytes, data: bytes) -> None:
        if (user_id := user_of_channel(channel)) is not None:
            self.private.live(user_id, data)
        elif channel == b"sessions.ended":
            self.reception.session_ended(data.decode())
        else:
            self.hub.take(decode_batch(data).quotes)
            self.server.wake_soon()

    def _listening(self, channel: str) -> None:
        if (user_id := user_of_channel(channel.encode())) is not None:
            self.private.listening(user_id)

    def _restored(self, missed: frozenset[str]) -> None:
        users = (user_of_channel(channel.encode()) for channel in missed)
        self.private.restored([user_id for user_id in users if user_id is not None])

    async def publish(self, *quotes: Quote) -> None:
        for each in quotes:
            batch = {partition_of_symbol(each.symbol): [(each.symbol, encode_record(each))]}
            await self.writer.write(batch, 1)

    async def close(self) -> None:
        await self._valkey.aclose()

    async def tell(self, channel: str, data: bytes | str) -> None:
        await self._valkey.spublish(channel, data)

    async def commit(self, *, announced: bool = True) -> None:
        self.ledger.events.append(event(len(self.ledger.events) + 1))
        if announced:
            data = payload(len(self.ledger.events))
            await self.tell(user_channel(7), data)


@contextlib.asynccontextmanager
async def running_node(
    valkey_url: str, limits: Limits | None = None
) -> AsyncIterator[tuple[Node, int]]:
    """A node that serves on a port, drained at the end; nothing of anybody may be left then."""
    node = Node(valkey_url, limits)
    task = asyncio.create_task(node.subscriber.run())
    port = await node.server.listen("127.0.0.1", 0)
    await until(lambda: node.subscriber.connected)
    try:
        yield node, port
    finally:
        await drain(node.server)
        found = await Upkeep(node.server).sweep()
        task.cancel()
        node.lookups.close()
        await node.writer.close()
        await node.close()
    assert node.failures == []
    assert (len(node.hub), node.reception.leftovers, found) == (0, 0, 0)
    await until(lambda: not node.server.connections)
    assert (node.server.admission.inside, len(node.server.closing)) == (0, 0)
