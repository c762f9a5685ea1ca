"""Kinesis as the durable streams on AWS.

Invariant: a key's records keep their order, though PutRecords promises none within a request.

The functions' streams are read by their event source mappings; what the edge reads is read here,
its positions kept in a DynamoDB table (kinesis_positions).
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import Retryable
from functions.shared.stores.kinesis_positions import Positions, Share, code_of
from functions.shared.stores.kinesis_reader import StreamReader, shard_pages
from functions.shared.stores.stream_records import (
    LIMITS,
    Ahead,
    Delivered,
    Lag,
    Limits,
    Record,
    check_sizes,
)

# Amazon Kinesis Data Streams API reference, PutRecords and GetRecords.
_KINESIS_RECORDS_MOST = 500
_KINESIS_BYTES_MOST = 5 * 1024 * 1024
_KINESIS_READ_MOST = 10_000
_NO_STREAM = "ResourceNotFoundException"
_POSITIONS = "stream-positions"


class KinesisStreams:
    """Amazon Kinesis. Appending is safe from any thread; reading belongs to one thread."""

    def __init__(
        self,
        kinesis: Any,
        dynamodb: Any,
        prefix: str = "",
        limits: Limits = LIMITS,
        pause: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """A stream is called PREFIX.STREAM there, or as here without a prefix."""
        self._client = kinesis
        self._prefix = prefix
        self._limits = limits
        self._pause = pause
        self._monotonic = monotonic
        self._positions = Positions(dynamodb, f"{prefix}.{_POSITIONS}" if prefix else _POSITIONS)
        self._ready = False
        self._ahead: dict[str, Ahead] = {}
        self._readers: dict[tuple[str, str], StreamReader] = {}
        self._shares: dict[str, Share] = {}
        self._refused: set[tuple[str, str]] = set()

    def append(self, stream: str, records: Sequence[Record]) -> None:
        check_sizes(stream, records)
        for request in _requests(records):
            self._put(stream, request)

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        for stream, records in batches.items():
            self.append(stream, records)

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        with _translated(f"divide {group}"):
            self._prepare()
            share = self._shares.get(group)
            if share is None:
                life = self._limits.takeover_seconds
                share = Share(self._positions, group, consumer, life, self._monotonic)
                self._shares[group] = share
            before, mine = share.mine, share.divide(streams)
        for stream in before ^ mine:  # what is ours anew is taken up anew
            self._forget(stream, group)
        # And so is what could not be acknowledged: it is given again, to one who has dropped it.
        refused = {stream for stream in mine if (group, stream) in self._refused}
        self._refused -= {(group, stream) for stream in refused}
        return mine - refused

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        if not streams:
            return []
        ahead = self._ahead.setdefault(group, Ahead(self._limits.batch_bytes))
        waiting = ahead.take(streams, count)
        if waiting:
            return waiting
        try:
            with _translated(f"read {','.join(streams)}"):
                self._fetch(streams, group, ahead, min(count, _KINESIS_READ_MOST), block_ms / 1000)
        except Retryable:
            for stream in streams:  # what was fetched of one shard may be lost with another's error
                self._forget(stream, group)
            raise
        return ahead.take(streams, count)

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        reader = self._readers.get((group, stream))
        if reader is None:
            self._refused.add((group, stream))
            raise Retryable(f"{stream} has to be read anew")
        try:
            with _translated(f"acknowledge on {stream}"):
                reader.acknowledge(ids)
        except Retryable:
            self._forget(stream, group)
            self._refused.add((group, stream))
            raise

    def lag(self, stream: str, group: str) -> Lag:
        reader = self._readers.get((group, stream))
        return Lag() if reader is None else Lag(seconds=reader.lag_seconds())

    def look(self, stream: str) -> Iterator[Delivered]:
        with _translated(f"look at {stream}"):
            self._create(stream)
            pages = shard_pages(
                self._client, self._name(stream), self._limits.read_seconds, self._pause
            )
        while True:
            with _translated(f"look at {stream}"):
                page = next(pages, None)
            if page is None:
                return
            yield from page

    def close(self) -> None:
        self._client.close()

    def _fetch(
        self, streams: Sequence[str], group: str, ahead: Ahead, count: int, seconds: float
    ) -> None:
        """Asks the shards in turn until one has something, for so long at most."""
        until = self._monotonic() + seconds
        self._prepare()
        readers = [self._reader(stream, group) for stream in streams]
        while True:
            found = 0
            for stream, reader in zip(streams, readers, strict=True):
                records = reader.fetch(count)
                ahead.add(stream, records)
                found += len(records)
            now = self._monotonic()
            if found or now >= until:
                return
            due = min(reader.due() for reader in readers)
            self._pause(max(0.001, min(due, until) - now))

    def _prepare(self) -> None:
        if not self._ready:
            self._positions.create()
            self._ready = True

    def _reader(self, stream: str, group: str) -> StreamReader:
        reader = self._readers.get((group, stream))
        if reader is None:
            self._create(stream)
            reader = StreamReader(
                self._client, self._positions, group, stream, self._name(stream), self._limits,
                self._monotonic,
            )  # fmt: skip
            self._readers[group, stream] = reader
        return reader

    def _forget(self, stream: str, group: str) -> None:
        self._readers.pop((group, stream), None)
        if group in self._ahead:
            self._ahead[group].drop(stream)

    def _name(self, stream: str) -> str:
        return f"{self._prefix}.{stream}" if self._prefix else stream

    def _create(self, stream: str) -> None:
        """When it is missing, with one shard: it is one partition among others (and an account may
        have only ten streams that scale by themselves). Whoever needs more splits it."""
        name = self._name(stream)
        try:
            self._client.describe_stream_summary(StreamName=name)
        except ClientError as error:
            if code_of(error) != _NO_STREAM:
                raise
            with contextlib.suppress(self._client.exceptions.ResourceInUseException):
                self._client.create_stream(StreamName=name, ShardCount=1)
        self._client.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def _put(self, stream: str, records: list[Record]) -> None:
        left = records
        for attempt in range(self._limits.tries):
            if attempt:
                self._pause(0.05 * 2**attempt)  # a shard's limit is per second
            try:
                answer = self._client.put_records(
                    StreamName=self._name(stream),
                    Records=[{"Data": r.data, "PartitionKey": r.key} for r in left],
                )
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and code_of(error) == _NO_STREAM:
                    with _translated(f"create {stream}"):
                        self._create(stream)
                    continue
                raise Retryable(f"append to {stream}: {error}") from error
            if not answer["FailedRecordCount"]:
                return
            outcomes = zip(left, answer["Records"], strict=True)
            left = [record for record, outcome in outcomes if "ErrorCode" in outcome]
        raise Retryable(
            f"append to {stream}: {len(left)} records refused {self._limits.tries} times"
        )


def _requests(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Requests within PutRecords' limits in which no key appears twice.

    PutRecords promises no order among the records of one request, so a key's second record waits
    for the answer to its first: a failed record then has no successor to overtake it.
    """
    waiting = list(records)
    while waiting:
        request: list[Record] = []
        keys: set[str] = set()
        size = 0
        later: list[Record] = []
        for record in waiting:
            weight = len(record.data) + len(record.key.encode())
            fits = len(request) < _KINESIS_RECORDS_MOST and size + weight <= _KINESIS_BYTES_MOST
            if record.key in keys or (request and not fits):
                keys.add(record.key)
                later.append(record)
            else:
                keys.add(record.key)
                request.append(record)
                size += weight
        yield request
        waiting = later


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Retryable(f"{doing}: {error}") from error


def open_kinesis(region: str, prefix: str = "", limits: Limits = LIMITS) -> KinesisStreams:
    """The streams of a region, by the process's own credentials."""
    config = Config(
        connect_timeout=limits.append_seconds,
        read_timeout=limits.append_seconds,
        retries={"total_max_attempts": 2},
    )
    kinesis, dynamodb = (
        boto3.client(service, region_name=region, config=config)
        for service in ("kinesis", "dynamodb")
    )
    return KinesisStreams(kinesis, dynamodb, prefix, limits)
