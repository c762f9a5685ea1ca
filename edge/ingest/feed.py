"""The connections to the venue's market data: bytes between sockets, sessions, arbiter and book.

Invariant: a connection that breaks the protocol or goes silent is closed, counted and made again
with full jitter; the others go on. After each logon the venue sends snapshots, so a reconnect needs
nothing from before. What a message says enters the book whole or not at all, once, from whichever
line brought it first.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from edge.ingest.announced import Announced, parse_phase, parse_security
from edge.ingest.arbiter import Arbiter, HoldLimits, Line
from edge.ingest.book import Book
from edge.ingest.entries import parse_incremental, parse_snapshot
from edge.ingest.limits import DEFAULTS, Limits
from edge.ingest.session import FeedSession, Kind, Message
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.quotes import partition_of_symbol

POLL_SECONDS = 0.1
#: After a piece of this size there is more to read: the loop turns to its other work first. libuv
#: would go on reading for 32 pieces, while no batch gets out.
FULL_PIECE_BYTES = 1 << 16
_LINES = "AB"


class Feed:
    """One session on one line, connected again for as long as `run` runs. `take` is given each
    message and `ended` told of each connection's end."""

    def __init__(
        self,
        sender: str,
        line: Line,
        address: tuple[str, int],
        symbols: Sequence[str],
        wall: Callable[[], datetime],
        take: "Callable[[Feed, Message], None]",
        limits: Limits = DEFAULTS,
    ) -> None:
        self.sender, self.line = sender, line
        self.name = f"{sender}/{line.name}"
        self._address, self._symbols, self._wall, self._take = address, symbols, wall, take
        self._limits = limits
        self._session: FeedSession | None = None
        self._link: _Link | None = None
        self._backoff = Backoff()
        self.reconnects = self.gaps = self.garbled = self.refusals = 0

    @property
    def heard_at(self) -> float:
        """When this line last said anything; minus infinity while it has told no price."""
        return self._session.heard_at if self._session is not None else float("-inf")

    @property
    def seen_ms(self) -> int:
        """The venue's time up to which this line has been read."""
        return self._session.seen_ms if self._session is not None else 0

    def ask_anew(self) -> None:
        """Asks for snapshots again, when there is a connection to ask on."""
        if self._session is not None and self._link is not None:
            self._session.ask_anew(time.monotonic())
            self._link.flush()

    def connect_anew(self) -> None:
        """Ends the connection, if there is one: the next asks for the symbols as they are then."""
        if self._session is not None and self._link is not None:
            self._session.close(time.monotonic())
            self._link.flush()

    async def run(self, began: Callable[[], None], ended: Callable[[Line], None]) -> None:
        """Connects, reads, and connects again, until cancelled."""
        log = logger(__name__).bind(session=self.name)
        while True:
            began()
            try:
                await self._hold()
                log.warning("the venue ended the feed")
            except (PeerProtocolError, OSError, TimeoutError) as error:
                log.warning("the feed broke", detail=str(error) or type(error).__name__)
            finally:
                ended(self.line)
            self.reconnects += 1
            await asyncio.sleep(self._backoff.next_seconds())

    async def _hold(self) -> None:
        """One connection from its opening to its end."""
        loop = asyncio.get_running_loop()
        session = FeedSession(self.sender, self._symbols, self._wall, self._limits)
        async with asyncio.timeout(self._limits.connect_seconds):
            transport, link = await loop.create_connection(
                lambda: _Link(session, lambda message: self._take(self, message), time.monotonic),
                *self._address,
            )
        self._session, self._link = session, link
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
            await asyncio.sleep(self._limits.goodbye_seconds)
            raise
        finally:
            self._session = self._link = None
            self.gaps += session.gaps
            self.garbled += session.garbled
            transport.abort()


class FeedPair:
    """The same symbols by the same session on every line: `addresses` are those of A, and of B if
    there is one. It tells what of the market stands still when none of them says anything.
    `listed` is given each new listing."""

    def __init__(
        self,
        sender: str,
        addresses: Sequence[tuple[str, int]],
        symbols: Sequence[str],
        book: Book,
        announced: Announced,
        wall: Callable[[], datetime],
        hold: HoldLimits | None = None,
        listed: Callable[[bytes], None] | None = None,
        limits: Limits = DEFAULTS,
    ) -> None:
        self.sender = sender
        self.partitions = frozenset(map(partition_of_symbol, symbols))
        self._symbols, self._book, self._announced = list(symbols), book, announced
        self._listed = listed
        lines = [Line(name) for name, _ in zip(_LINES, addresses, strict=False)]
        self.arbiter = Arbiter(lines, len(symbols), hold or HoldLimits())
        self.feeds = [
            Feed(sender, line, address, self._symbols, wall, self._take, limits)
            for line, address in zip(lines, addresses, strict=True)
        ]
        #: The venue's time up to which the book is whole.
        self.seen_ms = 0
        #: The last moment at which its prices were surely those of the market (monotonic), as of
        #: POLL_SECONDS ago at most.
        self.fresh_at = float("-inf")

    async def run(self) -> None:
        """Holds every line until cancelled."""
        async with asyncio.TaskGroup() as group:
            for feed in self.feeds:
                group.create_task(feed.run(self._begin, self.arbiter.down))
            while True:
                await asyncio.sleep(POLL_SECONDS)
                asking = self.arbiter.look(time.monotonic())
                for feed in self.feeds:
                    if feed.line is asking:
                        feed.ask_anew()
                    if self.arbiter.is_current(feed.line):
                        self.seen_ms = max(self.seen_ms, feed.seen_ms)
                        self.fresh_at = max(self.fresh_at, feed.heard_at)

    def watch(self, symbols: Sequence[str]) -> None:
        """Asks for these, too. Both lines are connected anew for it: a publication is of one set of
        symbols, and a picture of the old set behind one of the new would put prices back."""
        self._symbols += symbols
        self.partitions |= set(map(partition_of_symbol, symbols))
        self.arbiter.widen(len(self._symbols))
        for feed in self.feeds:
            feed.connect_anew()

    def _begin(self) -> None:
        self._announced.begin(self._symbols)

    def _take(self, feed: Feed, message: Message) -> None:
        if message.kind is Kind.INCREMENTAL or message.is_snapshot:
            try:
                for each in self.arbiter.take(feed.line, message):
                    self._apply(each)
            except PeerProtocolError:
                self.arbiter.lose()  # it was counted as taken and is not in the book
                raise
            if self.arbiter.is_current(feed.line):
                self.seen_ms = max(self.seen_ms, message.sent_ms)
            if message.is_snapshot:
                self._settle(message)
        elif message.kind is Kind.PHASE:
            self._announced.phase(parse_phase(message.body))
        elif message.kind is Kind.SECURITY:
            self._announced.security(parse_security(message.body))
        elif message.kind is Kind.LISTING:
            if self._listed is not None:
                self._listed(message.body)
        else:
            feed.refusals += 1
            text = message.body.decode("utf-8", "replace")
            logger(__name__).error("the venue refused", session=feed.name, text=text)

    def _apply(self, message: Message) -> None:
        if message.is_snapshot:
            symbol, entries = parse_snapshot(message.body)
            self._book.replace(symbol, entries, message.sent_ms)
        else:
            self._book.apply(parse_incremental(message.body), message.sent_ms)

    def _settle(self, message: Message) -> None:
        symbol, _ = parse_snapshot(message.body)
        self._announced.settle(symbol.decode("utf-8", "replace"))


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
        transport = self._transport
        if len(data) >= FULL_PIECE_BYTES and transport is not None and transport.is_reading():
            transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on, transport)

    def _go_on(self, transport: asyncio.Transport) -> None:
        if not transport.is_closing():
            transport.resume_reading()

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
