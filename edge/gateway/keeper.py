"""Keeps each session's checkpoint, and starts every connection from it.

Invariant: a session is resumed only when all its earlier messages were handled and the ledger said
how far it has applied them; one whose venue began its numbers anew, from the first of a numbering.
A database that is away keeps sessions that are down, down: what they would bring could not be
applied.
"""

import threading
import time
from collections.abc import Callable, Sequence

from edge.gateway.metrics import GatewayMetrics
from edge.gateway.positions import Positions
from edge.gateway.round_trips import RoundTrips
from edge.gateway.session import FixSessions
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import Retryable
from functions.shared.stores.fix_checkpoint import Checkpoint

EVERY_SECONDS = 0.1


class Keeper:
    """One thread for all sessions; `session_down` may be called from another."""

    def __init__(
        self,
        sessions: FixSessions,
        positions: Sequence[Positions],
        checkpoint: Checkpoint,
        round_trips: RoundTrips,
        metrics: GatewayMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._positions = positions
        self._checkpoint = checkpoint
        self._round_trips = round_trips
        self._metrics = metrics
        self._monotonic = monotonic
        self._down = set(range(len(sessions.names)))
        self._trouble = ""
        self.resumed = threading.Event()  # every session was resumed once

    def session_down(self, session: int) -> None:
        """The session is off and all its messages are handled."""
        self._down.add(session)

    def state(self) -> tuple[bool, str]:
        """Ready when every session is logged on and the ledger can be asked."""
        on = self._sessions.logged_on()
        off = [name for n, name in enumerate(self._sessions.names) if n not in on]
        detail = self._trouble or (f"not logged on: {', '.join(off)}" if off else "")
        return not detail, detail

    def run(self, stop: threading.Event) -> None:
        backoff = Backoff(first_seconds=EVERY_SECONDS)
        while not stop.is_set():
            try:
                for number in range(len(self._sessions.names)):
                    self.keep(number)
            except Retryable as error:
                if not self._trouble:
                    logger(__name__).error("checkpoint out of reach", detail=str(error))
                self._trouble = str(error)
                if backoff.wait(stop):
                    return
            else:
                self._trouble = ""
                self.resumed.set()
                backoff.reset()
                stop.wait(EVERY_SECONDS)

    def keep(self, number: int) -> None:
        """Resumes a session that is down, or moves the checkpoint of one that is up."""
        name, positions = self._sessions.names[number], self._positions[number]
        if number in self._down:
            if self._sessions.began_anew(number):
                logger(__name__).warning("the venue's numbers began anew", session=name)
                self._checkpoint.begin_numbering(name)
            numbering = self._checkpoint.numbering(name)
            through = self._checkpoint.through(numbering)
            positions.restart(numbering, through, self._monotonic())
            self._down.discard(number)
            self._sessions.resume(number, through + 1)
            return
        numbering, applied = positions.numbering, list[int]()
        if positions.outstanding:
            applied = self._checkpoint.applied(numbering, positions.through)
        if positions.advance(applied, self._monotonic()):
            self._checkpoint.move(numbering, positions.through)
        self._tell(number)
        if positions.stalled(self._monotonic()):
            logger(__name__).warning(
                "reports were not applied; asking the venue again",
                session=name,
                through=positions.through,
                outstanding=positions.outstanding,
            )
            was_on = number in self._sessions.logged_on()
            self._sessions.log_out(number, "resuming from the checkpoint")
            if not was_on:  # no SessionDown will come of it
                self.session_down(number)

    def _tell(self, number: int) -> None:
        """The session's figures; and a question, from time to time, how far away the venue is."""
        name, positions = self._sessions.names[number], self._positions[number]
        sent, expected = self._sessions.numbers(number)
        self._metrics.next_sent.labels(name).set(sent)
        self._metrics.next_expected.labels(name).set(expected)
        self._metrics.applied_through.labels(name).set(positions.through)
        self._metrics.outstanding.labels(name).set(positions.outstanding)
        if number in self._sessions.logged_on():
            self._round_trips.test(number)
