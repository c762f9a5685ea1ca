"""What the venue announced: of one security, for whoever looks, ingest -> Valkey -> functions; and
each change as it comes, ingest -> Valkey's channel -> fanout -> terminals. JSON, version 1.

Invariant: the cached value is whole: the phase of the security's class, its own halt and its moved
band stand in one record, so that no reader can see half of a change. Its key lies in the hash slot
of the security's quote, so that one MGET reads both.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from functions.shared.clock import from_micros, micros
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.market_halts import HaltSource, MarketHalt
from functions.shared.domain.sessions import Announcement, Phase, SecurityClass
from functions.shared.wire.quotes import partition_of_symbol, partition_tag


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """Times in microseconds since 1970 by the business clock, prices in ten-thousandths."""

    v: Literal[1] = 1
    symbol: str
    phase: Phase
    at: int
    halt: Phase | None
    text: str
    band: tuple[int, int] | None
    band_at: int | None
    lifted_at: int | None = None


class HaltNews(msgspec.Struct, frozen=True, kw_only=True):
    """A halt of the whole market, as domain.market_halts has it; times in microseconds since 1970
    by the business clock."""

    level: int
    source: HaltSource
    since: int
    resumes_at: int | None
    opens_at: int | None

    @classmethod
    def of(cls, halt: MarketHalt) -> "HaltNews":
        """What is told of a statement."""
        return cls(
            level=halt.level,
            source=halt.source,
            since=micros(halt.since),
            resumes_at=None if halt.resumes_at is None else micros(halt.resumes_at),
            opens_at=None if halt.opens_at is None else micros(halt.opens_at),
        )


class MarketNews(msgspec.Struct, frozen=True, kw_only=True):
    """One change: of a class of securities (None: of all) or of one `symbol`, with its band in
    ten-thousandths of a rupee, or a `halt` of the whole market. `at` is in microseconds since 1970
    by the business clock."""

    phase: Phase
    at: int
    security_class: SecurityClass | None = None
    symbol: str | None = None
    band: tuple[int, int] | None = None
    text: str = ""
    halt: HaltNews | None = None


NEWS_CHANNEL = "announced:{feed}"
NEWS_MOST = 256
"""Changes in one publication; what is more goes out with the next."""

_news: msgspec.json.Decoder[list[MarketNews]] = msgspec.json.Decoder(
    Annotated[list[MarketNews], msgspec.Meta(max_length=NEWS_MOST)]
)
_decoder = msgspec.json.Decoder(_Record)
_encoder = msgspec.json.Encoder()


def announcement_key(symbol: str) -> str:
    """The cache key of a security, in its quote's slot."""
    return f"announced:{partition_tag(partition_of_symbol(symbol))}:{symbol}"


def encode_announcement(symbol: str, told: Announcement) -> bytes:
    """What the cache holds for a security."""
    band_at = None if told.band_at is None else micros(told.band_at)
    lifted_at = None if told.lifted_at is None else micros(told.lifted_at)
    return _encoder.encode(
        _Record(
            symbol=symbol, phase=told.phase, at=micros(told.at), halt=told.halt, text=told.text,
            band=told.band, band_at=band_at, lifted_at=lifted_at,
        )
    )  # fmt: skip


def decode_announcement(symbol: str, value: bytes) -> Announcement:
    """Raises PeerProtocolError for anything but a version 1 record of that security."""
    try:
        read = _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"what was announced of {symbol}: {error}") from error
    if read.symbol != symbol:
        raise PeerProtocolError(f"what was announced of {symbol} names {read.symbol}")
    band_at = None if read.band_at is None else from_micros(read.band_at)
    lifted_at = None if read.lifted_at is None else from_micros(read.lifted_at)
    return Announcement(
        read.phase, from_micros(read.at), read.halt, read.text, read.band, band_at, lifted_at
    )


def encode_news(news: Sequence[MarketNews]) -> bytes:
    """One publication of at most NEWS_MOST changes."""
    return _encoder.encode(news)


def decode_news(payload: bytes) -> list[MarketNews]:
    """Raises PeerProtocolError for anything but a list of changes."""
    try:
        return _news.decode(payload)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"news of the market: {error}") from error
