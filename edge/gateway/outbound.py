"""Everything that goes to the venue: commands, and questions about orders nobody answered.

Invariant: a command that may have been sent before goes out with PossResend and the same ClOrdID,
so the venue can't take it for a second order. No order is sent behind its own cancel: the venue
refuses the cancel of an order that it never had, and then the order has ended. Nor is one sent
whose trade date is over, which the venue would take for an order of today. Nothing is sent on a
session that is logged off.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from edge.gateway.metrics import GatewayMetrics
from edge.gateway.order_check import VenueOrder
from edge.gateway.round_trips import RoundTrips
from edge.gateway.translate import (
    Fields,
    command_fields,
    command_tag,
    status_fields,
    unowned_cancel_fields,
)
from edge.runtime.log import logger
from functions.shared.clock import trade_date
from functions.shared.wire.commands import (
    CancelOrder,
    NewOrder,
    OrderCommand,
    session_of_symbol,
)

#: ClOrdIDs, and orders with a cancel, remembered as sent by this process; an older ClOrdID is
#: caught by the venue.
SENT_MOST = 100_000

_Key = TypeVar("_Key")


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
        self._cancelled: dict[int, None] = {}

    def send_command(self, command: OrderCommand, *, possibly_sent: bool = False) -> bool:
        """False when the symbol's session is logged off; then nothing was sent. Nor is an order
        whose cancel has left, or whose day is over, and that is all there is to do about it here:
        the ledger ends it on the venue's word."""
        tag = command_tag(command)
        session = session_of_symbol(command.symbol, len(self._engine.names))
        if self.is_over(command):
            logger(__name__).warning("of a day that is over: not sent", client_order_id=tag)
            return True
        with self._lock:  # its cancel may be leaving on another thread
            if isinstance(command, NewOrder) and command.order_id in self._cancelled:
                return True
            again = possibly_sent or tag in self._sent
            self._round_trips.command_leaves(session, tag, first=not again)
            if not self._engine.send(session, command_fields(command, self._now(), again)):
                self._round_trips.command_stays(session, tag, first=not again)
                return False
            _remember(self._sent, tag)
            if isinstance(command, CancelOrder):
                _remember(self._cancelled, command.order_id)
        counter = self._metrics.resent if again else self._metrics.commands
        counter.labels(self._engine.names[session]).inc()
        return True

    def is_over(self, command: OrderCommand) -> bool:
        """Whether it is a new order of an earlier day, by the business clock."""
        return isinstance(command, NewOrder) and command.trade_date < trade_date(self._now())

    def cancel_unowned(self, session: int, order: VenueOrder, number: int) -> bool:
        """Cancels an order of the venue that is no working order of ours. False when logged off."""
        fields = unowned_cancel_fields(
            order.tag, number, order.account, order.symbol, order.side, order.quantity, self._now()
        )
        if not self._engine.send(session, fields):
            return False
        self._metrics.unowned.labels(self._engine.names[session]).inc()
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


def _remember(known: dict[_Key, None], key: _Key) -> None:
    """As the latest of at most SENT_MOST."""
    known[key] = None
    if len(known) > SENT_MOST:
        del known[next(iter(known))]
