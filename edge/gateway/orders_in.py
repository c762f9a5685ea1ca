"""Commands from the order streams to the venue.

Invariant: a command is acknowledged to its stream only after the engine took it on a logged-on
session. What was read for a session that went off waits here, in order, and nothing more is read
for it; after a kill the stream delivers it again and it goes out as possibly sent.
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


class OrdersIn:
    """One thread for all sessions."""

    def __init__(
        self,
        streams: Streams,
        sessions: FixSessions,
        outbound: Outbound,
        lag: StreamLag,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = streams
        self._monotonic = monotonic
        self._acknowledge_at = 0.0
        self._pace = Pace(BATCH_EVERY_SECONDS, monotonic)
        self._lag = lag
        self._sessions = sessions
        self._outbound = outbound
        self._held: dict[int, deque[Delivered]] = {
            number: deque() for number in range(len(sessions.names))
        }
        self._sent: dict[int, list[str]] = {number: [] for number in range(len(sessions.names))}
        self._trouble = ""

    def state(self) -> tuple[bool, str]:
        """Whether the last attempt succeeded, and if not, why."""
        return not self._trouble, f"order streams: {self._trouble}"

    def run(self, stop: threading.Event) -> None:
        """Reads and sends until `stop`; tries again with back-off while the streams are away."""
        backoff = Backoff()
        while not stop.is_set():
            on = self._sessions.logged_on()
            if not on:
                self._sessions.changed.wait(BLOCK_MS / 1000)
                self._sessions.changed.clear()
                continue
            try:
                self._send_held(on)
                self._acknowledge()
                self._pace.wait(stop)
                self._read(on)
                self._send_held(on)
                self._lag.look(orders_stream(number) for number in on)
            except Retryable as error:
                self._trouble = str(error)
                logger(__name__).warning("order streams are away", detail=str(error))
                if backoff.wait(stop):
                    return
            else:
                self._trouble = ""
                backoff.reset()
        with contextlib.suppress(Retryable):  # they will go out again, as possibly sent
            self._acknowledge_at = 0.0
            self._acknowledge()

    def _read(self, on: list[int]) -> None:
        wanted = {orders_stream(number): number for number in on if not self._held[number]}
        if not wanted:  # the engine takes nothing just now; soon it says that the session is off
            self._sessions.changed.wait(BLOCK_MS / 1000)
            self._sessions.changed.clear()
            return
        for stream, delivered in self._streams.read(
            list(wanted), GROUP, CONSUMER, BATCH_MOST, BLOCK_MS
        ):
            self._held[wanted[stream]].extend(delivered)
            self._pace.begin()

    def _send_held(self, on: list[int]) -> None:
        for number in on:
            held, sent = self._held[number], self._sent[number]
            while held and self._send(held[0]):
                sent.append(held.popleft().id)

    def _acknowledge(self) -> None:
        """What was sent, when it is time again. Raises Retryable; then it is tried again."""
        if self._monotonic() < self._acknowledge_at:
            return
        for number, sent in self._sent.items():
            if sent:
                self._streams.acknowledge(orders_stream(number), GROUP, sent)
                sent.clear()
                self._acknowledge_at = self._monotonic() + ACKNOWLEDGE_SECONDS

    def _send(self, delivered: Delivered) -> bool:
        try:
            command = decode_command(delivered.data)
        except msgspec.MsgspecError as error:
            # The order stays PENDING in the ledger and is seen there; nothing can be sent for it.
            logger(__name__).error("not a command", entry=delivered.id, detail=str(error))
            return True
        return self._outbound.send_command(command, possibly_sent=delivered.redelivered)
