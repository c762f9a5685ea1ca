"""The quote cache and its channels in Valkey: ingest writes them, functions and fanout read them.
Beside each quote stands what the venue announced of the security.

Invariant: a batch is one pipeline, with one MSET and one PUBLISH a partition, all keys of a command
in one hash slot, so that the same commands run on a cluster. Valkey holds last values only and may
be lost at any time; the next batches fill it again.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.sessions import Announcement
from functions.shared.stores.valkey import Valkey, answering, open_valkey
from functions.shared.wire.announcements import (
    NEWS_CHANNEL,
    MarketNews,
    announcement_key,
    decode_announcement,
    encode_news,
)
from functions.shared.wire.order_routes import ROUTES_KEY, Route, decode_routes
from functions.shared.wire.quotes import (
    Quote,
    decode_value,
    encode_batch,
    encode_value,
    partition_of_symbol,
    quote_key,
    quotes_channel,
)

TIMEOUT_SECONDS = 2.0


class SymbolFacts(NamedTuple):
    """A symbol's last quote, what the venue announced of it, and the session that its orders leave
    by; None for what isn't known or can't be read."""

    quote: Quote | None
    announced: Announcement | None
    route: Route | None


class QuoteCache:
    """Last values by symbol, for functions and for a fanout node that starts."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    @classmethod
    def open(cls, url: str) -> "QuoteCache":
        """A cache at `redis://...`; it connects when first asked."""
        return cls(open_valkey(url))

    def get(self, symbols: Iterable[str]) -> dict[str, Quote]:
        """The last quote of each symbol that has one, in one round trip. A value that can't be
        read, or is another symbol's, is no quote: the next batch writes over it.

        Raises Retryable when Valkey is away: no price is known then.
        """
        by_partition: dict[int, list[str]] = {}
        for symbol in dict.fromkeys(symbols):
            by_partition.setdefault(partition_of_symbol(symbol), []).append(symbol)
        if not by_partition:
            return {}
        with answering(), self._valkey.pipeline(transaction=False) as pipeline:
            for asked in by_partition.values():
                pipeline.mget([quote_key(symbol) for symbol in asked])
            answers = pipeline.execute()
        found: dict[str, Quote] = {}
        for asked, values in zip(by_partition.values(), answers, strict=True):
            for symbol, value in zip(asked, values, strict=True):
                quote = _quote_of(symbol, value)
                if quote is not None:
                    found[symbol] = quote
        return found

    def facts(self, symbols: Sequence[str]) -> list[tuple[Quote | None, Announcement | None]]:
        """The last quote of each symbol, and what the venue announced of it, in one round trip;
        None for what isn't known or can't be read. Raises Retryable when Valkey is away."""
        with answering(), self._valkey.pipeline(transaction=False) as pipeline:
            for symbol in symbols:
                pipeline.mget([quote_key(symbol), announcement_key(symbol)])
            answers = pipeline.execute()
        return [
            (_quote_of(symbol, quote), _announced_of(symbol, told))
            for symbol, (quote, told) in zip(symbols, answers, strict=True)
        ]

    def order_facts(self, symbol: str) -> SymbolFacts:
        """What Valkey knows that an order is judged on, in one round trip. Raises Retryable."""
        with answering(), self._valkey.pipeline(transaction=False) as pipeline:
            pipeline.mget([quote_key(symbol), announcement_key(symbol)])
            pipeline.get(ROUTES_KEY)
            (quote, told), routes = pipeline.execute()
        known = None
        with contextlib.suppress(PeerProtocolError):
            known = None if routes is None else decode_routes(routes).of_symbol(symbol)
        return SymbolFacts(_quote_of(symbol, quote), _announced_of(symbol, told), known)

    def close(self) -> None:
        self._valkey.close()


def _quote_of(symbol: str, value: bytes | None) -> Quote | None:
    """A value that can't be read, or is another symbol's, is no quote."""
    with contextlib.suppress(PeerProtocolError):
        quote = None if value is None else decode_value(value)
        if quote is not None and quote.symbol == symbol:
            return quote
    return None


def _announced_of(symbol: str, value: bytes | None) -> Announcement | None:
    with contextlib.suppress(PeerProtocolError):
        return None if value is None else decode_announcement(symbol, value)
    return None


class QuoteWriter:
    """Where ingest's batches go: the cache and the channels, in one pipeline a batch."""

    def __init__(self, url: str) -> None:
        # Without retries of the driver's own: a server that restarted empty must be noticed.
        self._valkey = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    async def write(
        self,
        batch: Mapping[int, Sequence[tuple[str, bytes]]],
        published_us: int,
        announced: Mapping[str, bytes] | None = None,
        news: Sequence[MarketNews] = (),
    ) -> None:
        """Stores and publishes (symbol, record) pairs by partition; stores what was `announced`
        by symbol, and publishes the `news` of it.

        Raises Retryable when Valkey did not take them; the caller sends later values instead.
        """
        pipeline = self._valkey.pipeline(transaction=False)
        for partition, pairs in batch.items():
            pipeline.mset({quote_key(symbol): encode_value(record) for symbol, record in pairs})
            records = (record for _, record in pairs)
            payload = encode_batch(partition, published_us, records)
            pipeline.publish(quotes_channel(partition), payload)
        for symbol, value in (announced or {}).items():
            pipeline.set(announcement_key(symbol), value)
        if news:
            pipeline.publish(NEWS_CHANNEL, encode_news(news))
        try:
            await pipeline.execute()
        except (redis.RedisError, OSError, TimeoutError) as error:
            raise Retryable(f"the quote cache did not take a batch: {error}") from error

    async def close(self) -> None:
        await self._valkey.aclose()
