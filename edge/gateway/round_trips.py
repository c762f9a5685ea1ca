"""How long the venue takes: from a command to its first answer, and from a test request (35=1) to
its heartbeat (35=0). A session on which a command has waited too long is hung: up, and no use.

Invariant: only a command that was sent once is timed, and at most PENDING_MOST are waited for at a
time; no message is slower for it. A command leaves the list by its answer, by a refusal of the
whole message (35=3, 35=j), or by the answer to a later one: a venue takes a session's messages in
turn, so what it passed over makes nobody wait any more.

A command that may have been sent before is answered by its order's status, whose ClOrdID(11) is the
last that the venue accepted and need not be the command's. So all of them that an order has are
waited for as one, by its number, and whatever the venue says of that order ends the wait; as it may
have said so unasked, nothing that was sent earlier is taken to be passed over by it.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from edge.gateway.metrics import GatewayMetrics
from edge.gateway.translate import Fields, number_in

EVERY_SECONDS = 10.0
PENDING_MOST = 10_000
#: As long as an order waits before it is asked about; the answer to that, too, is an answer.
HUNG_SECONDS = 5.0
_ANSWERS: Final = frozenset("89")
#: The venue took none of the message whose MsgSeqNum is in RefSeqNum(45).
_REFUSALS: Final = frozenset("3j")
_MSG_SEQ_NUM: Final = re.compile(r"\x0134=([0-9]+)\x01")
_CL_ORD_ID: Final = re.compile(r"\x0111=([^\x01]+)\x01")
_POSS_RESEND: Final = "\x0197=Y\x01"

#: What waits: the ClOrdID of a command that is sent once, or the number of an order that has
#: commands sent again.
_Key = str | int


class _Waiting(NamedTuple):
    """A command without an answer: when it left, and its MsgSeqNum once the engine gave it one."""

    left_at: float
    number: str = ""


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
        self._commands: list[dict[_Key, _Waiting]] = [{} for _ in names]
        self._tests: dict[int, tuple[str, float]] = {}
        self._test_due = [0.0] * len(names)
        self._numbers = itertools.count(1)

    def command_leaves(self, session: int, tag: str, *, first: bool) -> None:
        """A ClOrdID is about to be sent; `first`: surely not again."""
        with self._lock:
            if sum(map(len, self._commands)) < PENDING_MOST:
                self._commands[session].setdefault(_key(tag, first), _Waiting(self._monotonic()))

    def sent(self, session: int, raw: str) -> None:
        """A message as it leaves, numbered: what a refusal of it will name."""
        number, tag = _MSG_SEQ_NUM.search(raw), _CL_ORD_ID.search(raw)
        if number is None or tag is None:
            return
        key = _key(tag[1], _POSS_RESEND not in raw)
        with self._lock:
            waiting = self._commands[session].get(key)
            if waiting is not None:
                self._commands[session][key] = waiting._replace(number=number[1])

    def command_stays(self, session: int, tag: str, *, first: bool) -> None:
        """It could not be sent after all."""
        with self._lock:
            self._commands[session].pop(_key(tag, first), None)

    def heard(self, session: int, fields: Mapping[int, str], at: float) -> None:
        """A message came at that monotonic time."""
        kind = fields.get(35, "")
        if kind in _ANSWERS:
            self._observe(session, "order", self._answered(session, fields), at)
        elif kind in _REFUSALS:
            self._refused(session, fields.get(45, ""))
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
            oldest = [next(iter(commands.values()), None) for commands in self._commands]
        return {n for n, waiting in enumerate(oldest) if waiting and waiting.left_at <= before}

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
                self._commands[session].clear()
                self._tests.pop(session, None)

    def _answered(self, session: int, fields: Mapping[int, str]) -> float | None:
        """When the command left that this is the first answer to, if it was sent once. It and those
        before it wait no more."""
        tag = fields.get(11, "")
        order = number_in(tag) or number_in(fields.get(41, ""))
        with self._lock:
            commands = self._commands[session]
            commands.pop(order, None)
            if tag not in commands:
                return None
            for earlier in list(itertools.takewhile(lambda other: other != tag, commands)):
                del commands[earlier]
            return commands.pop(tag).left_at

    def _refused(self, session: int, number: str) -> None:
        with self._lock:
            commands = self._commands[session]
            for key in [key for key, waiting in commands.items() if waiting.number == number]:
                del commands[key]

    def _observe(self, session: int, kind: str, left_at: float | None, at: float) -> None:
        if left_at is not None:
            self._metrics.round_trip.labels(self._names[session], kind).observe(at - left_at)


def _key(tag: str, first: bool) -> _Key:
    return tag if first else number_in(tag)
