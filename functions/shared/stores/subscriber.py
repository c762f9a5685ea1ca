"""Valkey channels for a long-lived process: an asyncio protocol around hiredis' parser.

Invariant: whatever is wanted is subscribed again after every reconnect, and `restored` is called
once all of it is, so that the owner can fetch what it missed in between. A connection that says
nothing for DEAD_AFTER_SECONDS is dropped: a TCP-healthy one may lead to a node that is no longer
the primary. redis-py's own pub/sub costs several coroutines a message; this costs one callback.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import hiredis

PROBE_SECONDS = 1.0
DEAD_AFTER_SECONDS = 5.0
CONNECT_SECONDS = 2.0
BACKOFF_BASE_SECONDS = 0.05
BACKOFF_MAX_SECONDS = 2.0
#: Channels in one SUBSCRIBE, so that a node with 10,000 users sends pieces Valkey takes in turn.
CHANNELS_PER_COMMAND = 512


class ValkeySubscriber:
    """One subscribed connection to `redis://` or `rediss://`, held open by `run`.

    `deliver(channel, payload)` is called on the event loop for each message, in order.
    """

    def __init__(
        self,
        url: str,
        deliver: Callable[[bytes, bytes], None],
        restored: Callable[[], None],
        rng: random.Random | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
            raise ValueError("a Valkey address is redis://[USER:PASSWORD@]HOST:PORT")
        self._host, self._port = parts.hostname, parts.port or 6379
        self._tls = ssl.create_default_context() if parts.scheme == "rediss" else None
        self._credentials = [unquote(p) for p in (parts.username, parts.password) if p]
        self._deliver, self._restored = deliver, restored
        self._rng = rng or random.Random()
        self._wanted: set[str] = set()
        self._link: _Link | None = None

    @property
    def connected(self) -> bool:
        """Whether every wanted channel is subscribed on a connection that answers."""
        return self._link is not None and self._link.ready

    def subscribe(self, channels: Iterable[str]) -> None:
        """Wants these channels from now on; at once if connected."""
        fresh = [channel for channel in channels if channel not in self._wanted]
        self._wanted.update(fresh)
        if self._link is not None and fresh:
            self._link.send(b"SUBSCRIBE", fresh)

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Wants these channels no longer."""
        gone = [channel for channel in channels if channel in self._wanted]
        self._wanted.difference_update(gone)
        if self._link is not None and gone:
            self._link.send(b"UNSUBSCRIBE", gone)

    async def run(self) -> None:
        """Keeps the connection, reconnecting with full jitter, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._hold()
                attempt = 0
            except (OSError, TimeoutError):
                attempt += 1
            ceiling = min(BACKOFF_MAX_SECONDS, BACKOFF_BASE_SECONDS * 2 ** min(attempt, 10))
            await asyncio.sleep(self._rng.uniform(0, ceiling))

    async def _hold(self) -> None:
        """One connection from its opening to its end."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, link = await loop.create_connection(
                lambda: _Link(self._deliver, self._restored), self._host, self._port, ssl=self._tls
            )
        try:
            if self._credentials:
                link.send(b"AUTH", self._credentials)
            link.send(b"SUBSCRIBE", sorted(self._wanted))
            link.send(b"PING", ["subscribed"])
            self._link = link
            await link.ended(loop)
        finally:
            self._link = None
            transport.abort()


class _Link(asyncio.Protocol):
    """One connection: commands out, messages in."""

    def __init__(
        self, deliver: Callable[[bytes, bytes], None], restored: Callable[[], None]
    ) -> None:
        self._reader = hiredis.Reader()
        self._deliver, self._restored = deliver, restored
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._heard = False
        self.ready = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ready = False
        self._closed.set()

    def send(self, command: bytes, words: Sequence[str]) -> None:
        """Writes the command, in pieces of CHANNELS_PER_COMMAND words."""
        if self._transport is None or self._transport.is_closing():
            return  # what is wanted is subscribed again on the next connection
        for start in range(0, len(words), CHANNELS_PER_COMMAND):
            piece = words[start : start + CHANNELS_PER_COMMAND]
            words_of_command: Any = (command, *piece)  # hiredis' stub knows tuples of one only
            self._transport.write(hiredis.pack_command(words_of_command))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        reader = self._reader
        reader.feed(data)
        try:
            while (message := reader.gets()) is not False:
                self._take(message)
        except hiredis.HiredisError:
            self._give_up()

    def _take(self, message: object) -> None:
        match message:
            case [b"message", bytes() as channel, bytes() as payload]:
                self._deliver(channel, payload)
            case [b"pong", b"subscribed"] | b"subscribed":
                self.ready = True
                self._restored()
            case Exception():  # refused: wrong password, or a server that is still loading
                self._give_up()

    def _give_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def ended(self, loop: asyncio.AbstractEventLoop) -> None:
        """Waits for the end, asking for a sign of life each PROBE_SECONDS."""
        last = loop.time()
        while not self._closed.is_set():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._closed.wait()
            except TimeoutError:
                if self._heard:
                    last, self._heard = loop.time(), False
                elif loop.time() - last > DEAD_AFTER_SECONDS:
                    return
                self.send(b"PING", ["alive"])
