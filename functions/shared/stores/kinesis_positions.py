"""How far each group has read Kinesis, and which consumer reads what: one DynamoDB table.

Kinesis itself keeps neither. Invariant: a position moves only under the fence of the last reader
that took the stream up, so one that was stopped and goes on moves none. Who lives is told by
counters that grow, looked at by each one's own clock: no two clocks are ever compared.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.shared.domain.errors import Retryable

_TRIES: Final = 10
_BEATS_A_LIFE: Final = 4


class Positions:
    """The table of one bus. Key: `name`, a group or GROUP/STREAM. Raises botocore's errors."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self.table = table

    def create(self) -> None:
        """When it is missing; with no throughput to plan."""
        try:
            self._dynamodb.create_table(
                TableName=self.table,
                AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except ClientError as error:
            if code_of(error) != "ResourceInUseException":
                raise
        self._dynamodb.get_waiter("table_exists").wait(
            TableName=self.table, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def take_up(self, group: str, stream: str) -> tuple[int, dict[str, str]]:
        """The fence of a new reader, and how far each shard was read. Whoever read it until now
        moves it no more."""
        told = self._dynamodb.update_item(
            TableName=self.table,
            Key={"name": {"S": f"{group}/{stream}"}},
            UpdateExpression="ADD fence :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return int(told["fence"]["N"]), _texts(told.get("shards"))

    def move(self, group: str, stream: str, fence: int, shards: Mapping[str, str]) -> bool:
        """False when another reader took the stream up since."""
        try:
            self._dynamodb.update_item(
                TableName=self.table,
                Key={"name": {"S": f"{group}/{stream}"}},
                UpdateExpression="SET shards = :shards",
                ConditionExpression="fence = :fence",
                ExpressionAttributeValues={
                    ":shards": {"M": {shard: {"S": at} for shard, at in shards.items()}},
                    ":fence": {"N": str(fence)},
                },
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def read_group(self, group: str) -> tuple[int, dict[str, int], dict[str, str]]:
        """Its version, each member's beats, each stream's owner."""
        told = self._dynamodb.get_item(
            TableName=self.table, Key={"name": {"S": group}}, ConsistentRead=True
        ).get("Item")
        if told is None:
            return 0, {}, {}
        beats = {name: int(one["N"]) for name, one in told["beats"]["M"].items()}
        return int(told["version"]["N"]), beats, _texts(told["owners"])

    def write_group(
        self, group: str, version: int, beats: Mapping[str, int], owners: Mapping[str, str]
    ) -> bool:
        """False when another consumer wrote it since that version was read."""
        try:
            self._dynamodb.put_item(
                TableName=self.table,
                Item={
                    "name": {"S": group},
                    "version": {"N": str(version + 1)},
                    "beats": {"M": {name: {"N": str(count)} for name, count in beats.items()}},
                    "owners": {"M": {stream: {"S": name} for stream, name in owners.items()}},
                },
                ConditionExpression="attribute_not_exists(version) OR version = :version",
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True


class Share:
    """One consumer's share of a group's streams. For one thread."""

    def __init__(
        self,
        positions: Positions,
        group: str,
        consumer: str,
        life_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._positions = positions
        self._group = group
        self._consumer = consumer
        self._life = life_seconds
        self._monotonic = monotonic
        self._heard: dict[str, tuple[int, float]] = {}
        self._again_at = float("-inf")
        self.mine: frozenset[str] = frozenset()

    def divide(self, streams: Sequence[str]) -> frozenset[str]:
        """Says that this consumer lives, and which streams are its own from now. Asks a few times
        in its life. Raises Retryable when the others leave no room for it."""
        if self._monotonic() < self._again_at:
            return self.mine
        for _ in range(_TRIES):
            version, beats, owners = self._positions.read_group(self._group)
            beats = {name: beats[name] for name in self._living(beats)}
            beats[self._consumer] = beats.get(self._consumer, 0) + 1
            owners = divided(sorted(streams), beats, owners, self._consumer)
            if self._positions.write_group(self._group, version, beats, owners):
                break
        else:
            raise Retryable(f"group {self._group} is being divided")
        self._again_at = self._monotonic() + self._life / _BEATS_A_LIFE
        self.mine = frozenset(name for name, owner in owners.items() if owner == self._consumer)
        return self.mine

    def _living(self, beats: Mapping[str, int]) -> list[str]:
        """Whose counter moved within a life, as far as this consumer has seen."""
        now = self._monotonic()
        for name, count in beats.items():
            if self._heard.get(name, (0, 0.0))[0] != count:
                self._heard[name] = (count, now)
        return [name for name in beats if now - self._heard[name][1] <= self._life]


def divided(
    streams: Sequence[str], members: Mapping[str, object], owners: Mapping[str, str], me: str
) -> dict[str, str]:
    """The owners after `me` took what falls to it and is free, and let go of what falls to another.

    Streams go round the members in the order of their names; what is a living member's stays its
    own until it lets go.
    """
    order = sorted(members)
    after: dict[str, str] = {}
    for number, stream in enumerate(streams):
        due, owner = order[number % len(order)], owners.get(stream)
        if owner is None or owner not in members:
            if due == me:
                after[stream] = me
        elif owner != me or due == me:
            after[stream] = owner
    return after


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _texts(attribute: Mapping[str, Any] | None) -> dict[str, str]:
    return {} if attribute is None else {name: one["S"] for name, one in attribute["M"].items()}
