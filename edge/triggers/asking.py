"""Hands commands to the stream, from the loop that makes them to a thread that may wait.

Invariant: a command in the stream is there durably. One that finds the queue full, or that the
process loses when it dies, is asked again by the book or by the next process's book.
"""

import contextlib
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from edge.triggers.metrics import TriggerMetrics
from functions.shared.clock import micros, wall_now
from functions.shared.domain.errors import Retryable
from functions.shared.domain.ids import partition_of_user
from functions.shared.stores.streams import Record, Streams
from functions.shared.wire.trigger_commands import (
    EdgeCommand,
    commands_stream,
    encode_trigger_command,
)

QUEUE_MOST: Final = 100_000
BATCH_MOST: Final = 500
_LOOK_SECONDS: Final = 0.25


class Asking:
    """The queue and the thread behind it."""

    def __init__(
        self,
        streams: Streams,
        partitions: int,
        metrics: TriggerMetrics,
        held: Callable[[], bool],
        wall_us: Callable[[], int] = lambda: micros(wall_now()),
    ) -> None:
        self._streams = streams
        self._partitions = partitions
        self._metrics = metrics
        self._held = held
        self._wall_us = wall_us
        self._queue: queue.Queue[EdgeCommand] = queue.Queue(QUEUE_MOST)
        self._trouble = ""

    def state(self) -> tuple[bool, str]:
        return not self._trouble, self._trouble

    def put(self, commands: Sequence[EdgeCommand]) -> None:
        """From any thread; never waits."""
        for command in commands:
            try:
                self._queue.put_nowait(command)
            except queue.Full:
                self._metrics.dropped.inc()

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. A batch that the stream didn't take is tried again, with back-off; nothing
        is asked while another process may be watching."""
        backoff = Backoff()
        batch: list[EdgeCommand] = []
        while not stop.is_set():
            batch = batch or self._next()
            if not batch:
                continue
            try:
                if not self._held():
                    raise Retryable("the watch is not surely ours now")
                self._append(batch)
            except Retryable as error:
                if not self._trouble:
                    logger(__name__).error("commands not handed on", detail=str(error))
                self._trouble = str(error)
                if backoff.wait(stop):
                    return
                continue
            self._trouble, batch = "", []
            backoff.reset()

    def _next(self) -> list[EdgeCommand]:
        """What is queued, up to BATCH_MOST; waits for the first."""
        batch: list[EdgeCommand] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._queue.get(timeout=_LOOK_SECONDS))
            while len(batch) < BATCH_MOST:
                batch.append(self._queue.get_nowait())
        return batch

    def _append(self, batch: Sequence[EdgeCommand]) -> None:
        by_stream: defaultdict[str, list[Record]] = defaultdict(list)
        for command in batch:
            stream = commands_stream(partition_of_user(command.user_id, self._partitions))
            by_stream[stream].append(Record(str(command.user_id), encode_trigger_command(command)))
        self._streams.append_each(by_stream)
        now = self._wall_us()
        for command in batch:
            self._metrics.asked(command, (now - command.seen_at) / 1_000_000)
