"""The live stream: connects, signs in, resubscribes, resumes, and gives way to a full reload.

Invariant: whatever happens to the connection, every account event after the starting one reaches
the listener once and in order; only prices may be skipped. A connection that says nothing is left
without waiting for it, and the next one is made elsewhere where there is an elsewhere.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum
from typing import Generic, Protocol, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from outcry_client import protocol
from outcry_client.addresses import Addresses
from outcry_client.errors import BrokerError, SignedOutError, UnreachableError
from outcry_client.limits import Limits, backoff
from outcry_client.protocol import (
    AfterClose,
    EventT,
    Notice,
    Numbered,
    PeerProtocolError,
    PriceT,
    Received,
    UserSequence,
    after_close,
)

UNAUTHORIZED = 401
LOOK_AGAIN_SECONDS = 0.05
_HeardPrice = TypeVar("_HeardPrice", contravariant=True)
_HeardEvent = TypeVar("_HeardEvent", bound=Numbered, contravariant=True)


class Link(Enum):
    """The state of the live connection, as a connection light shows it."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    RECONNECTING = "reconnecting"
    REPLACED = "opened elsewhere"


class Listener(Protocol[_HeardPrice, _HeardEvent]):
    """Receives what the stream brings. Its methods only note and post; they never wait on I/O."""

    def quotes(self, quotes: Sequence[_HeardPrice]) -> None: ...

    def account(self, events: Sequence[_HeardEvent]) -> None: ...

    def link(self, link: Link, detail: str) -> None: ...

    def notice(self, notice: Notice) -> None: ...

    async def reload(self) -> int:
        """Load the account afresh and return the event it is as of (`seq` of `GET /v1/funds`)."""
        ...


class TokenSource(Protocol):
    """Where access tokens come from: a `Session`, or a program's own."""

    async def bearer(self) -> str: ...

    async def renew(self, refused: str) -> None: ...


class SilenceError(Exception):
    """Nothing came for `silence_seconds`."""


class ReconnectingStream(Generic[PriceT, EventT]):
    """One account's stream over one WebSocket at a time.

    `addresses` is asked before each connection, so that nodes may come and go. `read` makes typed
    prices and events of a message, and raises PeerProtocolError when it can't.
    """

    def __init__(
        self,
        addresses: Callable[[], Awaitable[Sequence[str]]],
        tokens: TokenSource,
        read: Callable[[str | bytes], Received[PriceT, EventT]],
        *,
        limits: Limits,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._urls = addresses
        self._tokens = tokens
        self._read_message = read
        self._limits = limits
        self._rng = rng or random.SystemRandom()
        self._monotonic = monotonic
        self._addresses = Addresses(self._rng)
        self._wanted: frozenset[str] = frozenset()
        self._mode = "quote"
        self._wanted_changed = asyncio.Event()
        self._sequence: UserSequence[EventT] = UserSequence(0, limits.held_events)
        self._resumes = 0
        self._resume_due = 0.0
        self._reloads_wanted = 0
        self._reloads_done = 0
        self._heard = False
        self._listening_since: float | None = None
        self._told: tuple[Link, str] | None = None

    @property
    def last_seq(self) -> int:
        """The last event of the account that the listener was given."""
        return self._sequence.last

    def watch(self, symbols: Iterable[str], mode: str = "quote") -> None:
        """Replace the set of symbols whose prices are wanted, all of them in one mode."""
        self._mode = mode
        self._wanted = frozenset(symbols)
        self._wanted_changed.set()

    def reload(self) -> None:
        """Have the listener load the account afresh, and follow on from there: at once when
        connected, else first thing on the next connection."""
        self._reloads_wanted += 1
        self._wanted_changed.set()

    async def follow(self, listener: Listener[PriceT, EventT], seq: int) -> None:
        """Deliver prices, and account events after `seq`, until the session ends.

        Returns when another client has taken this one's place; raises SignedOutError when the
        broker no longer accepts the session. Lost connections are made again inside.
        """
        self._sequence.reset(seq)
        self._told, attempt = None, 0
        self._tell(listener, Link.CONNECTING, "")
        while True:
            self._heard = False
            detail, then = await self._attempt(listener)
            if then is AfterClose.SIGNED_OUT:
                raise SignedOutError(detail)
            if then is AfterClose.REPLACED:
                self._tell(listener, Link.REPLACED, detail)
                return
            self._tell(listener, Link.RECONNECTING, detail)
            lived = self._heard and then is not AfterClose.BACK_OFF
            attempt = 0 if lived else attempt + 1
            await asyncio.sleep(backoff(attempt, self._rng, self._limits))

    def _tell(self, listener: Listener[PriceT, EventT], link: Link, detail: str) -> None:
        """Tells of the link when it changes, not with each message."""
        if (link, detail) != self._told:
            self._told = (link, detail)
            listener.link(link, detail)

    async def _attempt(self, listener: Listener[PriceT, EventT]) -> tuple[str, AfterClose]:
        """Hold one connection until it ends; return why it ended and what to do then."""
        try:
            url, wait = self._addresses.choose(await self._urls(), self._monotonic())
            await asyncio.sleep(wait)
            token = await self._tokens.bearer()
        except BrokerError as error:
            return str(error) or type(error).__name__, AfterClose.RECONNECT
        try:
            await self._connect(url, token, listener)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            then = after_close(code)
            if then is AfterClose.REFRESH:
                await self._renew(token)
            return (closed.rcvd.reason if closed.rcvd else "") or f"closed with {code}", then
        except InvalidStatus as refused:
            if refused.response.status_code == UNAUTHORIZED:
                await self._renew(token)
            self._note_refusal(url, refused)
            return f"the stream answered {refused.response.status_code}", AfterClose.RECONNECT
        except (
            OSError,
            TimeoutError,
            WebSocketException,
            SilenceError,
            PeerProtocolError,
            BrokerError,
        ) as error:
            return str(error) or type(error).__name__, AfterClose.RECONNECT
        finally:
            self._addresses.lost(url, self._monotonic())
        return "closed", AfterClose.RECONNECT

    async def _connect(self, url: str, token: str, listener: Listener[PriceT, EventT]) -> None:
        limits = self._limits
        async with connect(
            url,
            additional_headers={"Authorization": f"Bearer {token}"},
            subprotocols=[Subprotocol(protocol.SUBPROTOCOL)],
            open_timeout=limits.open_seconds,
            close_timeout=limits.closing_seconds,
            ping_interval=None,
            max_size=limits.message_bytes,
            compression=None,  # the stream has none: nothing to negotiate
            proxy=None,
        ) as socket:
            try:
                await self._converse(socket, listener, token)
            except SilenceError:
                socket.transport.abort()  # it would not answer a goodbye either
                raise

    def _note_refusal(self, url: str, refused: InvalidStatus) -> None:
        """Stay away for as long as the node asks; an HTTP date is a proxy's, and not waited for."""
        asked = refused.response.headers.get("Retry-After", "")
        if asked.isascii() and asked.isdigit():
            seconds = min(float(asked), self._limits.retry_after_most_seconds)
            self._addresses.refused(url, self._monotonic() + seconds)

    async def _renew(self, refused: str) -> None:
        """Replace a token the stream refused; an unreachable broker is met again on the retry."""
        with contextlib.suppress(UnreachableError):
            await self._tokens.renew(refused)

    async def _converse(
        self, socket: ClientConnection, listener: Listener[PriceT, EventT], token: str
    ) -> None:
        """Read, watch and keep alive at the same time; what ends first ends the connection."""
        self._resumes = 0
        await self._resume(socket)
        self._listening_since = self._monotonic()
        tasks = (
            asyncio.create_task(self._read(socket, listener)),
            asyncio.create_task(self._watch_silence(listener)),
            asyncio.create_task(self._keep(socket, listener, token)),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, socket: ClientConnection, listener: Listener[PriceT, EventT]) -> None:
        while True:
            received = self._read_message(await self._receive(socket, listener))
            if received.quotes:
                listener.quotes(received.quotes)
            if received.account:
                await self._deliver(socket, listener, received.account)
            if received.reload:
                await self._reload(socket, listener)
            for each in received.notices:
                listener.notice(each)
            await self._fill_gap(socket, listener)

    async def _receive(
        self, socket: ClientConnection, listener: Listener[PriceT, EventT]
    ) -> str | bytes:
        self._listening_since = self._monotonic()
        message = await socket.recv()
        self._listening_since = None
        self._heard = True
        self._tell(listener, Link.LIVE, "")
        return message

    async def _watch_silence(self, listener: Listener[PriceT, EventT]) -> None:
        """Say so when a message is late, and give the connection up when it is too late.

        A program that was busy itself has not looked at its sockets meanwhile: it is given one more
        look before that counts as silence.
        """
        stale, silence = self._limits.stale_seconds, self._limits.silence_seconds
        given_up: float | None = None
        while True:
            since = self._listening_since
            quiet = 0.0 if since is None else self._monotonic() - since
            if quiet >= silence:
                if given_up == since:
                    raise SilenceError(f"nothing heard for {silence:g} s")
                given_up = since
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            elif quiet >= stale:
                self._tell(listener, Link.STALE, f"nothing heard for {stale} s")
                await asyncio.sleep(silence - quiet)
            else:
                await asyncio.sleep(stale - quiet)

    async def _deliver(
        self,
        socket: ClientConnection,
        listener: Listener[PriceT, EventT],
        events: Sequence[EventT],
    ) -> None:
        due = self._sequence.accept(events)
        if due:
            self._resumes = 0
            listener.account(due)
        elif self._sequence.has_gap and self._resumes == 0:
            await self._resume(socket)

    async def _fill_gap(self, socket: ClientConnection, listener: Listener[PriceT, EventT]) -> None:
        """Ask again for what a resume did not bring; after so many load the account afresh."""
        if self._sequence.overflowed:
            await self._reload(socket, listener)
        elif self._sequence.has_gap and self._monotonic() >= self._resume_due:
            if self._resumes >= self._limits.resumes:
                await self._reload(socket, listener)
            else:
                await self._resume(socket)

    async def _catch_up(self, socket: ClientConnection, listener: Listener[PriceT, EventT]) -> None:
        """Reload when that was asked for. What is read meanwhile may be overwritten by an older
        answer: the resume after the load brings it again. A load that fails ends the connection
        and stays due on the next.
        """
        wanted = self._reloads_wanted
        if wanted != self._reloads_done:
            await self._reload(socket, listener)
            self._reloads_done = wanted

    async def _resume(self, socket: ClientConnection) -> None:
        self._resumes += 1
        self._resume_due = self._monotonic() + self._limits.resume_seconds
        await socket.send(protocol.resume(self._sequence.last))

    async def _reload(self, socket: ClientConnection, listener: Listener[PriceT, EventT]) -> None:
        self._sequence.reset(await listener.reload())
        self._resumes = 0
        await self._resume(socket)

    async def _keep(
        self, socket: ClientConnection, listener: Listener[PriceT, EventT], token: str
    ) -> None:
        """Do what is due: the watched symbols' changes, a reload, pings, and a renewed token."""
        subscribed, mode = frozenset[str](), self._mode
        ping_at, pings = self._monotonic() + self._limits.ping_seconds, 0
        while True:
            self._wanted_changed.clear()
            wanted, known = self._wanted, subscribed if mode == self._mode else frozenset()
            mode = self._mode
            for part in self._parts(wanted - known):
                await socket.send(protocol.subscribe(part, mode))
            for part in self._parts(subscribed - wanted):
                await socket.send(protocol.unsubscribe(part))
            subscribed = wanted
            await self._catch_up(socket, listener)
            if self._monotonic() >= ping_at:
                pings += 1
                ping_at = self._monotonic() + self._limits.ping_seconds
                await socket.send(protocol.ping(pings))
            # A token has a minute left when it is renewed: an API that is away for less than that
            # must not cost the live connection.
            with contextlib.suppress(UnreachableError):
                current = await self._tokens.bearer()
                if current != token:
                    token = current
                    await socket.send(protocol.authenticate(token))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.keep_seconds):
                    await self._wanted_changed.wait()

    def _parts(self, symbols: frozenset[str]) -> list[list[str]]:
        ordered, size = sorted(symbols), self._limits.symbols_per_message
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]
