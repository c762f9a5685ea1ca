"""What every bus carries, and the bounds that all of them keep.

Invariant: a batch that is handed out is within `count` records and `batch_bytes` of each stream;
what was fetched beyond them waits here, in order, and is handed out next.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from functions.shared.domain.errors import InvariantViolated

#: The largest record. Ours are a few thousand bytes; Kafka and Kinesis take a mebibyte, all told.
RECORD_BYTES_MOST = 900 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a process's use of its bus; settings.StreamSettings has the same as variables.

    `entries`: of one Valkey stream, read or not. A consumer that falls this far behind loses the
    oldest ones from the stream, not from the system: the ledger still has the orders (they are
    swept) and the venue still has the executions (they are sent again). `tries`, `read_seconds` and
    `shards_seconds` are of Kinesis.
    """

    batch_bytes: int = 4 * 1024 * 1024
    append_seconds: float = 5.0
    takeover_seconds: float = 10.0
    entries: int = 250_000
    tries: int = 4
    read_seconds: float = 0.25
    shards_seconds: float = 60.0


LIMITS: Final = Limits()


class Record(msgspec.Struct, frozen=True):
    """What is appended. Records of one `key` keep their order."""

    key: str
    data: bytes


class Delivered(msgspec.Struct, frozen=True):
    """What is read. `id` is the stream's own, and later records have later ones. `redelivered`:
    this group may have been handed it before, and never acknowledged it. `at_ms`: when it was
    appended, by the bus, in milliseconds since 1970."""

    id: str
    key: str
    data: bytes
    redelivered: bool = False
    at_ms: int = 0


class Lag(msgspec.Struct, frozen=True):
    """How far a group is behind on a stream, in what the bus can tell: records that it has not
    acknowledged, or seconds that it reads behind the newest one (Kinesis counts no records)."""

    records: int | None = None
    seconds: float | None = None


class Ahead:
    """What was fetched and not handed out yet, by stream."""

    def __init__(self, batch_bytes: int) -> None:
        self._batch_bytes = batch_bytes
        self._waiting: dict[str, deque[Delivered]] = {}

    def add(self, stream: str, records: Sequence[Delivered]) -> None:
        if records:
            self._waiting.setdefault(stream, deque()).extend(records)

    def take(self, streams: Sequence[str], count: int) -> list[tuple[str, list[Delivered]]]:
        """The next batch of each of these streams that has one: at least one record of it."""
        return [(name, self._next(name, count)) for name in streams if name in self._waiting]

    def drop(self, stream: str) -> None:
        """It is fetched anew, here or elsewhere."""
        self._waiting.pop(stream, None)

    def _next(self, stream: str, count: int) -> list[Delivered]:
        waiting = self._waiting[stream]
        batch = [waiting.popleft()]
        size = len(batch[0].data)
        while waiting and len(batch) < count and size + len(waiting[0].data) <= self._batch_bytes:
            batch.append(waiting.popleft())
            size += len(batch[-1].data)
        if not waiting:
            del self._waiting[stream]
        return batch


def check_sizes(stream: str, records: Sequence[Record]) -> None:
    """Raises InvariantViolated for a record that no bus would take, before any of them is sent."""
    for record in records:
        if len(record.data) > RECORD_BYTES_MOST:
            raise InvariantViolated(
                f"a record of {len(record.data)} bytes for {stream}; {RECORD_BYTES_MOST} at most"
            )
