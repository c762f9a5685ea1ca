"""`python -m infra.local.consumer`: what Kinesis event source mappings do on AWS.

It reads the streams that template.yaml gives to functions, or those that `OUTCRY_CONSUMES` names,
and calls each one's handler with batches of Kinesis's shape, one invocation at a time. Several
processes share the streams, by an `OUTCRY_INSTANCE` of its own each; those that consume other
streams are another `OUTCRY_GROUP`. Invariant: a record is acknowledged after its invocation took
it; from the first record a handler reports as failed, a partition is handed over again, in order,
until it is taken. Other partitions go on meanwhile; one that is another process's now is left to
it.
"""

import base64
import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from prometheus_client import REGISTRY

from edge.runtime.health import serve_health
from edge.runtime.lease import holder_of
from edge.runtime.log import configure_logging, logger
from edge.runtime.stream_lag import StreamLag
from edge.runtime.threads import Threads
from functions.shared.domain.errors import Retryable
from functions.shared.settings import StreamSettings
from functions.shared.stores.streams import Delivered, Streams, streams_of
from infra.local.gateway.template import (
    Function,
    StreamSource,
    Template,
    TemplateError,
    read_template,
)
from infra.local.gateway.worker import Context, Handler, Invocation, load_handler

_BLOCK_MS = 1000
_PAUSE_LEAST, _PAUSE_MOST = 0.05, 2.0
#: Between two looks of a process that has no stream: another has them all, or they are divided now.
_IDLE_SECONDS = 0.1
_ARN = "arn:aws:kinesis:local:000000000000:stream/"


class ConsumerSettings(StreamSettings, frozen=True, kw_only=True):
    """What the consumer itself reads; the handler reads what it needs from its stores."""

    health: str
    instance: str | None = None
    execution_partitions: int = 4
    group: str = "ledger"
    consumes: tuple[str, ...] | None = None


@dataclass
class _Backlog:
    """Records of one partition that were not taken yet, oldest first."""

    records: Sequence[Delivered]
    retry_at: float
    pause: float = _PAUSE_LEAST


class _Mapping(NamedTuple):
    """Whose records a stream's are."""

    function: Function
    handler: Handler


class Consumer:
    """The sources of the functions: every partition of their streams."""

    def __init__(
        self,
        handlers: Mapping[StreamSource, Handler],
        partitions: int,
        streams: Streams,
        lag: StreamLag,
        name: str = "ledger",
        group: str = "ledger",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name`: who this process is among those that share the streams, the `group`."""
        self._streams = streams
        self._lag = lag
        self._name = name
        self._group = group
        self._clock = clock
        self._batch_size = min(source.batch_size for source in handlers)
        # On AWS one stream has shards; here each partition is a stream: executions.0, .1, ...
        # One without a number is a stream by itself: ledger-events.
        self._mappings: dict[str, _Mapping] = {}
        for source, handler in handlers.items():
            family, numbered, _ = source.stream.rpartition(".")
            names = [f"{family}.{number}" for number in range(partitions)]
            for name in names if numbered else [source.stream]:
                self._mappings[name] = _Mapping(source.function, handler)
        self._backlogs: dict[str, _Backlog] = {}
        self._connected = False

    def state(self) -> tuple[bool, str]:
        """Ready while every partition of its own moves."""
        if not self._connected:
            return False, "the streams do not answer"
        stuck = sorted(self._backlogs)
        return not stuck, f"not taken yet: {', '.join(stuck)}" if stuck else ""

    def step(self, block_ms: int = _BLOCK_MS) -> None:
        """Retries what is due, then waits for new records. Raises Retryable."""
        mine = self._streams.divide(list(self._mappings), self._group, self._name)
        self._connected = True
        for name in self._backlogs.keys() - mine:
            del self._backlogs[name]
        self._lag.look(mine)
        for name, backlog in list(self._backlogs.items()):
            if backlog.retry_at <= self._clock():
                self._deliver(name, backlog.records)
        moving = [n for n in self._mappings if n in mine and n not in self._backlogs]
        if self._backlogs:
            due = min(backlog.retry_at for backlog in self._backlogs.values())
            block_ms = max(1, min(block_ms, int((due - self._clock()) * 1000)))
        if not moving:
            time.sleep(min(block_ms / 1000, _IDLE_SECONDS))
            return
        batches = self._streams.read(moving, self._group, self._name, self._batch_size, block_ms)
        for number, (name, records) in enumerate(batches):
            try:
                self._deliver(name, records)
            except Retryable:
                # What was read and not delivered is ours to keep: a second read won't bring it.
                for rest, waiting in batches[number:]:
                    self._backlogs.setdefault(rest, _Backlog(waiting, self._clock()))
                raise

    def disconnected(self) -> None:
        self._connected = False

    def _deliver(self, name: str, records: Sequence[Delivered]) -> None:
        """One invocation; acknowledges what it took. Raises Retryable when that can't be said."""
        taken = self._invoke(name, records)
        if taken:
            self._streams.acknowledge(name, self._group, [record.id for record in records[:taken]])
        left = records[taken:]
        known = self._backlogs.pop(name, None)
        if left:
            grown = min(known.pause * 2, _PAUSE_MOST) if known and not taken else _PAUSE_LEAST
            self._backlogs[name] = _Backlog(left, self._clock() + grown, grown)

    def _invoke(self, name: str, records: Sequence[Delivered]) -> int:
        """How many records, from the first on, the handler took."""
        function, handler = self._mappings[name]
        try:
            answer = handler(kinesis_event(name, records), _context(function, records[0].id))
        except Exception:  # noqa: BLE001 - an event source mapping retries whatever a handler raises
            logger(__name__).exception("the handler failed", stream=name, records=len(records))
            return 0
        failed = {item["itemIdentifier"] for item in (answer or {}).get("batchItemFailures", [])}
        for number, record in enumerate(records):
            if record.id in failed:
                return number
        return len(records)


def kinesis_event(stream: str, records: Sequence[Delivered]) -> dict[str, Any]:
    """Lambda developer guide, "Using AWS Lambda with Kinesis": the batch event."""
    arn = _ARN + stream
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record.key,
                    "sequenceNumber": record.id,
                    "data": base64.b64encode(record.data).decode(),
                    "approximateArrivalTimestamp": record.at_ms / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{record.id}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
                "awsRegion": "local",
                "eventSourceARN": arn,
            }
            for record in records
        ]
    }


def _context(function: Function, request_id: str) -> Context:
    return Context(
        Invocation(function.logical_id, function.handler, request_id, function.timeout_seconds, b"")
    )


def sources_of(template: Template, consumes: Sequence[str] | None) -> list[StreamSource]:
    """The template's streams, or those of them that are named. Raises TemplateError when it has
    none, or none of a name."""
    sources = list(template.streams)
    if consumes is not None:
        if unknown := set(consumes) - {source.stream for source in sources}:
            raise TemplateError(f"no function reads the stream {min(unknown)}")
        sources = [source for source in sources if source.stream in consumes]
    if not sources:
        raise TemplateError("the template has no stream source")
    return sources


def main() -> int:
    settings = ConsumerSettings.from_environment()
    configure_logging(settings.group, settings.log_level)
    sources = sources_of(read_template(), settings.consumes)
    handlers = {source: load_handler(source.function.handler) for source in sources}
    streams = streams_of(settings)
    consumer = Consumer(
        handlers,
        settings.execution_partitions,
        streams,
        StreamLag(streams, settings.group, REGISTRY),
        holder_of(settings.instance),
        settings.group,
    )
    threads = Threads()
    threads.stop_on_signals()
    health = serve_health(settings.health, settings.group, consumer.state)

    def consume() -> None:
        while not threads.stop.is_set():
            try:
                consumer.step()
            except Retryable as error:
                consumer.disconnected()
                logger(__name__).warning("the streams do not answer", detail=str(error))
                threads.stop.wait(_PAUSE_LEAST)

    gc.freeze()  # what start-up made lives on: no collection needs to look at it
    threads.start("consume", consume)
    code = threads.wait()
    health.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
