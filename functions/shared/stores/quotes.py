"""The quote cache in Valkey as functions and the fanout read it (stores.quote_writer fills it).
Beside each quote stands what the venue announced of the security.

Invariant: all keys of a command lie in one hash slot, so that the same commands run on a cluster.
Valkey holds last values only and may be lost at any time; the next batches fill it again.
"""

import contextlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.market_halts import MarketHalt
from functions.shared.domain.sessions import Announcement
from functions.shared.stores.valkey import Valkey, answering, open_valkey
from functions.shared.wire.announcements import announcement_key, decode_announcement
from functions.shared.wire.day_figures import DayFigures, day_figures_key, decode_day_figures
from functions.shared.wire.feed_state import FEED_KEY, FeedState, decode_feed_state
from functions.shared.wire.market_halts import HALT_KEY, decode_halt
from functions.shared.wire.order_routes import ROUTES_KEY, Route, decode_routes
from functions.shared.wire.quotes import (
    Quote,
    decode_value,
    partition_of_symbol,
    quote_key,
)


class SymbolFacts(NamedTuple):
    """A symbol's last quote, what the venue announced of it, the session that its orders leave by,
    what was last said of a halt of the market and of the feed; None for what isn't known or
    can't be read."""

    quote: Quote | None
    announced: Announcement | None
    route: Route | None
    halt: MarketHalt | None = None
    feed: FeedState | None = None


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
            pipeline.get(HALT_KEY)
            pipeline.get(FEED_KEY)
            (quote, told), routes, halt, feed = pipeline.execute()
        known = None
        with contextlib.suppress(PeerProtocolError):
            known = None if routes is None else decode_routes(routes).of_symbol(symbol)
        return SymbolFacts(
            _quote_of(symbol, quote), _announced_of(symbol, told), known, _halt_of(halt),
            _feed_of(feed),
        )  # fmt: skip

    def halt(self) -> MarketHalt | None:
        """What was last said of a halt of the market; None when nothing that can be read. Raises
        Retryable."""
        with answering():
            return _halt_of(self._valkey.get(HALT_KEY))

    def feed(self) -> FeedState | None:
        """What ingest said of the feed at most a moment ago; None when nobody vouches for the
        prices, or what was said can't be read. Raises Retryable."""
        with answering():
            return _feed_of(self._valkey.get(FEED_KEY))

    def day(self, symbol: str, day: date) -> DayFigures | None:
        """A trade date's figures, kept for a week; None when there are none. Raises Retryable."""
        with answering():
            kept = self._valkey.get(day_figures_key(symbol, day))
        with contextlib.suppress(PeerProtocolError):
            return None if kept is None else decode_day_figures(kept)
        return None

    def close(self) -> None:
        self._valkey.close()


def _quote_of(symbol: str, value: bytes | None) -> Quote | None:
    """A value that can't be read, or is another symbol's, is no quote."""
    with contextlib.suppress(PeerProtocolError):
        quote = None if value is None else decode_value(value)
        if quote is not None and quote.symbol == symbol:
            return quote
    return None


def _halt_of(value: bytes | str | None) -> MarketHalt | None:
    with contextlib.suppress(PeerProtocolError):
        return None if value is None else decode_halt(value)
    return None


def _feed_of(value: bytes | str | None) -> FeedState | None:
    with contextlib.suppress(PeerProtocolError):
        return None if value is None else decode_feed_state(value)
    return None


def _announced_of(symbol: str, value: bytes | None) -> Announcement | None:
    with contextlib.suppress(PeerProtocolError):
        return None if value is None else decode_announcement(symbol, value)
    return None
