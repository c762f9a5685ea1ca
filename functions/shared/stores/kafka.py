"""Kafka as the durable streams: stream NAME.N is partition N of the topic PREFIX.NAME.

Invariant: when `append` returns, every broker in sync has the records, a partition's in the order
given. An append that fails leaves of each partition no more than a beginning: what had not gone out
is taken back, and the producer is given up, so nothing of it can follow what is appended next.

Here are the address, the topics and appending; kafka_reader has groups and reading.
"""

import atexit
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import unquote, urlsplit

try:
    from confluent_kafka import KafkaError, KafkaException, Message, Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewPartitions, NewTopic
except ModuleNotFoundError as missing:  # an address that this installation can't serve
    raise ValueError("kafka:// needs confluent-kafka: `make setup KAFKA=yes`") from missing

from functions.shared.domain.errors import Retryable
from functions.shared.stores.kafka_reader import (
    Config,
    Place,
    Reader,
    ReaderGone,
    is_the_end,
    look,
)
from functions.shared.stores.stream_records import (
    LIMITS,
    Delivered,
    Lag,
    Limits,
    Record,
    check_sizes,
)

T = TypeVar("T")

_POLL_SECONDS = 0.1
_READY_PAUSE_SECONDS = 0.05


class Topics:
    """Where a stream is, made when it is missing. Safe from any thread.

    A new topic is replicated as the brokers' own default says. Never hashed: a partition is
    named by its stream, so that a topic may grow.
    """

    def __init__(self, config: Config, prefix: str, seconds: float) -> None:
        self._admin = AdminClient(config)
        self._prefix = prefix
        self._seconds = seconds
        self._known: dict[str, int] = {}

    def place(self, stream: str) -> Place:
        return place_of(self._prefix, stream)

    def ensure(self, streams: Sequence[str]) -> list[Place]:
        """Their places, which are there when this returns. Raises Retryable."""
        places = [self.place(stream) for stream in streams]
        needed: dict[str, int] = {}
        for topic, partition in places:
            needed[topic] = max(needed.get(topic, 0), partition + 1)
        for topic, count in needed.items():
            if self._known.get(topic, 0) < count:
                try:
                    self._known[topic] = self._make(topic, count)
                except KafkaException as error:
                    raise Retryable(f"topic {topic}: {error}") from error
        return places

    def forget(self) -> None:
        """The brokers said that one is not there."""
        self._known.clear()

    def _make(self, topic: str, count: int) -> int:
        """How many partitions it has then. Raises KafkaException, Retryable."""
        until = time.monotonic() + self._seconds
        asked = False
        while True:
            found = self._count(topic)
            if found >= count:
                return found
            if time.monotonic() > until:
                raise Retryable(f"topic {topic} has {found} of {count} partitions")
            if asked:  # the brokers tell each other of it
                time.sleep(_READY_PAUSE_SECONDS)
                continue
            asked = True
            futures = (
                self._admin.create_partitions([NewPartitions(topic, count)])
                if found
                else self._admin.create_topics([NewTopic(topic, count)])
            )
            try:
                futures[topic].result(self._seconds)
            except KafkaException as error:
                # Another process was first, and perhaps made more of them.
                if error.args[0].code() not in _MADE_ALREADY:
                    raise
            except TimeoutError:
                raise Retryable(f"topic {topic}: no answer in {self._seconds:g} s") from None

    def _count(self, topic: str) -> int:
        """Its partitions that have a leader."""
        told = self._admin.list_topics(timeout=self._seconds).topics.get(topic)
        if told is None or told.error is not None:
            return 0
        return sum(one.leader >= 0 for one in told.partitions.values())


def place_of(prefix: str, stream: str) -> Place:
    """`executions.3` is partition 3 of PREFIX.executions; one without a number has a topic."""
    family, _, number = stream.rpartition(".")
    if family and number.isdecimal():
        return Place(f"{prefix}.{family}", int(number))
    return Place(f"{prefix}.{stream}", 0)


_MADE_ALREADY = (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_PARTITIONS)


class KafkaStreams:
    """Apache Kafka 2.4 or later, or what speaks its protocol. Appending is safe from any thread,
    one at a time; reading belongs to one thread."""

    def __init__(
        self,
        config: Config,
        prefix: str,
        limits: Limits = LIMITS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = {**config, **_patience(limits)}
        self._prefix = prefix
        self._limits = limits
        self._monotonic = monotonic
        self._topics = Topics(self._config, prefix, limits.append_seconds)
        self._appending = threading.Lock()
        self._producer: Producer | None = None
        self._told: set[Place] = set()
        self._readers: dict[str, Reader] = {}
        atexit.register(self.close)  # a reader is never left to the garbage collector

    def append(self, stream: str, records: Sequence[Record]) -> None:
        if not records:
            return
        check_sizes(stream, records)
        (place,) = self._topics.ensure([stream])
        with self._appending:
            producer = self._producer = self._producer or Producer(_producing(self._config))
            try:
                if place not in self._told:  # it may be newer than what the producer knows
                    producer.list_topics(place.topic, self._limits.append_seconds)
                    self._told.add(place)
                self._produce(producer, place, records)
            except (KafkaException, BufferError) as error:
                producer.purge()
                self._producer = None
                self._told.clear()
                self._topics.forget()
                raise Retryable(f"append to {stream}: {error}") from error

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        for stream, records in batches.items():
            self.append(stream, records)

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        reader = self._readers.get(group)
        if reader is None:
            reader = self._open(group, consumer)
        return self._with(group, reader, lambda: reader.divide(streams))

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        if not streams:
            return []
        reader = self._readers.get(group)
        if reader is None:
            reader = self._open(group, None)
        return self._with(group, reader, lambda: reader.read(streams, count, block_ms))

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        reader = self._readers.get(group)
        if reader is None:
            raise Retryable(f"{stream} has to be read anew")
        self._with(group, reader, lambda: reader.acknowledge(stream, int(ids[-1])))

    def lag(self, stream: str, group: str) -> Lag:
        reader = self._readers.get(group)
        if reader is None:
            return Lag()
        return self._with(group, reader, lambda: Lag(records=reader.lag(stream)))

    def look(self, stream: str) -> Iterator[Delivered]:
        (place,) = self._topics.ensure([stream])
        try:
            yield from look(self._config, f"{self._prefix}.look", place, self._limits)
        except KafkaException as error:
            raise Retryable(f"look at {stream}: {error}") from error

    def close(self) -> None:
        """Leaves the groups; their streams need not wait to be another's."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        atexit.unregister(self.close)

    def _open(self, group: str, member: str | None) -> Reader:
        reader = Reader(
            self._config, f"{self._prefix}.{group}", member, self._topics, self._limits,
            self._monotonic,
        )  # fmt: skip
        self._readers[group] = reader
        return reader

    def _with(self, group: str, reader: Reader, ask: Callable[[], T]) -> T:
        """Raises Retryable. A reader that can't go on is opened anew by the next call."""
        try:
            return ask()
        except ReaderGone as error:
            self._give_up(group, reader)
            raise Retryable(f"group {group}: {error}") from error
        except KafkaException as error:
            if is_the_end(error):
                self._give_up(group, reader)
            raise Retryable(f"group {group}: {error}") from error

    def _give_up(self, group: str, reader: Reader) -> None:
        self._readers.pop(group, None)
        self._topics.forget()
        reader.close()

    def _produce(self, producer: Producer, place: Place, records: Sequence[Record]) -> None:
        """Raises KafkaException unless every record is confirmed in time."""
        answers: list[KafkaError | None] = []

        def told(error: KafkaError | None, _message: Message) -> None:
            answers.append(error)

        for record in records:
            producer.produce(
                place.topic,
                record.data,
                record.key.encode(),
                partition=place.partition,
                on_delivery=told,
            )
        until = self._monotonic() + self._limits.append_seconds
        while len(answers) < len(records) and not any(answers):
            if self._monotonic() > until:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            producer.poll(_POLL_SECONDS)
        for error in answers:
            if error is not None:
                raise KafkaException(error)


def open_kafka(url: str, limits: Limits = LIMITS) -> KafkaStreams:
    """`kafka://HOST:PORT,.../PREFIX`; `kafkas://USER:PASSWORD@HOST:PORT,.../PREFIX` over TLS, where
    a user is known by SCRAM-SHA-512. Raises ValueError for another address."""
    config, prefix = address_of(url)
    return KafkaStreams(config, prefix, limits)


def address_of(url: str) -> tuple[Config, str]:
    """What the library is told of an address, and what topics and groups begin with."""
    parts = urlsplit(url)
    servers, prefix = parts.netloc.rpartition("@")[2], parts.path.strip("/")
    if not servers or not prefix:
        raise ValueError("OUTCRY_STREAMS_URL of Kafka is kafka://HOST:PORT,.../PREFIX")
    config: Config = {"bootstrap.servers": servers}
    if parts.scheme == "kafkas":
        config["security.protocol"] = "SSL"
    if parts.scheme == "kafkas" and parts.username:
        config |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": unquote(parts.username),
            "sasl.password": unquote(parts.password or ""),
        }
    return config, prefix


def _patience(limits: Limits) -> Config:
    milliseconds = int(limits.append_seconds * 1000)
    return {
        "socket.timeout.ms": milliseconds,
        "socket.connection.setup.timeout.ms": max(milliseconds, 1000),  # the library's least
        "reconnect.backoff.max.ms": 1000,
        "log_level": 0,  # what fails is raised, and told by who asked
    }


def _producing(config: Config) -> Config:
    """Idempotent, so that a request sent twice by the library is written once and in order; no
    time-out of a message's own, which would let its successor pass it."""
    return {
        **config,
        "acks": "all",
        "enable.idempotence": True,
        "message.timeout.ms": 0,
        "linger.ms": 0,
    }
