"""The shell: sockets, the WebSocket protocol and one timer around the core.

Invariant: this module decides nothing about quotes or accounts; it moves bytes, and tells the
reception what came and who left. Frames shared by many clients bypass `ServerProtocol`, which is
sound because they are whole, uncompressed frames on a connection without extensions, written
only while the client is in the hub (its state is OPEN and no close frame was sent).

One timer serves the ten groups in turn, one each 10 ms. A tick that comes late is not caught up,
and while new clients are on their way in, the loop is left to its sockets for `opening_share` of
the time that a tick took, so that they come in however loaded it is. What a client sends at once is
read in pieces, and nothing of it is read any more once it broke the protocol.
"""

import asyncio
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

from edge.fanout.admission import Admission, Refusal, origin_of
from edge.fanout.client import HANDSHAKE_TOO_BIG, INVALID_TEXT, NORMAL, REFUSED, Client
from edge.fanout.encodings import ENCODINGS
from edge.fanout.hub import GROUPS, TICK_SECONDS, Hub
from edge.fanout.reception import Reception
from edge.fanout.tally import Tally

PATH = "/v1/stream"
#: What is spoken here; a client that offers both gets the one it names first.
SUBPROTOCOLS = tuple(Subprotocol(name) for name in ENCODINGS)
#: How much of what a client sent at once is looked at before asking whether to go on.
PIECE_BYTES = 4_096
#: What one of the three steps that bring a client in takes at most, its sign-in included.
STEP_SECONDS = 0.001
#: Every tenth tick of a group, which is once a second, is also its sweep.
TICKS_PER_SWEEP = 10

#: What a client that broke the rules is closed with.
_FAILURES = frozenset({INVALID_TEXT, REFUSED})

_quiet = logging.getLogger("edge.fanout.websocket")
_quiet.setLevel(logging.ERROR)


def soonest_tick(now: float, took: float, share: float, steps: int) -> float:
    """When the next tick may come after one that began at `now`. Those who come in are left `share`
    of what it took, and not only behind a late one: nine milliseconds of every ten are not late.
    But no more than they can use: who opens a connection and says nothing slows nobody down."""
    return now + took + min(took * share, steps * STEP_SECONDS)


class StreamServer:
    """One listening socket and its connections."""

    def __init__(self, hub: Hub, reception: Reception, tally: Tally | None = None) -> None:
        self.hub, self.reception, self.limits = hub, reception, reception.limits
        self.loop = asyncio.get_running_loop()
        self.admission = Admission(self.limits, tally=tally)
        #: Every connection whose socket is there, and of those the ones that close, each by when.
        self.connections: set[Connection] = set()
        self.closing: dict[Connection, float] = {}
        self.all_closed = asyncio.Event()
        self.closes: dict[int, int] = {}
        self.accepted = self.late_ticks = 0
        #: What new connections have done since the last tick, on their way in.
        self.steps = 0
        self.draining = False
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._ticks = 0
        self._ticked_at = time.monotonic()
        self._waking = False

    async def listen(self, host: str, port: int) -> int:
        """Starts to serve; the port it got. Raises OSError when it can't be had.

        Several workers listen on one port side by side; the kernel spreads connections over them.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.limits.workers > 1:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.limits.send_buffer_bytes)
        try:
            listening.bind((host, port))
            self._listener = await self.loop.create_server(
                lambda: Connection(self), sock=listening, backlog=self.limits.accept_backlog
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

    def stop_listening(self) -> None:
        """Takes no more connections, and says on /health that it is going."""
        self.draining = True
        if self._listener is not None:
            self._listener.close()

    def stop_ticking(self) -> None:
        """The end: nobody is left to be served."""
        if self._timer is not None:
            self._timer.cancel()

    def count_close(self, code: int) -> None:
        """One connection was ended by us with this code."""
        self.closes[code] = self.closes.get(code, 0) + 1

    def late_seconds(self) -> float:
        """How long ago the last tick was. For other threads, too."""
        return time.monotonic() - self._ticked_at

    def _tick(self) -> None:
        now, started = self.loop.time(), time.perf_counter()
        self._ticked_at = time.monotonic()
        group = self._ticks % GROUPS
        self.reception.tick(self._ticks, now)
        self.hub.tick(group)
        if self._ticks // GROUPS % TICKS_PER_SWEEP == 0:
            self.reception.sweep(group, now)
            self._abort_late(now)
        self._ticks += 1
        self._due += TICK_SECONDS
        took = time.perf_counter() - started  # uvloop's own time stands still within a callback
        soonest = soonest_tick(now, took, self.limits.opening_share, self.steps)
        if self._due < soonest:
            self.late_ticks += 1
            self._due = soonest
        self.steps = 0
        self._timer = self.loop.call_at(self._due, self._tick)

    def _abort_late(self, now: float) -> None:
        for connection in [each for each, due in self.closing.items() if due < now]:
            connection.abort()

    def _wake(self) -> None:
        self._waking = False
        self.hub.wake()


class Connection(asyncio.Protocol):
    """One socket. It is the `Link` of its client. One that isn't admitted has no protocol."""

    __slots__ = (
        "_fragments", "_protocol", "_received", "_refusal", "_server", "_transport", "address",
        "admitted", "client",
    )  # fmt: skip

    def __init__(self, server: StreamServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._fragments: bytearray | None = None
        self._received = 0
        self.address = ""
        self.admitted = False
        self._refusal: Refusal | None = None
        self.client = Client(self, server.loop.time(), server.limits.pending)

    # -- What the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name.
        transport = cast(asyncio.Transport, transport)
        server, self._transport = self._server, transport
        high = server.limits.buffer_bytes
        transport.set_write_buffer_limits(high=high, low=high // 4)
        self.client.write = transport.write
        self.client.block(server.loop.time())  # until the handshake is done
        peer = transport.get_extra_info("peername")
        if peer is None:  # it was reset before we came to look at it
            transport.abort()
            return
        server.connections.add(self)
        self.address = origin_of(peer[0])
        refusal = server.admission.enter(self.address, server.loop.time())
        if refusal is None:
            self.admitted = True
            self._protocol = ServerProtocol(
                subprotocols=SUBPROTOCOLS,
                select_subprotocol=_select_subprotocol,
                max_size=server.limits.message_bytes,
                logger=_quiet,
            )
            server.accepted += 1
            server.steps += 1
            server.hub.enter(self.client)
        elif len(server.connections) - server.admission.inside > server.limits.openings_per_second:
            transport.abort()  # not even a refusal is given to more than come in within a second
        else:
            self._refusal = refusal
            self._expect_close()

    def data_received(self, data: bytes) -> None:
        if len(data) <= PIECE_BYTES:
            self._receive(data)
            return
        for start in range(0, len(data), PIECE_BYTES):
            self._receive(data[start : start + PIECE_BYTES])

    def _receive(self, data: bytes) -> None:
        if not self.admitted:
            self._refuse()
            return
        protocol, client = self._protocol, self.client
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Request):
                self._open(event)
        if not client.greeted and not client.closed:
            self._received += len(data)
            if self._received > self._server.limits.message_bytes:
                client.close(HANDSHAKE_TOO_BIG, "too big a handshake")
        self._flush()

    def eof_received(self) -> None:
        if self.admitted:
            self._protocol.receive_eof()
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        server = self._server
        server.connections.discard(self)
        if self.admitted:
            server.admission.leave(self.address)
        server.closing.pop(self, None)
        if not server.connections:
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

    def peer(self) -> str:
        """The address at the other end; empty when it has gone."""
        peer = self._transport.get_extra_info("peername") if self._transport else None
        return str(peer[0]) if peer else ""

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake; a client that broke the rules is not listened to any more
        (RFC 6455 section 7.1.7), and one that never opened is told so in HTTP."""
        self._server.count_close(code)
        protocol = self._protocol
        if protocol.state is State.CONNECTING:
            status = HTTPStatus(code) if code < NORMAL else HTTPStatus.SERVICE_UNAVAILABLE
            protocol.send_response(protocol.reject(status, f"{reason}\n"))
        elif code in _FAILURES:
            protocol.fail(code, reason)
        elif protocol.state is State.OPEN:
            protocol.send_close(code, reason)
        self._flush()
        self._leave()

    def abort(self) -> None:
        """Ends the connection without another word."""
        if self._transport is not None:
            self._transport.abort()

    # -- The protocol

    def _refuse(self) -> None:
        """Answers the first that is heard of a connection that was not let in, and no more."""
        refusal, self._refusal = self._refusal, None
        if refusal is not None and self._transport is not None:
            self._transport.write(refusal.response())
            self._transport.write_eof()

    def _open(self, request: Request) -> None:
        """Answers the opening handshake (RFC 6455 section 4.2)."""
        protocol, server = self._protocol, self._server
        server.steps += 1
        if request.path.partition("?")[0] != PATH:
            response = protocol.reject(HTTPStatus.NOT_FOUND, f"the stream is at {PATH}\n")
        else:
            response = protocol.accept(request)
        protocol.send_response(response)
        self._flush()
        if protocol.state is State.OPEN:
            if protocol.subprotocol is not None:
                self.client.speak(ENCODINGS[protocol.subprotocol])
            self.client.unblock()
            server.reception.connected(self.client, _bearer(request), server.loop.time())
        else:
            server.count_close(response.status_code)
        request.headers.clear()  # the protocol keeps them for life: 2 KB, of a browser more

    def _take(self, frame: Frame) -> None:
        """A frame of the client; the protocol has answered pings and closes itself."""
        client, reception = self.client, self._server.reception
        if not reception.frame(client, self._server.loop.time(), whole=frame.fin):
            return
        if client.user_id is None:
            self._server.steps += 1
        if frame.opcode is Opcode.BINARY:
            reception.bad(client, "NOT_TEXT", "this protocol has text messages only")
            self._fragments = None
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._text(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._fragments = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += frame.data
            if frame.fin:
                text, self._fragments = bytes(self._fragments), None
                self._text(text)

    def _text(self, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            self.client.close(INVALID_TEXT, "not UTF-8")
            return
        self._server.reception.message(self.client, text)

    def _flush(self) -> None:
        """Writes what the protocol has to say; its empty piece means that it is done.

        The socket is shut for writing alone: closing it over what the client still sends would
        reset the connection, and lose what was said last (RFC 9293 section 3.10.4).
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.write_eof()
                self._leave()

    def _leave(self) -> None:
        """The connection is closing: the core forgets it before the next tick."""
        server, sent = self._server, self._protocol.close_sent
        if not self.client.closed and sent is not None and self._protocol.close_rcvd is None:
            server.count_close(sent.code)  # the protocol itself was broken
        server.reception.gone(self.client)
        self._expect_close()

    def _expect_close(self) -> None:
        """Gives the closing its time, after which the sweep aborts it."""
        server = self._server
        server.closing.setdefault(self, server.loop.time() + server.limits.closing_seconds)


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
