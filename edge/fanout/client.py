"""One connected client: all that is kept of it, and the one way to write to it.

Invariant: what must not be lost (answers, private events) is written at once or waits in a bounded
queue while the client's write buffer is full; quotes never wait, they are read anew from the last
values when the client can take them. When the queue's bound is passed the client is cut (4002).
"""

from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from edge.fanout.encodings import JSON, Encoding
from edge.fanout.frames import encode_object, text_frame

if TYPE_CHECKING:
    from edge.fanout.views import View

#: Where there is no WebSocket yet, the HTTP status takes the place of a close code.
NO_HANDSHAKE = 408
HANDSHAKE_TOO_BIG = 431
NORMAL = 1000
GOING_AWAY = 1001
INVALID_TEXT = 1007
REFUSED = 1008
DRAINING = 1012
SIGN_IN_FAILED = 4001
TOO_SLOW = 4002
SESSION_ENDED = 4004
TOO_MANY = 4008


class Link(Protocol):
    """The connection under a client."""

    def write(self, data: bytes) -> None:
        """Hands whole frames to the transport."""

    def peer(self) -> str:
        """The address at the other end; empty when it has gone."""

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake and tells the reception that the client is gone."""


class Client:
    """The state of a connection; `_at` are monotonic seconds; `expires_at` is wall-clock
    microseconds since 1970."""

    __slots__ = (
        "backlog", "blocked", "blocked_at", "closed", "encoding", "errors", "expires_at",
        "expiry_told", "fetching", "frame", "greeted", "group", "heard_at", "link", "messages",
        "opened_at", "owed", "pending", "pending_most", "quiet", "reading", "refetch", "reload",
        "seen", "session_id", "ticket",
        "user_id", "user_seq", "verifying", "views", "wanted_seq", "write",
    )  # fmt: skip

    def __init__(self, link: Link, now: float, pending_most: int) -> None:
        self.link = link
        self.write: Callable[[bytes], None] = link.write
        self.group = 0
        # `opened_at` is when the connection came, and once the handshake is done when that was.
        self.opened_at = self.heard_at = now
        self.greeted = self.closed = False
        # Flow: whether the write buffer is full, since when, and what waits for it.
        self.blocked = False
        self.blocked_at = 0.0
        self.pending: deque[bytes] | None = None
        self.pending_most = pending_most
        # Quotes: how they are written, what is watched, the version last sent, what the next tick
        # tells of the portfolio, ticks without anything to say.
        self.encoding = JSON
        self.frame = JSON.frame
        self.views: tuple[View, ...] = ()
        self.seen = 0
        self.owed: bytes | None = None
        self.quiet = 0
        # Who it is. `backlog` holds messages that came while the first token was being verified.
        self.user_id: int | None = None
        self.session_id = ""
        self.expires_at = 0
        self.expiry_told = False
        self.verifying = False
        self.backlog: list[bytes] | None = None
        self.errors = self.messages = 0
        # Private events: the last one sent, the newest heard of, and the question that is open;
        # `reading` is whether an answer is on its way, which may be to an older question.
        self.user_seq: int | None = None
        self.wanted_seq = 0
        self.ticket = 0
        self.fetching = self.reading = self.refetch = self.reload = False

    def speak(self, encoding: Encoding) -> None:
        """Takes its quotes in this encoding from now on; before it watches anything."""
        self.encoding, self.frame = encoding, encoding.frame

    def tell(self, content: object) -> None:
        """Sends one object, or an array of them, as one message."""
        self.send(text_frame(encode_object(content)))

    def tell_error(self, code: str, message: str, **extra: object) -> None:
        """Sends an `error` object."""
        self.tell({"type": "error", "code": code, "message": message, **extra})

    def send(self, frame: bytes) -> None:
        """Writes a frame that must not be lost."""
        if self.closed:
            return
        self.quiet = 0
        if not self.blocked:
            self.write(frame)
            return
        if self.pending is None:
            self.pending = deque()
        if len(self.pending) >= self.pending_most:
            self.close(TOO_SLOW, "too slow")
            return
        self.pending.append(frame)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent within goes out as one write: most of a message's cost is the system call.

        Nothing of it goes out behind a close.
        """
        write, frames = self.write, list[bytes]()
        self.write = frames.append
        try:
            yield
        finally:
            self.write = write
            if frames and not self.closed:
                write(b"".join(frames))

    def close(self, code: int, reason: str) -> None:
        """Ends the connection with a code, once."""
        if not self.closed:
            self.closed = True
            self.link.close(code, reason)

    def block(self, now: float) -> None:
        """The write buffer is full."""
        self.blocked, self.blocked_at = True, now

    def unblock(self) -> None:
        """The write buffer has room: what waited goes first."""
        self.blocked = False
        while self.pending and not self.blocked:
            self.write(self.pending.popleft())
        if not self.pending:
            self.pending = None


def drop_strays(clients: set[Client], live: Container[Client]) -> int:
    """Takes from a set the clients that closed or aren't `live`; how many there were."""
    strays = [each for each in clients if each.closed or each not in live]
    clients.difference_update(strays)
    return len(strays)
