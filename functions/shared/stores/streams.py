"""Durable streams between processes: append, divide among consumers, read, acknowledge.

Invariant: when `append` returns, every record is on disk (Valkey with `appendfsync always`), in
three zones (Kinesis) or with every broker in sync (Kafka), and records of one key are in the order
given. Delivery is at least once: a record is delivered again until it is acknowledged, so every
consumer has a key of its own that absorbs the second time.

The three buses behind this are chosen by the address alone; infra/buses.md compares them. On AWS
the functions' streams are read by Lambda's event source mappings, the edge's by the edge.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from functions.shared.domain.errors import Retryable
from functions.shared.settings import StreamSettings
from functions.shared.stores.stream_records import (
    LIMITS,
    Ahead,
    Delivered,
    Lag,
    Limits,
    Record,
    check_sizes,
)
from functions.shared.stores.valkey_share import ValkeyShare

__all__ = [
    "Delivered",
    "Lag",
    "Limits",
    "Record",
    "Streams",
    "ValkeyStreams",
    "open_streams",
    "streams_of",
]

_BLOCK_MOST_MS = 2_000
_TRIM_EVERY_SECONDS = 1.0
_LOOK_RECORDS = 1_000


class Streams(Protocol):
    """What every adapter does; tests/contract holds them to it."""

    def append(self, stream: str, records: Sequence[Record]) -> None:
        """Durable when it returns. Raises Retryable: some or none of it may be there, and the
        caller appends the same records again. Raises InvariantViolated for one that is too large.
        """

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        """Which of the group's streams are this consumer's now: each is one consumer's at a time.

        Called before each read by every consumer of the group, under the same streams and a name
        of its own. One that does not call for `takeover_seconds` has gone, and its streams are
        another's; what it was given and did not acknowledge is given to that one, and its own
        acknowledgement is refused. A consumer that comes back by its name has its streams at once.
        Raises Retryable.
        """

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        """Up to `count` records and Limits.batch_bytes of each stream, waiting at most `block_ms`
        for the first.

        Nobody else reads these for the group: they are this consumer's by `divide`, or the caller
        holds them by a lease of its own. The first reads give what the group left unacknowledged,
        then what is new. A caller acknowledges what it was given before it reads on. A missing
        stream or group is created at the stream's beginning. Raises Retryable.
        """

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        """These need not be delivered to the group again. They are the next of those it was given,
        in that order: an acknowledgement stands for all before it. Raises Retryable, also when the
        stream is another consumer's by now."""

    def lag(self, stream: str, group: str) -> Lag:
        """How far the group is behind on a stream that this process reads. Raises Retryable."""

    def look(self, stream: str) -> Iterator[Delivered]:
        """All that the stream keeps, a key's in their order; no group is the further for it. Raises
        Retryable."""

    def close(self) -> None:
        """Lets go of what it holds open; what it owns by `divide` it leaves at the latest after
        `takeover_seconds`."""


class ValkeyStreams:
    """Valkey streams. Appending is safe from any thread; reading belongs to one thread.

    A group has one consumer in Valkey's own sense, whoever reads: so its pending entries are the
    next owner's, in order. A stream keeps `Limits.entries` at most, acknowledged or not. A consumer
    that falls this far behind loses the oldest of them from the stream, not from the system: the
    ledger still has the orders (they are swept) and the venue the executions (they are sent again).
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = LIMITS,
    ) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=limits.append_seconds,
            socket_connect_timeout=limits.append_seconds,
            # A read cut off by the network must not be repeated as it was: its entries are pending
            # already and ">" would pass over them. The caller's next read begins with those.
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # the shapes read below are RESP2's
        )
        self._clock = clock
        self.limits = limits
        self._ahead = Ahead(limits.batch_bytes)
        # The id after which this consumer's own pending entries are read; ">" once there are none.
        self._cursor: dict[tuple[str, str], str] = {}
        self._shares: dict[str, ValkeyShare] = {}
        self._trim_at: dict[str, float] = {}

    def append(self, stream: str, records: Sequence[Record]) -> None:
        if not records:
            return
        check_sizes(stream, records)
        with _translated(f"append to {stream}"):
            pipeline = self._client.pipeline(transaction=True)
            for record in records:
                pipeline.xadd(
                    stream,
                    {b"k": record.key.encode(), b"d": record.data},
                    maxlen=self.limits.entries,
                    approximate=True,
                )
            pipeline.execute()

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        share = self._shares.get(group)
        if share is None:
            share = ValkeyShare(self._client, group, consumer, self.limits.takeover_seconds)
            self._shares[group] = share
        with _translated(f"divide {group}"):
            before, new = share.mine, share.divide(streams)
        for stream in (before - share.mine) | new:
            self._forget(stream, group)
        return share.mine

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        if not 0 < block_ms <= _BLOCK_MOST_MS:
            raise ValueError(f"block_ms is 1 to {_BLOCK_MOST_MS}, below the socket's time-out")
        if not streams:
            return []
        waiting = self._ahead.take(streams, count)
        if waiting:
            return waiting
        for stream in streams:
            if (stream, group) not in self._cursor:
                self._create_group(stream, group)
                self._cursor[stream, group] = "0"
        try:
            while True:
                history = any(self._cursor[stream, group] != ">" for stream in streams)
                if self._read_once(streams, group, count, block_ms) or not history:
                    return self._ahead.take(streams, count)
                # An empty history says nothing of what is new.
        except Retryable:
            # Entries whose delivery was cut off are ours and pending, or the group is gone.
            for stream in streams:
                self._forget(stream, group)
            raise

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        share = self._shares.get(group)
        with _translated(f"acknowledge on {stream}"):
            if share is None:
                self._client.xack(stream, group, *ids)
            elif not share.acknowledge(stream, ids):
                self._forget(stream, group)
                raise Retryable(f"{stream} is another consumer's by now")
            now = self._clock()
            if now >= self._trim_at.get(stream, 0.0):
                self._trim_at[stream] = now + _TRIM_EVERY_SECONDS
                self._trim(stream)

    def lag(self, stream: str, group: str) -> Lag:
        with _translated(f"lag of {stream}"):
            try:
                groups = self._client.xinfo_groups(stream)
            except redis.ResponseError:  # no such stream yet
                return Lag(records=0)
        for one in groups:
            if one["name"].decode() == group:
                # Unknown to Valkey after entries in the middle were deleted; ours are not.
                return Lag(records=one["pending"] + (one["lag"] or 0))
        return Lag(records=0)

    def look(self, stream: str) -> Iterator[Delivered]:
        after = "-"
        while True:
            with _translated(f"look at {stream}"):
                page: Any = self._client.xrange(stream, min=after, count=_LOOK_RECORDS)
            if not page:
                return
            yield from (_delivered(*entry) for entry in page)
            after = f"({page[-1][0].decode()}"

    def close(self) -> None:
        self._client.close()

    def _read_once(self, streams: Sequence[str], group: str, count: int, block_ms: int) -> bool:
        """Fetches once; whether there was anything."""
        after: dict[Any, Any] = {stream: self._cursor[stream, group] for stream in streams}
        share = self._shares.get(group)
        with _translated(f"read {','.join(streams)}"):
            answer: Any = (
                self._client.xreadgroup(group, group, after, count=count, block=block_ms)
                if share is None
                else share.read(after, count, block_ms)
            )
        found = False
        for name, entries in answer:
            delivered = self._take(name.decode(), group, entries)
            self._ahead.add(name.decode(), delivered)
            found = found or bool(delivered)
        return found

    def _forget(self, stream: str, group: str) -> None:
        """What was fetched is pending: the next read here, or its next owner, finds it there."""
        self._cursor.pop((stream, group), None)
        self._ahead.drop(stream)

    def _take(self, stream: str, group: str, entries: list[Any]) -> list[Delivered]:
        history = self._cursor[stream, group] != ">"
        if history:
            self._cursor[stream, group] = entries[-1][0].decode() if entries else ">"
        gone = [entry_id for entry_id, fields in entries if not fields]
        if gone:  # trimmed before we came to it
            with _translated(f"acknowledge on {stream}"):
                self._client.xack(stream, group, *gone)
        return [_delivered(entry_id, fields, history) for entry_id, fields in entries if fields]

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


def _delivered(entry_id: bytes, fields: dict[bytes, bytes], redelivered: bool = False) -> Delivered:
    milliseconds = int(entry_id.partition(b"-")[0])
    return Delivered(
        entry_id.decode(), fields[b"k"].decode(), fields[b"d"], redelivered, milliseconds
    )


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Retryable(f"{doing}: {error}") from error


def open_streams(url: str, limits: Limits = LIMITS) -> Streams:
    """The bus at `redis://...`, `rediss://...`, `kinesis://REGION/PREFIX` or
    `kafka://HOST:PORT,.../PREFIX` (`kafkas://` over TLS). Connects when first used.

    Raises ValueError for another address, or when Kafka's library is not installed.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "redis" | "rediss":
            return ValkeyStreams(url, limits=limits)
        # Imported here: either costs a process that has no use for it a fifth of a second.
        case "kinesis" if parts.hostname:
            from functions.shared.stores.kinesis import open_kinesis

            return open_kinesis(parts.hostname, parts.path.strip("/"), limits)
        case "kafka" | "kafkas" if parts.hostname:
            from functions.shared.stores.kafka import open_kafka

            return open_kafka(url, limits)
    raise ValueError(
        "OUTCRY_STREAMS_URL is redis://HOST:PORT/DB, kinesis://REGION/PREFIX"
        " or kafka://HOST:PORT/PREFIX"
    )


def streams_of(settings: StreamSettings) -> Streams:
    """The bus that a process was told of. Raises ValueError as `open_streams` does."""
    limits = Limits(
        batch_bytes=settings.stream_batch_bytes,
        append_seconds=settings.stream_append_seconds,
        takeover_seconds=settings.stream_takeover_seconds,
        entries=settings.stream_entries,
        tries=settings.stream_tries,
        read_seconds=settings.stream_read_seconds,
        shards_seconds=settings.stream_shards_seconds,
    )
    return open_streams(settings.streams_url, limits)
