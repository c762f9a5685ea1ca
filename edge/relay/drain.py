"""Drains one shard's outbox: commands to the order streams, events to the stream and the user.

Invariant: a row is deleted only after every stream that needs it holds it durably, so nothing is
lost and anything may arrive twice (ClOrdID and (user, seq) absorb that); only the holder of the
shard's lease takes rows out. The users' channels are
hints: when their Valkey is away they are skipped and counted, and orders flow on.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from edge.relay.metrics import RelayMetrics
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.clock import micros
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.stores.outbox import OutboxRow
from functions.shared.stores.streams import Record, Streams
from functions.shared.wire.commands import orders_stream, session_of_symbol
from functions.shared.wire.events import LEDGER_EVENTS_STREAM, encode_stored_event, user_channel

#: Rows handed on at a time; with less than that many the outbox is empty for now.
BATCH_MOST = 500
POLL_SECONDS = 0.05
#: After a failed publish the channels are left alone that long, so that a hung Valkey costs little.
CHANNEL_PAUSE_SECONDS = 1.0


class Source(Protocol):
    """The outbox of one shard (stores.outbox.Outbox)."""

    def read(self, most: int) -> list[OutboxRow]: ...
    def delete(self, ids: Sequence[int]) -> None: ...


class Push(Protocol):
    """The users' channels (stores.channels.Channels)."""

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None: ...


class Drain:
    """One shard's relay; `wake` is set by hints that the outbox has rows."""

    def __init__(
        self,
        shard: int,
        source: Source,
        streams: Streams,
        channels: Push,
        order_sessions: int,
        metrics: RelayMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wake = threading.Event()
        self._shard = str(shard)
        self._source = source
        self._streams = streams
        self._channels = channels
        self._order_sessions = order_sessions
        self._metrics = metrics
        self._monotonic = monotonic
        self._channels_again_at = 0.0
        self._trouble = "its outbox has not been read yet"

    def state(self) -> tuple[bool, str]:
        """Whether the last attempt succeeded, and if not, why."""
        return not self._trouble, f"shard {self._shard}: {self._trouble}"

    def run(self, stop: threading.Event) -> None:
        """Drains until `stop`. Tries again with back-off while a store is away."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                full = self.drain_once() == BATCH_MOST
            except Retryable as error:
                self._fail(error)
                if backoff.wait(stop):
                    return
                continue
            if self._trouble:
                logger(__name__).info("draining", shard=self._shard)
                self._trouble = ""
            backoff.reset()
            if not full:
                self.wake.wait(POLL_SECONDS)
                self.wake.clear()

    def drain_once(self) -> int:
        """Hands on one batch and returns its size. Raises Retryable; then the batch stays."""
        rows = self._source.read(BATCH_MOST)
        if not rows:
            self._metrics.stalled.labels(self._shard).set(0)
            return 0
        started = self._monotonic()
        commands: defaultdict[str, list[Record]] = defaultdict(list)
        events: list[Record] = []
        pushes: list[tuple[str, bytes]] = []
        for row in rows:
            if row.command is not None:
                commands[self._stream_of(row)].append(
                    Record(str(row.user_id), row.command.encode())
                )
            event = encode_stored_event(row.user_id, row.seq, row.kind, micros(row.at), row.body)
            events.append(Record(str(row.user_id), event))
            pushes.append((user_channel(row.user_id), event))
        self._streams.append_each(commands | {LEDGER_EVENTS_STREAM: events})
        self._push(pushes)
        self._source.delete([row.id for row in rows])
        self._metrics.rows.labels(self._shard).inc(len(rows))
        self._metrics.batch_seconds.labels(self._shard).observe(self._monotonic() - started)
        self._metrics.stalled.labels(self._shard).set(0)
        return len(rows)

    def _stream_of(self, row: OutboxRow) -> str:
        if row.symbol is None:
            raise InvariantViolated(f"outbox row {row.id} has a command and no symbol")
        return orders_stream(session_of_symbol(row.symbol, self._order_sessions))

    def _push(self, messages: list[tuple[str, bytes]]) -> None:
        now = self._monotonic()
        if now >= self._channels_again_at:
            try:
                self._channels.publish(messages)
                return
            except Retryable as error:
                self._channels_again_at = self._monotonic() + CHANNEL_PAUSE_SECONDS
                logger(__name__).warning("users' channels are away", detail=str(error))
        self._metrics.pushes_lost.labels(self._shard).inc(len(messages))

    def _fail(self, error: Retryable) -> None:
        if not self._trouble:
            logger(__name__).error("outbox stalled", shard=self._shard, detail=str(error))
        self._trouble = str(error)
        self._metrics.stalled.labels(self._shard).set(1)
