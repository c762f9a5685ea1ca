"""One group's reading of a Kinesis stream by a process of ours: all its shards, in turn.

Invariant: a key's records are handed out in order, over a resharding too: a shard is read once its
parents are read to their end and acknowledged. A position is moved by acknowledging alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.shared.domain.errors import Retryable
from functions.shared.stores.kinesis_positions import Positions, code_of
from functions.shared.stores.stream_records import LIMITS, Delivered, Limits

_END: Final = "END"


@dataclass
class _Shard:
    """Where one shard is read. `caught_up`: what comes now is newer than this reader."""

    acknowledged: str | None
    fetched: str | None
    iterator: str | None = None
    due: float = 0.0
    ended: bool = False
    caught_up: bool = False
    behind_ms: int = 0
    parents: frozenset[str] = field(default_factory=frozenset)

    @property
    def done(self) -> bool:
        return self.acknowledged == _END or (self.ended and self.acknowledged == self.fetched)


class StreamReader:
    """A stream as a group reads it. For one thread. Raises botocore's errors and Retryable."""

    def __init__(
        self,
        kinesis: Any,
        positions: Positions,
        group: str,
        stream: str,
        name: str,
        limits: Limits = LIMITS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is the stream's own at Kinesis, which allows five GetRecords a second of a shard,
        of all its readers together."""
        self._limits = limits
        self._kinesis = kinesis
        self._positions = positions
        self._group = group
        self._stream = stream
        self._name = name
        self._monotonic = monotonic
        self._fence, self._known = positions.take_up(group, stream)
        self._shards: dict[str, _Shard] = {}
        self._shards_at = float("-inf")

    def due(self) -> float:
        """When a shard may next be asked."""
        return min((shard.due for shard in self._readable().values()), default=self._shards_at)

    def fetch(self, count: int) -> list[Delivered]:
        """What is new in the shards that may be asked now."""
        self._find_shards()
        found: list[Delivered] = []
        for shard_id, shard in self._readable().items():
            if shard.due <= self._monotonic():
                found += self._ask(shard_id, shard, count)
        return found

    def acknowledge(self, ids: Sequence[str]) -> None:
        """Raises Retryable when another reader took the stream up."""
        for one in ids:
            shard_id, _, sequence = one.partition(":")
            self._shards[shard_id].acknowledged = sequence
        places = {
            shard_id: _END if shard.done else shard.acknowledged
            for shard_id, shard in self._shards.items()
        }
        known = {shard_id: at for shard_id, at in places.items() if at is not None}
        if not self._positions.move(self._group, self._stream, self._fence, known):
            raise Retryable(f"{self._stream} is another reader's by now")

    def lag_seconds(self) -> float:
        """As the shards last told; a shard not asked yet tells nothing."""
        return max((shard.behind_ms for shard in self._shards.values()), default=0) / 1000

    def _readable(self) -> dict[str, _Shard]:
        open_ones = {shard_id for shard_id, shard in self._shards.items() if not shard.done}
        return {
            shard_id: shard
            for shard_id, shard in self._shards.items()
            if not shard.done and not shard.ended and not shard.parents & open_ones
        }

    def _find_shards(self) -> None:
        """Looks for them each `shards_seconds`, and when one of them was closed."""
        if self._monotonic() < self._shards_at:
            return
        for one in self._kinesis.list_shards(StreamName=self._name)["Shards"]:
            at = self._known.get(one["ShardId"])
            parents = {one.get("ParentShardId"), one.get("AdjacentParentShardId")} - {None}
            self._shards.setdefault(
                one["ShardId"], _Shard(at, at, parents=frozenset(map(str, parents)))
            )
        self._shards_at = self._monotonic() + self._limits.shards_seconds

    def _ask(self, shard_id: str, shard: _Shard, count: int) -> list[Delivered]:
        shard.due = self._monotonic() + self._limits.read_seconds
        try:
            iterator = shard.iterator or self._iterator(shard_id, shard)
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=count)
        except ClientError as error:
            shard.iterator = None
            if code_of(error) in {"ExpiredIteratorException", _TOO_OFTEN}:
                return []
            raise
        shard.iterator = answer.get("NextShardIterator")
        shard.behind_ms = answer.get("MillisBehindLatest", 0)
        records = [_delivered(shard_id, one, not shard.caught_up) for one in answer["Records"]]
        if records:
            shard.fetched = answer["Records"][-1]["SequenceNumber"]
        if shard.behind_ms == 0:
            shard.caught_up = True
        if shard.iterator is None:
            shard.ended = True
            self._shards_at = float("-inf")
        return records

    def _iterator(self, shard_id: str, shard: _Shard) -> str:
        where = (
            {"ShardIteratorType": "TRIM_HORIZON"}
            if shard.fetched is None
            else {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": shard.fetched,
            }
        )
        answer = self._kinesis.get_shard_iterator(StreamName=self._name, ShardId=shard_id, **where)
        return str(answer["ShardIterator"])


def shard_pages(
    kinesis: Any, name: str, read_seconds: float, pause: Callable[[float], None]
) -> Iterator[list[Delivered]]:
    """All that the shards of a stream keep, parents first, to where each ends now. Raises
    botocore's errors."""
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        shard_id = shard["ShardId"]
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator is not None:
            answer = kinesis.get_records(ShardIterator=iterator)
            yield [_delivered(shard_id, one, False) for one in answer["Records"]]
            if not answer.get("MillisBehindLatest"):
                break
            iterator = answer.get("NextShardIterator")
            pause(read_seconds)


def _delivered(shard_id: str, record: Any, redelivered: bool) -> Delivered:
    return Delivered(
        f"{shard_id}:{record['SequenceNumber']}",
        record["PartitionKey"],
        record["Data"],
        redelivered,
        int(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
    )


_TOO_OFTEN: Final = "ProvisionedThroughputExceededException"
