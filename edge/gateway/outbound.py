"""Everything that goes to the venue: commands, and questions about orders nobody answered.

Invariant: a command that may have been sent before goes out with PossResend and the same ClOrdID,
so the venue can't take it for a second order. Nothing is sent on a session that is logged off.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from edge.gateway.metrics import GatewayMetrics
from edge.gateway.round_trips import RoundTrips
from edge.gateway.translate import Fields, command_fields, command_tag, status_fields
from functions.shared.wire.commands import OrderCommand, session_of_symbol

#: ClOrdIDs remembered as sent by this process; an older one is caught by the venue.
SENT_MOST = 100_000


class Engine(Protocol):
    """The FIX sessions (session.FixSessions)."""

    @property
    def names(self) -> Sequence[str]: ...
    def send(self, session: int, fields: Fields) -> bool: ...


class Outbound:
    """Safe from any thread."""

    def __init__(
        self,
        engine: Engine,
        round_trips: RoundTrips,
        metrics: GatewayMetrics,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._round_trips = round_trips
        self._metrics = metrics
        self._now = now
        self._lock = threading.Lock()
        self._sent: dict[str, None] = {}

    def send_command(self, command: OrderCommand, *, possibly_sent: bool = False) -> bool:
        """False when the symbol's session is logged off; then nothing was sent."""
        tag = command_tag(command)
        with self._lock:
            again = possibly_sent or tag in self._sent
        session = session_of_symbol(command.symbol, len(self._engine.names))
        if not again:
            self._round_trips.command_leaves(session, tag)
        if not self._engine.send(session, command_fields(command, self._now(), again)):
            if not again:
                self._round_trips.command_stays(tag)
            return False
        self._remember(tag)
        counter = self._metrics.resent if again else self._metrics.commands
        counter.labels(self._engine.names[session]).inc()
        return True

    def ask_status(self, command: OrderCommand) -> bool:
        """Asks whether the venue knows the command's ClOrdID. False when logged off."""
        session = session_of_symbol(command.symbol, len(self._engine.names))
        return self.ask(session, status_fields(command))

    def ask(self, session: int, fields: Fields) -> bool:
        """Sends a question: a status request, or one for all orders. False when logged off."""
        if not self._engine.send(session, fields):
            return False
        self._metrics.status_requests.labels(self._engine.names[session]).inc()
        return True

    def _remember(self, tag: str) -> None:
        with self._lock:
            self._sent[tag] = None
            if len(self._sent) > SENT_MOST:
                del self._sent[next(iter(self._sent))]
