"""How long the venue takes: from a command to its first answer, and from a test request (35=1) to
its heartbeat (35=0). A session on which a command has waited too long is hung: up, and no use.

Invariant: only a command that was sent once is timed, and at most PENDING_MOST at a time; what is
not timed is not slower for it.
"""

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.gateway.metrics import GatewayMetrics
from edge.gateway.translate import Fields

EVERY_SECONDS = 10.0
PENDING_MOST = 10_000
#: As long as an order waits before it is asked about; the answer to that, too, is an answer.
HUNG_SECONDS = 5.0
_ANSWERS: Final = frozenset("89")


class RoundTrips:
    """Safe from any thread. `send` hands a message to a session, as FixSessions.send does."""

    def __init__(
        self,
        names: Sequence[str],
        send: Callable[[int, Fields], bool],
        metrics: GatewayMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = names
        self._send = send
        self._metrics = metrics
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._commands: dict[str, tuple[int, float]] = {}
        self._tests: dict[int, tuple[str, float]] = {}
        self._test_due = [0.0] * len(names)
        self._numbers = itertools.count(1)

    def command_leaves(self, session: int, tag: str) -> None:
        """A new ClOrdID is about to be sent."""
        with self._lock:
            if len(self._commands) < PENDING_MOST:
                self._commands[tag] = session, self._monotonic()

    def command_stays(self, tag: str) -> None:
        """It could not be sent after all."""
        with self._lock:
            self._commands.pop(tag, None)

    def heard(self, session: int, fields: Mapping[int, str], at: float) -> None:
        """A message came at that monotonic time."""
        kind = fields.get(35, "")
        if kind in _ANSWERS:
            with self._lock:
                _, left_at = self._commands.pop(fields.get(11, ""), (session, None))
            self._observe(session, "order", left_at, at)
        elif kind == "0" and 112 in fields:
            with self._lock:
                test, left_at = self._tests.get(session, ("", None))
                if test != fields[112]:
                    return
                del self._tests[session]
            self._observe(session, "heartbeat", left_at, at)

    def hung(self) -> set[int]:
        """The sessions whose venue has left a command unanswered for too long."""
        before = self._monotonic() - HUNG_SECONDS
        with self._lock:
            return {session for session, left_at in self._commands.values() if left_at <= before}

    def test(self, session: int) -> None:
        """Sends a test request when one is due; none while the session is off."""
        now = self._monotonic()
        if now < self._test_due[session]:
            return
        self._test_due[session] = now + EVERY_SECONDS
        test = f"RTT-{next(self._numbers)}"
        with self._lock:
            self._tests[session] = (test, now)
        self._send(session, [(35, "1"), (112, test)])

    def changed(self, session: int, up: bool) -> None:
        """What was asked on a connection that ended is not timed."""
        if not up:
            with self._lock:
                self._commands = {
                    tag: (by, at) for tag, (by, at) in self._commands.items() if by != session
                }
                self._tests.pop(session, None)

    def _observe(self, session: int, kind: str, left_at: float | None, at: float) -> None:
        if left_at is not None:
            self._metrics.round_trip.labels(self._names[session], kind).observe(at - left_at)
