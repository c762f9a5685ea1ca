"""Quotes between processes: ingest -> Valkey (cache and channels) -> fanout, functions. Version 1.

Invariant: a quote is one fixed-size big-endian record of integers, so that a batch is read without
a parser; a payload of another version or length is refused whole, never read in part.

A channel's payload is BATCH_HEAD (version u8, partition u8, count u16, published u64: wall-clock
microseconds since 1970) and `count` records. A cached value is one version byte and one record.
A record is the symbol in UTF-8 padded with NUL to 20 bytes, then the fields of `Quote` in their
order, then ten levels (five bids, five offers, best first) of price i64, quantity i64, orders u32.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from functions.shared.domain.errors import PeerProtocolError

VERSION: Final = 1
PARTITIONS: Final = 16
#: The hash tag of each partition. The suffixes put partition N's slot into the Nth of sixteen equal
#: ranges, so that a cluster whose nodes have equal ranges has them spread evenly.
_TAGS: Final = (
    "p00ab", "p01aa", "p02", "p03bb", "p04c", "p05db", "p06fa", "p07fb",
    "p08fc", "p09c", "p10c", "p11dc", "p12fa", "p13fb", "p14ac", "p15ad",
)  # fmt: skip
SYMBOL_BYTES_MAX: Final = 20
LEVELS: Final = 5
#: Integers a level is made of: price, quantity, number of orders (0: not told).
LEVEL_WIDTH: Final = 3
NO_LEVELS: Final = (0,) * (2 * LEVELS * LEVEL_WIDTH)
BATCH_MAX: Final = 0xFFFF

BATCH_HEAD: Final = struct.Struct(">BBHQ")
_RECORD: Final = struct.Struct(f">{SYMBOL_BYTES_MAX}sIQQ8q" + "qqI" * (2 * LEVELS))
_VALUE: Final = struct.Struct(f">B{_RECORD.size}s")
RECORD_BYTES: Final = _RECORD.size
#: A record of which only symbol, seq, time, last price, high, low, close and volume are read.
_PRICES: Final = struct.Struct(f">{SYMBOL_BYTES_MAX}s4xQQq16xqqqq{8 + 2 * LEVELS * 20}x")


class Level(NamedTuple):
    """One step of the book. `price` in ten-thousandths of a rupee."""

    price: int
    quantity: int
    orders: int


class Quote(NamedTuple):
    """The last known values of one symbol. Prices in ten-thousandths of a rupee, 0 when unknown.

    `seq` only ever grows for a symbol; `timestamp_ms` is the exchange's time; `close` the previous
    day's close; `average` the volume-weighted price of the trades seen; `levels` the depth, flat.
    """

    symbol: str
    token: int
    seq: int
    timestamp_ms: int
    ltp: int
    last_quantity: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    average: int
    levels: tuple[int, ...] = NO_LEVELS

    @property
    def bids(self) -> list[Level]:
        """Buyers' levels that exist, best first."""
        return _side(self.levels[: LEVELS * LEVEL_WIDTH])

    @property
    def asks(self) -> list[Level]:
        """Sellers' levels that exist, best first."""
        return _side(self.levels[LEVELS * LEVEL_WIDTH :])

    @property
    def bid(self) -> int:
        """The best buying price, 0 when nobody buys."""
        return self.levels[0]

    @property
    def ask(self) -> int:
        """The best selling price, 0 when nobody sells."""
        return self.levels[LEVELS * LEVEL_WIDTH]

    @property
    def change(self) -> int:
        """The change against the previous close, 0 when either is unknown."""
        return self.ltp - self.close if self.ltp and self.close else 0


class PriceTick(NamedTuple):
    """What of a quote triggers and alerts need. Prices in ten-thousandths of a rupee, 0 when
    unknown."""

    symbol: str
    seq: int
    timestamp_ms: int
    ltp: int
    high: int
    low: int
    close: int = 0
    volume: int = 0


class Batch(NamedTuple):
    """What one publish carries. `published_us`: wall clock, microseconds since 1970."""

    partition: int
    published_us: int
    quotes: list[Quote]


def partition_of_symbol(symbol: str) -> int:
    """The partition (0 to 15) whose channel and cache slot carry a symbol."""
    return zlib.crc32(symbol.encode()) % PARTITIONS


def partition_tag(partition: int) -> str:
    """What puts a key or a channel into a partition's hash slot, as part of its name."""
    return f"{{{_TAGS[partition]}}}"


def quotes_channel(partition: int) -> str:
    """The Valkey channel of a partition."""
    return f"quotes:{partition_tag(partition)}"


def quote_key(symbol: str) -> str:
    """The cache key of a symbol; its partition is the hash tag, so that one MGET reads many."""
    return f"quote:{partition_tag(partition_of_symbol(symbol))}:{symbol}"


def encode_record(quote: Quote) -> bytes:
    """One record. Raises ValueError for a symbol or a number that the layout has no room for."""
    name = quote.symbol.encode()
    if not name or len(name) > SYMBOL_BYTES_MAX:
        raise ValueError(f"{quote.symbol!r} is not a symbol of 1 to {SYMBOL_BYTES_MAX} bytes")
    try:
        return _RECORD.pack(name, *quote[1:12], *quote.levels)
    except struct.error as error:
        raise ValueError(f"{quote.symbol}: {error}") from error


def encode_batch(partition: int, published_us: int, records: Iterable[bytes]) -> bytes:
    """A channel's payload from records of one partition, at most BATCH_MAX of them."""
    body = b"".join(records)
    return BATCH_HEAD.pack(VERSION, partition, len(body) // RECORD_BYTES, published_us) + body


def decode_batch(payload: bytes) -> Batch:
    """Raises PeerProtocolError for another version, a wrong length or a name that is not UTF-8."""
    partition, published_us = _batch_head(payload)
    rows = _RECORD.iter_unpack(memoryview(payload)[BATCH_HEAD.size :])
    return Batch(partition, published_us, [_quote(row) for row in rows])


def decode_prices(payload: bytes) -> list[PriceTick]:
    """A batch's prices alone, at a fifth of the cost. Raises as `decode_batch`."""
    _batch_head(payload)
    try:
        return [
            PriceTick(name.rstrip(b"\0").decode(), *numbers)
            for name, *numbers in _PRICES.iter_unpack(memoryview(payload)[BATCH_HEAD.size :])
        ]
    except UnicodeDecodeError as error:
        raise PeerProtocolError(f"a batch with the name {error.object!r}") from error


def _batch_head(payload: bytes) -> tuple[int, int]:
    """The partition and the time of a payload that is whole."""
    if len(payload) < BATCH_HEAD.size:
        raise PeerProtocolError(f"a batch of {len(payload)} bytes")
    version, partition, count, published_us = BATCH_HEAD.unpack_from(payload)
    if version != VERSION or partition >= PARTITIONS:
        raise PeerProtocolError(f"a batch of version {version} for partition {partition}")
    if len(payload) != BATCH_HEAD.size + count * RECORD_BYTES:
        raise PeerProtocolError(f"a batch of {count} quotes in {len(payload)} bytes")
    return partition, published_us


def encode_value(record: bytes) -> bytes:
    """What the cache holds for a symbol."""
    return _VALUE.pack(VERSION, record)


def decode_value(value: bytes) -> Quote:
    """Raises PeerProtocolError for anything but a version 1 value."""
    if len(value) != _VALUE.size or value[0] != VERSION:
        raise PeerProtocolError(f"a cached quote of {len(value)} bytes")
    return _quote(_RECORD.unpack(value[1:]))


def _quote(row: tuple[Any, ...]) -> Quote:
    try:
        symbol: str = row[0].rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise PeerProtocolError(f"a quote of {row[0]!r}") from error
    if not symbol:
        raise PeerProtocolError("a quote of no symbol")
    return Quote._make((symbol, *row[1:12], row[12:]))


def _side(flat: tuple[int, ...]) -> list[Level]:
    levels = (Level(*flat[at : at + LEVEL_WIDTH]) for at in range(0, len(flat), LEVEL_WIDTH))
    return [level for level in levels if level.quantity]
