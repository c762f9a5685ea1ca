"""What the FIX engine's threads hand to ours: a bounded queue that is taken in batches.

Invariant: a full inbox refuses a message, and all that follow it on that session until it is down,
so that none overtakes the refused one; the session is logged out and the venue sends them again
after the checkpoint. The word that a session is down is never refused, and comes behind every
message of that session.
"""

import threading
from collections import deque
from typing import NamedTuple

#: Some seconds of the fastest session; a stream server that is away longer stops the reading.
MESSAGES_MOST = 20_000


class Received(NamedTuple):
    """One message of a session (0-based) at its MsgSeqNum, as it came; `at`: monotonic seconds."""

    session: int
    position: int
    administrative: bool
    raw: str
    at: float = 0.0


class SessionDown(NamedTuple):
    """The session was logged out or its connection was lost."""

    session: int


class Inbox:
    """Many threads put, one takes."""

    def __init__(self, most: int = MESSAGES_MOST) -> None:
        self._most = most
        self._items: deque[Received | SessionDown] = deque()
        self._refusing: set[int] = set()
        self._changed = threading.Condition()

    def put(self, item: Received) -> bool:
        """False when the inbox is full, or was since this session was last down."""
        with self._changed:
            if len(self._items) >= self._most or item.session in self._refusing:
                self._refusing.add(item.session)
                return False
            self._items.append(item)
            self._changed.notify()
            return True

    def put_down(self, item: SessionDown) -> None:
        with self._changed:
            self._refusing.discard(item.session)
            self._items.append(item)
            self._changed.notify()

    def take(self, most: int, timeout_seconds: float) -> list[Received | SessionDown]:
        """The oldest items, at most `most`; none when the time is up."""
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_seconds)
            return [self._items.popleft() for _ in range(min(most, len(self._items)))]
