"""Durable streams between processes: append, read as a group, acknowledge.

Invariant: when `append` returns, every record is on disk (Valkey with `appendfsync always`) or in
three zones (Kinesis), and records of one key are in the order given. Delivery is at least once:
a record is delivered again until it is acknowledged, so every consumer has a key of its own that
absorbs the second time.

On AWS a stream is read by Lambda's event source mapping, so the Kinesis adapter only appends.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from functions.shared.domain.errors import Retryable

#: Entries kept in one Valkey stream at most, acknowledged or not. A consumer that falls this far
#: behind loses the oldest entries from the stream, not from the system: the ledger still has the
#: orders (they are swept) and the venue still has the executions (they are sent again).
ENTRIES_MOST = 250_000

_SOCKET_TIMEOUT_SECONDS = 5.0
_BLOCK_MOST_MS = 2_000
_TRIM_EVERY_SECONDS = 1.0


class Record(msgspec.Struct, frozen=True):
    """What is appended. Records of one `key` keep their order."""

    key: str
    data: bytes


class Delivered(msgspec.Struct, frozen=True):
    """What is read. `redelivered`: this group was handed it before and never acknowledged it."""

    id: str
    key: str
    data: bytes
    redelivered: bool = False


class Streams(Protocol):
    """What every adapter does; tests/contract holds them to it."""

    def append(self, stream: str, records: Sequence[Record]) -> None:
        """Durable when it returns. Raises Retryable: some or none of it may be there, and the
        caller appends the same records again."""

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        """Up to `count` records of each stream, waiting at most `block_ms` for the first.

        The first reads of a process give what its consumer left unacknowledged, then what is new.
        A caller acknowledges what it was given before it reads on. A missing stream or group is
        created at the stream's beginning. Raises Retryable.
        """

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        """These need not be delivered to the group again. Raises Retryable."""


class ValkeyStreams:
    """Valkey streams. Appending is safe from any thread; reading belongs to one thread."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=_SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=_SOCKET_TIMEOUT_SECONDS,
            # A read cut off by the network must not be repeated as it was: its entries are pending
            # already and ">" would pass over them. The caller's next read begins with those.
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # the shapes read below are RESP2's
        )
        self._clock = clock
        # The id after which this consumer's own pending entries are read; ">" once there are none.
        self._cursor: dict[tuple[str, str], str] = {}
        self._trim_at: dict[str, float] = {}

    def append(self, stream: str, records: Sequence[Record]) -> None:
        if not records:
            return
        with _translated(f"append to {stream}"):
            pipeline = self._client.pipeline(transaction=True)
            for record in records:
                pipeline.xadd(
                    stream,
                    {b"k": record.key.encode(), b"d": record.data},
                    maxlen=ENTRIES_MOST,
                    approximate=True,
                )
            pipeline.execute()

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        if not 0 < block_ms <= _BLOCK_MOST_MS:
            raise ValueError(f"block_ms is 1 to {_BLOCK_MOST_MS}, below the socket's time-out")
        if not streams:
            return []
        for stream in streams:
            if (stream, group) not in self._cursor:
                self._create_group(stream, group)
                self._cursor[stream, group] = "0"
        try:
            while True:
                history = any(self._cursor[stream, group] != ">" for stream in streams)
                result = self._read_once(streams, group, consumer, count, block_ms)
                if result or not history:  # an empty history says nothing of what is new
                    return result
        except Retryable:
            # Entries whose delivery was cut off are ours and pending, or the group is gone.
            for stream in streams:
                self._cursor.pop((stream, group), None)
            raise

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        with _translated(f"acknowledge on {stream}"):
            self._client.xack(stream, group, *ids)
            now = self._clock()
            if now >= self._trim_at.get(stream, 0.0):
                self._trim_at[stream] = now + _TRIM_EVERY_SECONDS
                self._trim(stream)

    def close(self) -> None:
        self._client.close()

    def _read_once(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        with _translated(f"read {','.join(streams)}"):
            answer: Any = self._client.xreadgroup(
                group,
                consumer,
                {stream: self._cursor[stream, group] for stream in streams},
                count=count,
                block=block_ms,
            )
        taken = [(name.decode(), self._take(name.decode(), group, e)) for name, e in answer]
        return [(name, delivered) for name, delivered in taken if delivered]

    def _take(self, stream: str, group: str, entries: list[Any]) -> list[Delivered]:
        history = self._cursor[stream, group] != ">"
        if history:
            self._cursor[stream, group] = entries[-1][0].decode() if entries else ">"
        gone = [entry_id for entry_id, fields in entries if not fields]
        if gone:  # trimmed at ENTRIES_MOST before we came to it
            with _translated(f"acknowledge on {stream}"):
                self._client.xack(stream, group, *gone)
        return [
            Delivered(entry_id.decode(), fields[b"k"].decode(), fields[b"d"], history)
            for entry_id, fields in entries
            if fields
        ]

    def _create_group(self, stream: str, group: str) -> None:
        with _translated(f"create {group} on {stream}"):
            try:
                self._client.xgroup_create(stream, group, id="0", mkstream=True)
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    def _trim(self, stream: str) -> None:
        """Drops what every group has acknowledged."""
        needed: list[tuple[int, int]] = []
        for group in self._client.xinfo_groups(stream):
            pending = self._client.xpending(stream, group["name"])
            first = pending["min"] if pending["pending"] else group["last-delivered-id"]
            milliseconds, _, sequence = first.decode().partition("-")
            needed.append((int(milliseconds), int(sequence)))
        if needed:
            oldest = min(needed)
            self._client.xtrim(stream, minid=f"{oldest[0]}-{oldest[1]}", approximate=True)


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Retryable(f"{doing}: {error}") from error


def open_streams(url: str) -> Streams:
    """The streams at `redis://...`, `rediss://...` or `kinesis://REGION`. Connects when first used.

    Raises ValueError for another address.
    """
    parts = urlsplit(url)
    if parts.scheme in {"redis", "rediss"}:
        return ValkeyStreams(url)
    if parts.scheme == "kinesis" and parts.hostname:
        # Imported here: the AWS SDK costs a process that needs it not a fifth of a second.
        from functions.shared.stores.kinesis import open_kinesis

        return open_kinesis(parts.hostname)
    raise ValueError("OUTCRY_STREAMS_URL is redis://HOST:PORT/DB or kinesis://REGION")
