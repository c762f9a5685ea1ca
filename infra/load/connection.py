"""One client of a load: it says its hello, counts what comes, and remembers how it ended.

Invariant: nothing is kept of what came but counts and the last few bytes, so ten thousand fit in
one process. A price whose needle is split between two reads isn't counted: counts are never too
high.
"""

import asyncio
import re
import time
from typing import cast

from infra.load.ages import Watch
from infra.load.dialects import Dialect
from infra.load.frames import CLOSE, CLOSE_FRAME_MOST, CLOSE_MARK, PING, close_code

_UPGRADED = b"HTTP/1.1 101"
_HEAD_END = b"\r\n\r\n"
_HEAD_MOST = 4_096
_RETRY_AFTER = re.compile(rb"\r\nRetry-After: (\d{1,4})\r\n", re.IGNORECASE)
_TRY_AGAIN = {408, 429, 503}
_TRY_AGAIN_CODES = {1012, 1013}


class TurnedAway(Exception):
    """The server lets nobody in now. `status` is HTTP's or the close code, 0 for a reset or no
    answer; `seconds` when to come again, None where it doesn't say."""

    def __init__(self, status: int, seconds: float | None) -> None:
        super().__init__(f"turned away: {status}")
        self.status, self.seconds = status, seconds


class LetDown(Exception):
    """The connection can't be had: by the status or close code, None without either."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"refused for good: {status}")
        self.status = status


class LoadConnection(asyncio.Protocol):
    """`opened` is done once the hello was answered, or holds why it never will be."""

    __slots__ = (
        "_dialect", "_hello", "_path", "_tail", "_watch", "ended_by", "opened", "received",
        "transport",
    )  # fmt: skip

    def __init__(self, dialect: Dialect, path: str, hello: bytes, watch: Watch | None) -> None:
        self._dialect, self._path, self._watch = dialect, path, watch
        #: What is to be said after the handshake; None once it was.
        self._hello: bytes | None = hello
        self._tail = b""
        self.received = 0
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        #: The close code it ended by, None without a close frame; of use once it has ended.
        self.ended_by: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._dialect.request(self._path))

    def data_received(self, data: bytes) -> None:
        if self._hello is not None:
            self._greet(data)
            return
        self.received += data.count(self._dialect.needle)
        if self._watch is not None:
            self._watch.read(data, time.time_ns() // 1_000)
        if CLOSE_MARK in data[-CLOSE_FRAME_MOST:]:
            self._may_be_closing(data)
        if not self.opened.done():
            self._tail += data
            if self._dialect.ready is None or self._dialect.ready in self._tail:
                self.opened.set_result(None)
                self._tail = b""
        elif self._dialect.asks is not None and self._dialect.asks in data and self.transport:
            self.transport.write(self._dialect.answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.ended_by is None or self.ended_by in _TRY_AGAIN_CODES:
            self._fail(TurnedAway(self.ended_by or 0, None))  # a reset is no word for good
        else:
            self._fail(LetDown(self.ended_by))

    def ping(self) -> None:
        """Says that it is there."""
        if self.transport is not None:
            self.transport.write(PING)

    def abort(self) -> None:
        """Leaves without a word."""
        if self.transport is not None:
            self.transport.abort()

    def _may_be_closing(self, data: bytes) -> None:
        """Answers a close frame (RFC 6455 section 5.5.1), which is the last that is sent."""
        self.ended_by = close_code(data[-CLOSE_FRAME_MOST:])
        if self.ended_by is not None and self.transport is not None:
            self.transport.write(CLOSE)
            self.transport.close()

    def _greet(self, data: bytes) -> None:
        """Reads the answer to the handshake, and says the hello behind it."""
        self._tail += data
        head, end, rest = self._tail.partition(_HEAD_END)
        if not end and len(head) < _HEAD_MOST:
            return
        if not head.startswith(_UPGRADED):
            self._refused(head + b"\r\n")
            return
        hello, self._hello, self._tail = self._hello, None, b""
        if self.transport is not None and hello is not None:
            self.transport.write(hello)
        if rest or self._dialect.ready is None:
            self.data_received(rest)

    def _refused(self, head: bytes) -> None:
        words = head.split(maxsplit=2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
        if status in _TRY_AGAIN:
            after = _RETRY_AFTER.search(head)
            self._fail(TurnedAway(status, float(after[1]) if after else None))
        else:
            self._fail(LetDown(status))

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
        self.abort()
