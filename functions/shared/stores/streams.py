"""Durable streams between processes: append, divide among consumers, read, acknowledge.

Invariant: when `append` returns, every record is on disk (Valkey with `appendfsync always`), in
three zones (Kinesis) or with every broker in sync (Kafka), and records of one key are in the order
given. Delivery is at least once: a record is delivered again until it is acknowledged, so every
consumer has a key of its own that absorbs the second time.

The three buses behind this are chosen by the address alone; infra/buses.md compares them. On AWS
the functions' streams are read by Lambda's event source mappings, the edge's by the edge.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from functions.shared.settings import StreamSettings
from functions.shared.stores.stream_records import LIMITS, Delivered, Lag, Limits, Record
from functions.shared.stores.valkey_streams import ValkeyStreams

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


class Streams(Protocol):
    """What every adapter does; tests/contract holds them to it."""

    def append(self, stream: str, records: Sequence[Record]) -> None:
        """Durable when it returns. Raises Retryable: some or none of it may be there, and the
        caller appends the same records again. Raises InvariantViolated for one that is too large.
        """

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        """Appends to several streams, each as `append` does, in one trip and one disk write where
        the bus can. Raises as `append` does; then any of them may or may not be there."""

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        """Which of the group's streams are this consumer's now: each is one consumer's at a time.

        Called before each read by every consumer of the group, under the same streams and a name
        of its own. One that does not call for `takeover_seconds` has gone, and its streams are
        another's; what it was given and did not acknowledge is given to that one, and its own
        acknowledgement is refused. A consumer that comes back by its name has its streams at once.
        A stream that is to be read anew (it was another's meanwhile, or its reader was given up) is
        missing once before, so that the consumer drops what it kept of it. Raises Retryable.
        """

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        """Up to `count` records and Limits.batch_bytes of each stream, waiting at most `block_ms`
        for the first.

        Nobody else reads these for the group: they are this consumer's by `divide`, or the caller
        holds them by a lease of its own. The first reads give what the group left unacknowledged,
        then what is new. A caller may read on before it acknowledges; after a failure it may be
        given anew what it did not. A missing stream or group is created at the stream's beginning.
        Raises Retryable.
        """

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        """These need not be delivered to the group again. They are the next of those it was given,
        in that order: an acknowledgement stands for all before it, and saying it again is no error.
        Raises Retryable, also when the stream is another consumer's by now, or has to be read anew
        before it can be told: a caller that tries again reads in between."""

    def lag(self, stream: str, group: str) -> Lag:
        """How far the group is behind on a stream that this process reads. Raises Retryable."""

    def look(self, stream: str) -> Iterator[Delivered]:
        """All that the stream keeps, a key's in their order; no group is the further for it. Raises
        Retryable."""

    def close(self) -> None:
        """Lets go of what it holds open; what it owns by `divide` it leaves at the latest after
        `takeover_seconds`."""


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
