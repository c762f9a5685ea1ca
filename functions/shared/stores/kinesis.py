"""Kinesis as the durable streams on AWS: append only; its event source mapping reads.

Invariant: a key's records keep their order, though PutRecords promises none within a request.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.stores.streams import Delivered, Record

# Amazon Kinesis Data Streams API reference, PutRecords.
_KINESIS_RECORDS_MOST = 500
_KINESIS_BYTES_MOST = 5 * 1024 * 1024
_KINESIS_TRIES = 4


class KinesisStreams:
    """Amazon Kinesis by PutRecords; safe from any thread."""

    def __init__(self, client: Any, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._pause = pause

    def append(self, stream: str, records: Sequence[Record]) -> None:
        for request in _requests(records):
            self._put(stream, request)

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        raise InvariantViolated("a Kinesis stream is read by its event source mapping")

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        raise InvariantViolated("a Kinesis stream is acknowledged by its event source mapping")

    def _put(self, stream: str, records: list[Record]) -> None:
        left = records
        for attempt in range(_KINESIS_TRIES):
            if attempt:
                self._pause(0.05 * 2**attempt)  # a shard's limit is per second
            try:
                answer = self._client.put_records(
                    StreamName=stream,
                    Records=[{"Data": r.data, "PartitionKey": r.key} for r in left],
                )
            except (BotoCoreError, ClientError) as error:
                raise Retryable(f"append to {stream}: {error}") from error
            if not answer["FailedRecordCount"]:
                return
            outcomes = zip(left, answer["Records"], strict=True)
            left = [record for record, outcome in outcomes if "ErrorCode" in outcome]
        raise Retryable(f"append to {stream}: {len(left)} records refused {_KINESIS_TRIES} times")


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


def open_kinesis(region: str) -> KinesisStreams:
    """The streams of a region, by the process's own credentials."""
    return KinesisStreams(boto3.client("kinesis", region_name=region))
