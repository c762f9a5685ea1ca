"""A fanout joined as its main module joins it, with tokens and a ledger of the test's own."""

from edge.fanout.hub import Hub
from edge.fanout.lookups import Lookups
from edge.fanout.private import PrivateEvents
from edge.fanout.reception import Limits, Reception
from edge.fanout.server import StreamServer
from functions.shared.access.principal import Principal
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Refused
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.wire.events import UserEvent, user_channel
from functions.shared.wire.quotes import (
    PARTITIONS,
    Quote,
    decode_batch,
    encode_record,
    partition_of_symbol,
    quotes_channel,
)
from tests.support.fanout import LISTED, event, payload, principal


class Tokens:
    """`user:N` signs user N in for a long time; anything else is refused with its own text."""

    def verify(self, token: str) -> Principal:
        if token.startswith("user:"):
            return principal(int(token[5:]), f"session-{token[5:]}", seconds=10**9)
        raise Refused(401, token, "refused by the test")


class Ledger:
    """Events of every user, as the store would give them."""

    def __init__(self) -> None:
        self.events: list[UserEvent] = []

    def latest(self, user_id: int) -> int:
        return len(self.events)

    def after(self, user_id: int, seq: int, count: int) -> list[UserEvent]:
        return self.events[seq : seq + count]

    def close(self) -> None:
        pass


class Node:
    """A fanout's parts, joined as its main module joins them."""

    def __init__(self, valkey_url: str, limits: Limits | None = None) -> None:
        self.ledger = Ledger()
        self.failures: list[BaseException] = []
        self.writer = QuoteWriter(valkey_url)
        self.hub = Hub(LISTED)
        self.subscriber = ValkeySubscriber(valkey_url, self._deliver, self._restored)
        self.subscriber.subscribe([*map(quotes_channel, range(PARTITIONS)), "sessions.ended"])
        lookups = Lookups(Tokens(), lambda: self.ledger, self.subscriber, self.failures.append)  # type: ignore[arg-type, return-value]
        self.lookups, self.private = lookups, PrivateEvents(lookups)
        self.reception = Reception(self.hub, self.private, lookups, limits or Limits(), wall_now)
        lookups.attach(self.reception, self.private)
        self.server = StreamServer(self.hub, self.reception)

    def _deliver(self, channel: bytes, data: bytes) -> None:
        if channel.startswith(b"user:"):
            self.private.live(int(channel[5:]), data)
        elif channel == b"sessions.ended":
            self.reception.session_ended(data.decode())
        else:
            self.hub.take(decode_batch(data).quotes)
            self.server.wake_soon()

    def _restored(self) -> None:
        self.private.restored()

    async def publish(self, *quotes: Quote) -> None:
        for each in quotes:
            batch = {partition_of_symbol(each.symbol): [(each.symbol, encode_record(each))]}
            await self.writer.write(batch, 1)

    async def commit(self, *, announced: bool = True) -> None:
        self.ledger.events.append(event(len(self.ledger.events) + 1))
        if announced:
            data = payload(len(self.ledger.events))
            await self.writer._valkey.publish(user_channel(7), data)
