"""The connections to the venue's market data: bytes between a socket, a session and the book.

Invariant: a connection that breaks the protocol or goes silent is closed, counted and made again
with full jitter; the others go on. After each logon the venue sends snapshots, so a reconnect needs
nothing from before.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from edge.ingest.announced import Announced, parse_phase, parse_security
from edge.ingest.book import Book
from edge.ingest.entries import parse_incremental, parse_snapshot
from edge.ingest.session import FeedSession, Kind, Message
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import PeerProtocolError

CONNECT_SECONDS = 2.0
POLL_SECONDS = 0.25
#: What a stopping process gives the venue to take the Logout.
GOODBYE_SECONDS = 0.2


class Feed:
    """One session, connected again for as long as `run` runs."""

    def __init__(
        self,
        sender: str,
        address: tuple[str, int],
        symbols: Sequence[str],
        book: Book,
        announced: Announced,
        wall: Callable[[], datetime],
    ) -> None:
        self.sender = sender
        self._address, self._symbols, self._wall = address, symbols, wall
        self._book, self._announced = book, announced
        self._session: FeedSession | None = None
        self._backoff = Backoff()
        self.reconnects = self.gaps = self.garbled = self.refusals = 0

    def stale(self, now: float) -> bool:
        """Whether this feed's prices can't be relied on now."""
        return self._session is None or self._session.stale(now)

    async def run(self) -> None:
        """Connects, reads, and connects again, until cancelled."""
        log = logger(__name__).bind(session=self.sender)
        while True:
            try:
                await self._hold()
                log.warning("the venue ended the feed")
            except (PeerProtocolError, OSError, TimeoutError) as error:
                log.warning("the feed broke", detail=str(error) or type(error).__name__)
            self.reconnects += 1
            await asyncio.sleep(self._backoff.next_seconds())

    async def _hold(self) -> None:
        """One connection from its opening to its end."""
        loop = asyncio.get_running_loop()
        session = FeedSession(self.sender, self._symbols, self._wall)
        self._announced.begin(self._symbols)
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, link = await loop.create_connection(
                lambda: _Link(session, self._take, time.monotonic), *self._address
            )
        self._session = session
        try:
            while not link.closed.is_set():
                link.poll()
                if session.logged_on:
                    self._backoff.reset()
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await link.closed.wait()
                except TimeoutError:
                    continue
            if link.error is not None:
                raise link.error
        except asyncio.CancelledError:
            session.close(time.monotonic())
            link.flush()
            await asyncio.sleep(GOODBYE_SECONDS)
            raise
        finally:
            self._session = None
            self.gaps += session.gaps
            self.garbled += session.garbled
            transport.abort()

    def _take(self, message: Message) -> None:
        if message.kind is Kind.INCREMENTAL:
            self._book.apply(parse_incremental(message.body), message.sent_ms)
        elif message.kind is Kind.SNAPSHOT:
            symbol, entries = parse_snapshot(message.body)
            self._book.replace(symbol, entries, message.sent_ms)
            self._announced.settle(symbol.decode("utf-8", "replace"))
        elif message.kind is Kind.PHASE:
            self._announced.phase(parse_phase(message.body))
        elif message.kind is Kind.SECURITY:
            self._announced.security(parse_security(message.body))
        else:
            self.refusals += 1
            text = message.body.decode("utf-8", "replace")
            logger(__name__).error("the venue refused", session=self.sender, text=text)


class _Link(asyncio.Protocol):
    """A socket's callbacks for one session."""

    def __init__(
        self, session: FeedSession, take: Callable[[Message], None], now: Callable[[], float]
    ) -> None:
        self._session, self._take, self._now = session, take, now
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.Event()
        self.error: PeerProtocolError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name.
        self._transport = cast(asyncio.Transport, transport)
        self._session.opened(self._now())
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._session.receive(data, self._now()):
                self._take(message)
        except PeerProtocolError as error:
            self._fail(error)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def poll(self) -> None:
        """Lets the session see the time."""
        try:
            self._session.tick(self._now())
        except PeerProtocolError as error:
            self._fail(error)
        self.flush()

    def flush(self) -> None:
        """Writes what the session has to say, and closes when it has said goodbye."""
        if self._transport is None or self._transport.is_closing():
            return
        data = self._session.output()
        if data:
            self._transport.write(data)
        if self._session.ended:
            self._transport.close()

    def _fail(self, error: PeerProtocolError) -> None:
        self.error = error
        self.closed.set()
        if self._transport is not None:
            self._transport.abort()
