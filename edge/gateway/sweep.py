"""Orders and changes that the venue never answered: ask it, and send again what it doesn't know.

Invariant: a command is sent again only after the venue said it doesn't know the ClOrdID, and then
with PossResend. This covers a command lost with the streams' server, one that fell between two
connections, and one that the engine refused to replay. An order whose day is over is not sent
again: that the venue never had it is told to the ledger, which ends it.
"""

import threading
import time
from collections.abc import Callable

import msgspec

from edge.gateway.outbound import Outbound
from edge.gateway.translate import command_tag
from edge.runtime.log import logger
from functions.shared.domain.errors import Retryable
from functions.shared.stores.fix_checkpoint import Checkpoint, StaleOrder
from functions.shared.wire.commands import OrderCommand, decode_command

EVERY_SECONDS = 1.0
STALE_SECONDS = 5.0


class Sweep:
    """Asks on its own thread; hears the answers on the thread that reads reports."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        outbound: Outbound,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoint = checkpoint
        self._outbound = outbound
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[float, OrderCommand]] = {}

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_SECONDS):
            try:
                self.sweep_once()
            except Retryable as error:
                logger(__name__).warning("unanswered orders not read", detail=str(error))

    def sweep_once(self) -> int:
        """Asks about what is due of the ledger's next page and returns how many were asked.
        Raises Retryable."""
        due = self._due(self._checkpoint.stale_orders(STALE_SECONDS))
        return sum(self._outbound.ask_status(command) for command in due)

    def answer_unknown(self, tag: str) -> None:
        """The venue doesn't know this ClOrdID: the command goes out again, but no order behind its
        cancel: the answer to that is decisive."""
        with self._lock:
            asked = self._asked.pop(tag, None)
        if asked is not None:
            logger(__name__).warning("sent again", client_order_id=tag)
            self._outbound.send_command(asked[1], possibly_sent=True)

    def sends_again(self, tag: str) -> bool:
        """Whether that the venue doesn't know this ClOrdID is the sweep's to act on: it asked, and
        not about a new order of an earlier day. Any other such answer is the ledger's to judge."""
        with self._lock:
            asked = self._asked.get(tag)
        return asked is not None and not self._outbound.is_over(asked[1])

    def _due(self, stale: list[StaleOrder]) -> list[OrderCommand]:
        now = self._monotonic()
        due: list[OrderCommand] = []
        with self._lock:
            # An answer that hasn't come by then is asked for again.
            self._asked = {
                tag: (at, c) for tag, (at, c) in self._asked.items() if now - at < STALE_SECONDS
            }
            for order in stale:
                try:
                    command = decode_command(order.command)
                except msgspec.MsgspecError as error:
                    logger(__name__).error(
                        "not a command", order_id=order.order_id, detail=str(error)
                    )
                    continue
                tag = command_tag(command)
                if tag not in self._asked:
                    self._asked[tag] = (now, command)
                    due.append(command)
        return due
