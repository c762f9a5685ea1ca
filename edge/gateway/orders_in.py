"""Commands from the order streams to the venue.

Invariant: a command is acknowledged to its stream only after the engine took it on a logged-on
session. What was read for a session that went off waits here, in order, and nothing more is read
for it; after a kill the stream delivers it again and it goes out as possibly sent.

An acknowledgement that fails is tried again after a read, since a bus may have to be read anew
before it can be told anything. What that read gives again of what was sent is not sent again.
Nothing is acknowledged while the sessions' lease is not held: the commands may be another's.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from edge.gateway.outbound import Outbound
from edge.gateway.session import FixSessions
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from edge.runtime.pace import Pace
from edge.runtime.stream_lag import StreamLag
from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Delivered, Streams
from functions.shared.wire.commands import decode_command, orders_stream

GROUP = "gateway"
CONSUMER = "gateway"
BATCH_MOST = 200
BLOCK_MS = 100
#: From one batch to the next. A trip to the streams' server takes as much of the processor as
#: sending an order does.
BATCH_EVERY_SECONDS = 0.002
#: Each acknowledgement is a disk write of the streams' server, so those of that long go together.
#: What a kill leaves without one goes out again as possibly sent, and the venue knows its ClOrdID.
ACKNOWLEDGE_SECONDS = 0.05
#: Sent and not acknowledged, of a session. The latest stands for all before it, so older ones may
#: be forgotten; should one come again, it goes out as possibly sent.
UNACKNOWLEDGED_MOST = 10_000


class OrdersIn:
    """One thread for all sessions."""

    def __init__(
        self,
        streams: Streams,
        sessions: FixSessions,
        outbound: Outbound,
        lag: StreamLag,
        held: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = streams
        self._lease_held = held
        self._monotonic = monotonic
        self._acknowledge_at = 0.0
        self._pace = Pace(BATCH_EVERY_SECONDS, monotonic)
        self._lag = lag
        self._sessions = sessions
        self._outbound = outbound
        self._held: dict[int, deque[Delivered]] = {
            number: deque() for number in range(len(sessions.names))
        }
        self._sent: dict[int, dict[str, bytes]] = {n: {} for n in range(len(sessions.names))}
        self._trouble = ""

    def state(self) -> tuple[bool, str]:
        """Whether the last attempt succeeded, and if not, why."""
        return not self._trouble, f"order streams: {self._trouble}"

    def run(self, stop: threading.Event) -> None:
        """Reads and sends until `stop`; tries again with back-off while the streams are away."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                self._turn(self._sessions.logged_on(), stop)
            except Retryable as error:
                self._trouble = str(error)
                self._acknowledge_at = 0.0
                logger(__name__).warning("order streams are away", detail=str(error))
                if backoff.wait(stop):
                    return
            else:
                self._trouble = ""
                backoff.reset()
        with contextlib.suppress(Retryable):  # they will go out again, as possibly sent
            self._acknowledge_at = 0.0
            self._acknowledge([])

    def _turn(self, on: list[int], stop: threading.Event) -> None:
        """Raises Retryable, and then too it has read if it could."""
        self._send_held(on)
        try:
            self._acknowledge(on)
        finally:
            if on:
                self._pace.wait(stop)
                self._read(on)
                self._send_held(on)
                self._lag.look(orders_stream(number) for number in on)
            else:
                self._wait_for_change()

    def _wait_for_change(self) -> None:
        self._sessions.changed.wait(BLOCK_MS / 1000)
        self._sessions.changed.clear()

    def _read(self, on: list[int]) -> None:
        wanted = {orders_stream(number): number for number in on if not self._held[number]}
        if not wanted:  # the engine takes nothing just now; soon it says that the session is off
            self._wait_for_change()
            return
        for stream, delivered in self._streams.read(
            list(wanted), GROUP, CONSUMER, BATCH_MOST, BLOCK_MS
        ):
            self._held[wanted[stream]].extend(delivered)
            self._pace.begin()

    def _send_held(self, on: list[int]) -> None:
        for number in on:
            held, sent = self._held[number], self._sent[number]
            while held and (sent.get(held[0].id) == held[0].data or self._send(held[0])):
                delivered = held.popleft()
                sent[delivered.id] = delivered.data
                if len(sent) > UNACKNOWLEDGED_MOST:
                    del sent[next(iter(sent))]

    def _acknowledge(self, on: list[int]) -> None:
        """What was sent, when it is time again. Raises Retryable, once every session was tried:
        those that are on, and so are read, are tried again."""
        if self._monotonic() < self._acknowledge_at or not self._lease_held():
            return
        trouble: Retryable | None = None
        for number, sent in self._sent.items():
            if not sent:
                continue
            try:
                self._streams.acknowledge(orders_stream(number), GROUP, list(sent))
                self._acknowledge_at = self._monotonic() + ACKNOWLEDGE_SECONDS
            except Retryable as error:
                trouble = error
                if number in on:
                    continue
            sent.clear()
        if trouble is not None:
            raise trouble

    def _send(self, delivered: Delivered) -> bool:
        try:
            command = decode_command(delivered.data)
        except msgspec.MsgspecError as error:
            # The order stays PENDING in the ledger and is seen there; nothing can be sent for it.
            logger(__name__).error("not a command", entry=delivered.id, detail=str(error))
            return True
        return self._outbound.send_command(command, possibly_sent=delivered.redelivered)
