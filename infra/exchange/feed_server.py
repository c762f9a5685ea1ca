"""The market-data ports: connections around the session layer, and who is shown what.

The feed comes on two lines, A and B, each on a port of its own, and each session may log on once on
each. What is asked for is a publication: its name and the numbers of its messages are the same on
every session and line that asked for the same symbols, so that a broker on both takes whichever
copy comes first and sees exactly what is missing.

Runs an event loop in a thread of its own; `publish`, `answer` and `refuse` may be called from the
matching thread and keep its order, so a snapshot and the updates after it never cross. Policies: a
client with more than 8 MiB unsent (over a second at 100,000 entries/s) is cut, as is everyone when
the loop itself falls 100 batches behind: they reconnect to a fresh snapshot, and nobody is shown a
picture with a hole.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from infra.exchange.clock import utc_timestamp
from infra.exchange.feed_session import FeedSession, Subscribe
from infra.exchange.notices import MSG_TYPES, Notice

MAX_UNSENT_BYTES = 8 * 1024 * 1024
MAX_BATCHES_BEHIND = 100
ENTRIES_PER_MESSAGE = 500
MAX_CONNECTIONS = 32
# A heartbeat is never later than this: whoever waits for one each second tells silence soon.
POLL_S = 0.1

# One symbol's entries of one batch, in the order they happened.
Batch = list[tuple[str, list[str]]]
OnRequest = Callable[["Connection", Subscribe], None]


@dataclass(slots=True)
class FeedFigures:
    """Counters for /metrics; written by the feed's thread alone."""

    entries_sent: int = 0
    messages_sent: int = 0
    bytes_sent: int = 0
    clients_cut: int = 0
    sessions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Publication:
    """The messages for one set of symbols: their name, ApplID(1180), and the last number that was
    given, ApplSeqNum(1181)."""

    name: str
    number: int = 0

    def head(self) -> str:
        """The fields that name the last message."""
        return f"1180={self.name}\x011181={self.number}\x01"


class Connection(asyncio.Protocol):
    """One TCP connection to a line's port. Everything runs on the feed's loop."""

    def __init__(self, server: "FeedServer", line: int = 0) -> None:
        self._server = server
        self.line = line
        self._transport: asyncio.Transport | None = None
        self.session = server.new_session()
        self.requests: dict[str, frozenset[str]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection while there is room."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP gives
        self._transport = transport
        if not self._server.admit(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its subscriptions."""
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        """Let the session layer read, then act on what it understood."""
        for event in self.session.receive(data, self._server.now_s()):
            if isinstance(event, Subscribe):
                self._server.on_request(self, event)
            else:
                self.requests.pop(event.req_id, None)
        if self.session.logged_on and not self._server.claim(self):
            self.session.logout("this CompID is logged on already")
        self.flush()

    def poll(self) -> None:
        """Let the session layer see the time."""
        self.session.poll(self._server.now_s())
        self.flush()

    def flush(self) -> None:
        """Write what the session has to say; cut a client that does not read."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        data = self.session.take()
        if data:
            transport.write(data)
            self._server.figures.bytes_sent += len(data)
        if self.session.closed:
            transport.close()
        elif transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.cut()

    def cut(self) -> None:
        """Drop the connection and what it has not read."""
        if self._transport is not None and not self._transport.is_closing():
            self._server.figures.clients_cut += 1
            self._transport.abort()


class FeedServer:
    """Owns the feed's thread, loop and connections."""

    def __init__(self, venue: str, brokers: frozenset[str], on_request: OnRequest) -> None:
        self._venue = venue
        self._brokers = brokers
        self.on_request = on_request
        self.figures = FeedFigures()
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._behind = 0
        self._run_id = time.time_ns() // 1_000_000
        self._publications: dict[frozenset[str], Publication] = {}
        self._named = 0

    # -- From the matching thread

    def start(self, host: str, *ports: int) -> None:
        """Listen, on a port for each line, and start the thread. OSError when one is in use."""
        listeners = [socket.create_server((host, port), backlog=16) for port in ports]
        self._thread.start()
        listening: Future[None] = asyncio.run_coroutine_threadsafe(
            self._listen(listeners), self._loop
        )
        listening.result(timeout=10)

    def publish(self, batch: Batch) -> None:
        """Send entries to those who asked for their symbols."""
        at = utc_timestamp(datetime.now(UTC))
        if self._behind > MAX_BATCHES_BEHIND:
            self._loop.call_soon_threadsafe(self._cut_all)
            return
        self._behind += 1
        self._loop.call_soon_threadsafe(self._publish, batch, at)

    def answer(
        self,
        connection: Connection,
        request: Subscribe,
        snapshots: Batch,
        notices: Sequence[Notice] = (),
    ) -> None:
        """Send how the market stands and one 35=W per symbol, and begin that request's updates."""
        at = utc_timestamp(datetime.now(UTC))
        self._loop.call_soon_threadsafe(self._answer, connection, request, notices, snapshots, at)

    def announce(self, notices: list[Notice]) -> None:
        """Send announcements to everyone who is logged on."""
        at = utc_timestamp(datetime.now(UTC))
        self._loop.call_soon_threadsafe(self._announce, notices, at)

    def refuse(self, connection: Connection, request: Subscribe, text: str) -> None:
        """Refuse a request: 281=0, a symbol is unknown."""
        self._loop.call_soon_threadsafe(self._refuse, connection, request, text)

    def stop(self, timeout_s: float) -> None:
        """Log everyone out, write it, and end the thread."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._goodbye)
        self._thread.join(timeout_s)

    # -- On the loop

    def now_s(self) -> float:
        """The loop's monotonic time."""
        return self._loop.time()

    def new_session(self) -> FeedSession:
        """Make the session layer of a new connection."""
        return FeedSession(self._venue, self._brokers, lambda: datetime.now(UTC), self.now_s())

    def admit(self, connection: Connection) -> bool:
        """Count a connection in, unless there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Count a connection out, and the publications that nobody is shown any more."""
        self._connections.discard(connection)
        asked = {symbols for each in self._connections for symbols in each.requests.values()}
        for symbols in self._publications.keys() - asked:
            del self._publications[symbols]
        self._list_sessions()

    def claim(self, connection: Connection) -> bool:
        """Return whether the connection is the only one of its line logged on with its CompID."""
        self._list_sessions()
        return not any(
            other is not connection
            and other.line == connection.line
            and other.session.logged_on
            and not other.session.closed
            and other.session.peer == connection.session.peer
            for other in self._connections
        )

    def _list_sessions(self) -> None:
        on = {c.session.peer for c in self._connections if c.session.logged_on}
        self.figures.sessions = sorted(on)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    async def _listen(self, listeners: Sequence[socket.socket]) -> None:
        for line, listener in enumerate(listeners):
            await self._loop.create_server(partial(Connection, self, line), sock=listener)
        self._loop.call_later(POLL_S, self._poll)

    def _poll(self) -> None:
        for connection in list(self._connections):
            connection.poll()
        self._loop.call_later(POLL_S, self._poll)

    def _publish(self, batch: Batch, at: str) -> None:
        self._behind -= 1
        bodies: dict[frozenset[str], list[tuple[int, bytes]]] = {}
        for connection in list(self._connections):
            for req_id, symbols in connection.requests.items():
                if symbols not in bodies:
                    bodies[symbols] = _bodies(batch, symbols, self._publication(symbols))
                for entries, body in bodies[symbols]:
                    data = b"262=%s\x01%s" % (req_id.encode("latin-1"), body)
                    connection.session.send_market_data("X", data, at, self.now_s())
                    self.figures.entries_sent += entries
                    self.figures.messages_sent += 1
            connection.flush()

    def _announce(self, notices: Sequence[Notice], at: str) -> None:
        for connection in list(self._connections):
            self._tell(connection, notices, at)
            connection.flush()

    def _tell(self, connection: Connection, notices: Sequence[Notice], at: str) -> None:
        for notice in notices:
            body = "".join(f"{tag}={text}\x01" for tag, text in notice.fields())
            kind, data = MSG_TYPES[type(notice)], body.encode("latin-1")
            connection.session.send_market_data(kind, data, at, self.now_s())

    def _answer(
        self,
        connection: Connection,
        request: Subscribe,
        notices: Sequence[Notice],
        snapshots: Batch,
        at: str,
    ) -> None:
        self._tell(connection, notices, at)
        asked = frozenset(request.symbols)
        head = f"262={request.req_id}\x01{self._publication(asked).head()}"
        for symbol, entries in snapshots:
            body = f"{head}55={symbol}\x01268={len(entries)}\x01{''.join(entries)}"
            connection.session.send_market_data("W", body.encode("latin-1"), at, self.now_s())
            self.figures.messages_sent += 1
        connection.requests[request.req_id] = asked
        connection.flush()

    def _publication(self, symbols: frozenset[str]) -> Publication:
        publication = self._publications.get(symbols)
        if publication is None:
            self._named += 1
            publication = Publication(f"{self._run_id}-{self._named}")
            self._publications[symbols] = publication
        return publication

    def _refuse(self, connection: Connection, request: Subscribe, text: str) -> None:
        connection.session.reject_request(request.req_id, "0", text)
        connection.flush()

    def _cut_all(self) -> None:
        for connection in list(self._connections):
            connection.cut()

    def _goodbye(self) -> None:
        for connection in list(self._connections):
            if connection.session.logged_on:
                connection.session.logout("the venue closes")
            connection.flush()
        self._loop.call_later(0.1, self._loop.stop)


def _bodies(
    batch: Batch, symbols: frozenset[str], publication: Publication
) -> list[tuple[int, bytes]]:
    """Return the next bodies of 35=X from tag 1180 on with their number of entries; no symbols
    means all."""
    wanted = [
        entry for symbol, entries in batch if not symbols or symbol in symbols for entry in entries
    ]
    bodies: list[tuple[int, bytes]] = []
    for start in range(0, len(wanted), ENTRIES_PER_MESSAGE):
        chunk = wanted[start : start + ENTRIES_PER_MESSAGE]
        publication.number += 1
        body = f"{publication.head()}268={len(chunk)}\x01{''.join(chunk)}"
        bodies.append((len(chunk), body.encode("latin-1")))
    return bodies
