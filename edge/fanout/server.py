"""The shell: sockets, the WebSocket protocol and one timer around the core.

Invariant: this module decides nothing about quotes or accounts; it moves bytes, and tells the
reception what came and who left. Frames shared by many clients bypass `ServerProtocol`, which is
sound because they are whole, uncompressed frames on a connection without extensions, written
only while the client is in the hub (its state is OPEN and no close frame was sent).

One timer serves the ten groups in turn, one each 10 ms. A tick that comes late is not caught up,
and while handshakes are under way the loop is left to its sockets for OPENING_SHARE of the time a
late tick took, so that new clients come in however loaded the loop is.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import cast

from websockets.exceptions import NegotiationError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from edge.fanout.client import DRAINING, Client
from edge.fanout.encodings import ENCODINGS
from edge.fanout.hub import GROUPS, TICK_SECONDS, Hub
from edge.fanout.reception import Reception

PATH = "/v1/stream"
#: What is spoken here; a client that offers both gets the one it names first.
SUBPROTOCOLS = tuple(Subprotocol(name) for name in ENCODINGS)
MESSAGE_BYTES_MAX = 16 * 1024
WRITE_BUFFER_HIGH, WRITE_BUFFER_LOW = 64 * 1024, 16 * 1024
#: What the kernel holds besides: more of it would only hide that a client is behind.
SEND_BUFFER_BYTES = 64 * 1024
ACCEPT_BACKLOG = 4_096
CLOSING_SECONDS = 5.0
#: How long the loop is left to its sockets after a late tick, as a share of that tick.
OPENING_SHARE = 0.5
#: Every tenth tick of a group, which is once a second, is also its sweep.
TICKS_PER_SWEEP = 10
INVALID_TEXT = 1007
RETRY_AFTER_SECONDS = "2"

_DRAIN_NOTICE_SECONDS = 0.25
_DRAIN_SLICES = 20
_DRAIN_SLICE_SECONDS = 0.1
_DRAIN_SLICE_MIN = 50
_DRAIN_CLOSE_SECONDS = 1.0

_quiet = logging.getLogger("edge.fanout.websocket")
_quiet.setLevel(logging.ERROR)


class StreamServer:
    """One listening socket and its connections."""

    def __init__(self, hub: Hub, reception: Reception) -> None:
        self.hub, self.reception = hub, reception
        self.loop = asyncio.get_running_loop()
        self.closing: dict[Connection, float] = {}
        self.all_closed = asyncio.Event()
        self.closes: dict[int, int] = {}
        self.accepted = self.turned_away = self.late_ticks = 0
        self.opening: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._ticks = 0
        self._waking = False

    async def listen(self, host: str, port: int) -> int:
        """Starts to serve; the port it got. Raises OSError when it can't be had."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        try:
            listening.bind((host, port))
            self._listener = await self.loop.create_server(
                lambda: Connection(self), sock=listening, backlog=ACCEPT_BACKLOG
            )
        except BaseException:
            listening.close()
            raise
        self._due = self.loop.time()
        self._tick()
        return int(listening.getsockname()[1])

    def wake_soon(self) -> None:
        """Serves woken clients once in this turn of the loop, however many batches came in it."""
        if self.hub.woken and not self._waking:
            self._waking = True
            self.loop.call_soon(self._wake)

    async def drain(self) -> None:
        """Takes no more clients, announces the end and closes all in slices, within 4 s."""
        if self._listener is not None:
            self._listener.close()
        clients = self.hub.clients()
        if clients:
            millis = int(_DRAIN_NOTICE_SECONDS * 1000)
            for client in clients:
                client.tell({"type": "draining", "in_ms": millis})
            await asyncio.sleep(_DRAIN_NOTICE_SECONDS)
        size = max(_DRAIN_SLICE_MIN, -(-len(clients) // _DRAIN_SLICES))
        for start in range(0, len(clients), size):
            self.reception.close_all(clients[start : start + size], DRAINING, "draining")
            await asyncio.sleep(_DRAIN_SLICE_SECONDS)
        if self.closing:
            self.all_closed.clear()
            with contextlib.suppress(TimeoutError):  # those that don't answer are aborted below
                await asyncio.wait_for(self.all_closed.wait(), _DRAIN_CLOSE_SECONDS)
        for connection in list(self.closing):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now, started = self.loop.time(), time.perf_counter()
        group = self._ticks % GROUPS
        self.reception.tick(self._ticks, now)
        self.hub.tick(group)
        if self._ticks // GROUPS % TICKS_PER_SWEEP == 0:
            self.reception.sweep(group, now)
            self._abort_late(now)
        self._ticks += 1
        self._due += TICK_SECONDS
        took = time.perf_counter() - started  # uvloop's own time stands still within a callback
        if self._due < now + took:
            self.late_ticks += 1
            self._due = now + took * (1 + OPENING_SHARE if self.opening else 1)
        self._timer = self.loop.call_at(self._due, self._tick)

    def _abort_late(self, now: float) -> None:
        for connection in [each for each, due in self.closing.items() if due < now]:
            connection.abort()

    def _wake(self) -> None:
        self._waking = False
        self.hub.wake()


class Connection(asyncio.Protocol):
    """One socket. It is the `Link` of its client."""

    __slots__ = ("_fragments", "_protocol", "_server", "_transport", "client")

    def __init__(self, server: StreamServer) -> None:
        self._server = server
        self._protocol = ServerProtocol(
            subprotocols=SUBPROTOCOLS,
            select_subprotocol=_select_subprotocol,
            max_size=MESSAGE_BYTES_MAX,
            logger=_quiet,
        )
        self._transport: asyncio.Transport | None = None
        self._fragments: list[bytes] | None = None
        self.client = Client(self, server.loop.time())

    # -- What the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name.
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_HIGH, low=WRITE_BUFFER_LOW)
        self.client.write = transport.write
        self.client.block(self._server.loop.time())  # until the handshake is done
        if self._server.reception.full():
            self._server.turned_away += 1
            self._expect_close()
        else:
            self._server.accepted += 1
            self._server.opening.add(self)
            self._server.hub.enter(self.client)

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Request):
                self._open(event)
        self._flush()
        if protocol.state is not State.OPEN:
            self._leave()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        server = self._server
        server.opening.discard(self)
        if server.closing.pop(self, None) is not None and not server.closing:
            server.all_closed.set()
        self._server.reception.gone(self.client)

    def pause_writing(self) -> None:
        self.client.block(self._server.loop.time())

    def resume_writing(self) -> None:
        if not self.client.closed:
            self.client.unblock()

    # -- What the core asks

    def write(self, data: bytes) -> None:
        """Hands whole frames to the transport."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake, or drops a connection that never opened."""
        self._server.closes[code] = self._server.closes.get(code, 0) + 1
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self._leave()
        elif self._transport is not None:
            self._leave()
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection without another word."""
        if self._transport is not None:
            self._transport.abort()

    # -- The protocol

    def _open(self, request: Request) -> None:
        """Answers the opening handshake (RFC 6455 section 4.2)."""
        protocol, reception = self._protocol, self._server.reception
        if self in self._server.closing:
            response = protocol.reject(HTTPStatus.SERVICE_UNAVAILABLE, "no room here now\n")
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        elif request.path.partition("?")[0] != PATH:
            response = protocol.reject(HTTPStatus.NOT_FOUND, f"the stream is at {PATH}\n")
        else:
            response = protocol.accept(request)
        protocol.send_response(response)
        self._flush()
        self._server.opening.discard(self)
        if protocol.state is State.OPEN:
            if protocol.subprotocol is not None:
                self.client.speak(ENCODINGS[protocol.subprotocol])
            self.client.unblock()
            reception.connected(self.client, _bearer(request))

    def _take(self, frame: Frame) -> None:
        """A frame of the client; the protocol has answered pings and closes itself."""
        client, reception = self.client, self._server.reception
        client.heard_at = self._server.loop.time()
        if frame.opcode is Opcode.BINARY:
            reception.bad(client, "NOT_TEXT", "this protocol has text messages only")
            self._fragments = None
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._text(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                text, self._fragments = b"".join(self._fragments), None
                self._text(text)

    def _text(self, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            self.client.close(INVALID_TEXT, "not UTF-8")
            return
        self._server.reception.message(self.client, text, self._server.loop.time())

    def _flush(self) -> None:
        """Writes what the protocol has to say; its empty piece means that it is done."""
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()

    def _leave(self) -> None:
        """The connection is closing: the core forgets it before the next tick."""
        self._server.reception.gone(self.client)
        self._expect_close()

    def _expect_close(self) -> None:
        """Gives the closing CLOSING_SECONDS, after which the sweep aborts it."""
        self._server.closing.setdefault(self, self._server.loop.time() + CLOSING_SECONDS)


def _select_subprotocol(
    _protocol: ServerProtocol, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """The first one offered that is spoken here. None for a client that offers none, which gets
    JSON; a client that offers only others is refused (400)."""
    for each in offered:
        if each in SUBPROTOCOLS:
            return each
    if offered:
        raise NegotiationError(f"only {' and '.join(SUBPROTOCOLS)} are spoken here")
    return None


def _bearer(request: Request) -> str | None:
    """The token of the Authorization header; "" for a header that has none, None without one."""
    values = request.headers.get_all("Authorization")
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" and len(values) == 1 else ""
