"""A client of the stream that follows no rule of its own: bytes on a socket, frames as told."""

import asyncio
import base64
import contextlib
import socket
import struct
from typing import Self

from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from tests.support.eventually import WAIT_SECONDS

REQUEST = (
    "GET /v1/stream HTTP/1.1\r\nHost: raw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: outcry.v1.json\r\n"
)


def handshake(token: str | None = "user:7") -> bytes:
    """A whole request, signed in by its header when there is a token."""
    signed = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{REQUEST}{signed}\r\n".encode()


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    first = opcode | (0x80 if fin else 0)
    if len(payload) < 126:
        return struct.pack(">BB4x", first, 0x80 | len(payload)) + payload
    if len(payload) < 65_536:
        return struct.pack(">BBH4x", first, 0xFE, len(payload)) + payload
    return struct.pack(">BBQ4x", first, 0xFF, len(payload)) + payload


class RawStream:
    """One connection; everything it was sent is kept in `data`."""

    def __init__(self, link: socket.socket) -> None:
        self._socket = link
        self.data = b""

    @classmethod
    async def connect(cls, port: int, *, receive_buffer: int | None = None) -> Self:
        """A connected socket that has said nothing."""
        link = socket.socket()
        link.setblocking(False)
        if receive_buffer is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", port))
        return cls(link)

    @classmethod
    async def open(cls, port: int, *, receive_buffer: int | None = None) -> Self:
        """A connection that has signed in."""
        stream = await cls.connect(port, receive_buffer=receive_buffer)
        await stream.say(handshake())
        await stream.hear(b'"SIGNED_IN"')
        return stream

    async def say(self, data: bytes) -> None:
        """Sends bytes. What the other side no longer takes is no error here."""
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def hear(self, what: bytes) -> None:
        """Reads until these bytes came. Raises ConnectionError when the stream ends before."""
        while what not in self.data:
            if not await self.read(65_536):
                raise ConnectionError(self.data)

    async def read(self, most: int) -> bytes:
        """Reads some bytes; none at the end of the stream."""
        async with asyncio.timeout(WAIT_SECONDS):
            data = await asyncio.get_running_loop().sock_recv(self._socket, most)
        self.data += data
        return data

    async def status(self) -> int:
        """Reads to the end of a refused handshake; its HTTP status, 0 when there was no answer."""
        await self.ended()
        self.close()
        return int(self.data[9:12]) if self.data.startswith(b"HTTP/1.1 ") else 0

    async def close_code(self) -> int | None:
        """Reads up to a close frame, and ends; its code, or None when the stream ended before."""
        try:
            while (code := _close_code(self.data.partition(b"\r\n\r\n")[2])) is None:
                if not await self.read(1 << 20):
                    return None
            return code
        except ConnectionError:
            return None
        finally:
            self.close()

    async def outcome(self) -> int:
        """What a whole handshake came to: 101 when it is signed in, else a status or close code."""
        while b'"SIGNED_IN"' not in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            opened = head.startswith(b"HTTP/1.1 101")
            if opened and (code := _close_code(rest)) is not None:
                return code
            if not await self.read(65_536):
                return int(head[9:12] or 0)
        return 101

    def local_port(self) -> int:
        """Our end's, by which the other end can be told."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Goes without a word: the other side is sent a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def ended(self) -> None:
        """Reads to the end of the stream."""
        with contextlib.suppress(ConnectionError):
            while await self.read(1 << 20):
                pass


def _close_code(data: bytes) -> int | None:
    """The code of the close frame among whole frames, if there is one."""
    reader = StreamReader()
    reader.feed_data(data)
    while reader.buffer:
        parsing = Frame.parse(reader.read_exact, mask=False, max_size=1 << 24)
        try:
            next(parsing)
        except StopIteration as done:
            if done.value.opcode is Opcode.CLOSE:
                return Close.parse(done.value.data).code
        else:
            return None  # the last frame has not come as a whole
    return None
