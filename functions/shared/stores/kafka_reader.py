"""One group's reading of Kafka: which partitions are ours, from where on, and how far it is done.

Invariant: an offset is committed only for what was acknowledged, by the member that Kafka counts as
the partition's owner; after a rebalance or a crash the next owner begins at that offset. What this
reader fetched and did not hand out is dropped with the partition. Nothing here waits longer than
the limits say, though the library commits and closes without an end while brokers are away. Whoever
opens a reader closes it: of a consumer that was not, the garbage collector waits for the library's
threads, for ever once it was fenced, in whichever thread it runs.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from functions.shared.domain.errors import Retryable
from functions.shared.stores.stream_records import Ahead, Delivered, Limits

if TYPE_CHECKING:
    from functions.shared.stores.kafka import Topics

#: After so much silence the brokers are asked whether they are there at all.
_SILENCE_SECONDS = 2.0
_HEARTBEATS_A_SESSION = 4
#: What the library lets a fetch be at least: the largest message it knows of.
_FETCH_LEAST_BYTES = 1024 * 1024
_COORDINATOR_SOON = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
_COORDINATOR_PAUSE_SECONDS = 0.05
_LOOK_RECORDS = 1_000
_LOOK_SECONDS = 0.2


#: After these a consumer never reads again. `poll` tells of them as a plain _FATAL, which has no
#: flag of being fatal, once, and from then on nothing. A named consumer is fenced by a commit that
#: waited for the brokers until they had given its name anew.
_ENDING = (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)

T = TypeVar("T")

#: What librdkafka is told, by the names of its own CONFIGURATION.md.
Config = dict[str, str | int | float | bool]


class Place(NamedTuple):
    """A stream's topic and partition."""

    topic: str
    partition: int


class ReaderGone(Exception):
    """This reader can't go on; a new one begins at what was committed."""


@dataclass
class _Held:
    """A partition that is ours. Offsets: the first not acknowledged, and the first that no earlier
    reader can have been given."""

    acknowledged: int
    unseen: int
    fetched: int
    reading: bool = False


class Reader:
    """A consumer of one group. With a `member` name it shares the group's partitions by Kafka's own
    protocol; without, it reads those it is told to. For one thread. Raises KafkaException,
    ReaderGone and Retryable."""

    def __init__(
        self,
        config: Config,
        group: str,
        member: str | None,
        topics: "Topics",
        limits: Limits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = Consumer(_consuming(config, group, member, limits))
        self._topics = topics
        self._seconds = limits.append_seconds
        self._monotonic = monotonic
        self._shares = member is not None
        self._subscribed: frozenset[str] = frozenset()
        self._held: dict[Place, _Held] = {}
        self._streams: dict[Place, str] = {}
        self._ahead = Ahead(limits.batch_bytes)
        self._ask_at = 0.0
        self._broken = ""
        self._committing: Future[list[TopicPartition]] | None = None

    def divide(self, streams: Sequence[str]) -> frozenset[str]:
        places = self._name(streams)
        wanted = frozenset(place.topic for place in places)
        if wanted != self._subscribed:
            self._consumer.subscribe(
                sorted(wanted), on_assign=self._gain, on_revoke=self._lose, on_lost=self._lose
            )
            self._subscribed = wanted
        self._keep(self._consumer.poll(0))
        self._look_round()
        return frozenset(self._streams[place] for place in places if place in self._held)

    def read(
        self, streams: Sequence[str], count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        places = self._name(streams)
        if not self._shares:
            self._take_up(places)
        self._turn_to({place for place in places if place in self._held})
        waiting = self._ahead.take(streams, count)
        if waiting:
            return waiting
        first = self._consumer.poll(block_ms / 1000)
        if first is not None:
            self._keep(first)
            for message in self._consumer.consume(count, 0):
                self._keep(message)
        self._look_round()
        return self._ahead.take(streams, count)

    def acknowledge(self, stream: str, last: int) -> None:
        place = self._topics.place(stream)
        held = self._held.get(place)
        if held is None:
            raise Retryable(f"{stream} is another consumer's by now")
        offsets = [TopicPartition(*place, last + 1)]
        commit = _asked(lambda: self._consumer.commit(offsets=offsets, asynchronous=False))
        try:
            committed = commit.result(self._seconds)
        except TimeoutError:
            self._committing = commit
            raise ReaderGone(f"{stream}: no answer to a commit in {self._seconds:g} s") from None
        for told in committed:
            if told.error is not None:
                raise KafkaException(told.error)
        held.acknowledged = last + 1

    def lag(self, stream: str) -> int | None:
        """Records up to the newest that the last fetch told of; None for one that isn't ours."""
        place = self._topics.place(stream)
        held = self._held.get(place)
        if held is None:
            return None
        _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        return max(high, held.unseen, held.fetched) - held.acknowledged

    def close(self) -> None:
        """Leaves the group. One whose commit is still out is let go of: it is closed once that
        ended, and whoever takes its name is the member meanwhile."""
        if self._committing is not None:
            self._committing.add_done_callback(lambda _: _asked(self._consumer.close))
            return
        _close(self._consumer, self._seconds)

    def _name(self, streams: Sequence[str]) -> list[Place]:
        if all(self._topics.place(stream) in self._streams for stream in streams):
            return [self._topics.place(stream) for stream in streams]
        places = self._topics.ensure(streams)
        self._streams |= dict(zip(places, streams, strict=True))
        return places

    # -- Which partitions

    def _take_up(self, places: Sequence[Place]) -> None:
        """Those that are new, beside those that are ours."""
        new = [place for place in places if place not in self._held]
        if not new:
            return
        self._held |= self._found(new)
        self._consumer.assign(
            [TopicPartition(*place, held.fetched) for place, held in self._held.items()]
        )
        self._consumer.pause([TopicPartition(*place) for place in self._held])
        for held in self._held.values():
            held.reading = False

    def _gain(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Kafka gave us these; they are read once they are asked for."""
        places = [Place(one.topic, one.partition) for one in partitions]
        try:
            found = self._found(places)
            consumer.incremental_assign(
                [TopicPartition(*place, held.fetched) for place, held in found.items()]
            )
            consumer.pause([TopicPartition(*place) for place in found])
        except KafkaException as error:
            self._broken = str(error)
            return
        self._held |= found

    def _lose(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            place = Place(one.topic, one.partition)
            self._held.pop(place, None)
            self._ahead.drop(self._streams.get(place, ""))

    def _found(self, places: Sequence[Place]) -> dict[Place, _Held]:
        """Where the group is on each."""
        asked = [TopicPartition(*place) for place in places]
        held: dict[Place, _Held] = {}
        for one in self._committed(asked):
            if one.error is not None:
                raise KafkaException(one.error)
            place = Place(one.topic, one.partition)
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=self._seconds
            )
            start = one.offset if low <= one.offset <= high else low
            held[place] = _Held(start, high, start)
        return held

    def _committed(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        """A group's first question makes its coordinator, who needs a moment."""
        until = self._monotonic() + self._seconds
        while True:
            try:
                return self._consumer.committed(asked, timeout=self._seconds)
            except KafkaException as error:
                if error.args[0].code() not in _COORDINATOR_SOON or self._monotonic() > until:
                    raise
                time.sleep(_COORDINATOR_PAUSE_SECONDS)

    def _turn_to(self, wanted: set[Place]) -> None:
        on = [p for p, held in self._held.items() if p in wanted and not held.reading]
        off = [p for p, held in self._held.items() if p not in wanted and held.reading]
        if on:
            self._consumer.resume([TopicPartition(*place) for place in on])
        if off:
            self._consumer.pause([TopicPartition(*place) for place in off])
        for place in (*on, *off):
            self._held[place].reading = place in wanted

    # -- What comes

    def _keep(self, message: Message | None) -> None:
        if message is None:
            return
        error = message.error()
        if error is not None:
            if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise ReaderGone(str(error))
            raise KafkaException(error)
        place = Place(message.topic() or "", message.partition() or 0)
        held, offset = self._held.get(place), message.offset() or 0
        if held is None:
            return
        held.fetched = offset + 1
        self._ask_at = self._monotonic() + _SILENCE_SECONDS
        self._ahead.add(self._streams[place], [_delivered(message, offset < held.unseen)])

    def _look_round(self) -> None:
        """The library waits in silence for brokers that are away, and for topics that are gone."""
        if self._broken:
            raise ReaderGone(self._broken)
        if self._monotonic() < self._ask_at:
            return
        told = self._consumer.list_topics(timeout=self._seconds)
        for topic in {place.topic for place in self._held}:
            if topic not in told.topics:
                raise ReaderGone(f"topic {topic} is gone")
        self._ask_at = self._monotonic() + _SILENCE_SECONDS


def is_the_end(error: KafkaException) -> bool:
    """Whether it ends the consumer that raised it."""
    told: KafkaError = error.args[0]
    return told.fatal() or told.code() in _ENDING


def _asked(ask: Callable[[], T]) -> "Future[T]":
    """The answer to come of a call that the library gives no limit. Who doesn't wait for it leaves
    its thread to end with it, and what it uses with the thread."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - it is the asking thread's to judge
            answer.set_exception(error)

    threading.Thread(target=run, name="kafka", daemon=True).start()
    return answer


def _close(consumer: Consumer, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        _asked(consumer.close).result(seconds)


def look(config: Config, group: str, place: Place, limits: Limits) -> Iterator[Delivered]:
    """All that a partition keeps now. Raises KafkaException and Retryable."""
    consumer = Consumer(_consuming(config, group, None, limits))
    try:
        low, high = consumer.get_watermark_offsets(
            TopicPartition(*place), timeout=limits.append_seconds
        )
        consumer.assign([TopicPartition(*place, low)])
        while low < high:
            messages = consumer.consume(_LOOK_RECORDS, _LOOK_SECONDS)
            for message in messages:
                error = message.error()
                if error is not None:
                    raise KafkaException(error)
                low = (message.offset() or 0) + 1
                yield _delivered(message, False)
            if not messages:
                consumer.list_topics(timeout=limits.append_seconds)
    finally:
        _close(consumer, limits.append_seconds)


def _delivered(message: Message, redelivered: bool) -> Delivered:
    return Delivered(
        str(message.offset()),
        (message.key() or b"").decode(),
        message.value() or b"",
        redelivered,
        message.timestamp()[1],
    )


def _consuming(config: Config, group: str, member: str | None, limits: Limits) -> Config:
    """Committed by hand. A named member comes back as itself (KIP-345), and a rebalance takes from
    the others only what moves (KIP-429)."""
    session_ms = int(limits.takeover_seconds * 1000)
    sharing = {} if member is None else {"group.instance.id": member}
    return {
        **config,
        **sharing,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session_ms,
        "heartbeat.interval.ms": session_ms // _HEARTBEATS_A_SESSION,
        "fetch.max.bytes": max(limits.batch_bytes, _FETCH_LEAST_BYTES),
        "queued.max.messages.kbytes": max(limits.batch_bytes, _FETCH_LEAST_BYTES) // 1024,
        "fetch.error.backoff.ms": 100,
    }
