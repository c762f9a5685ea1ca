"""The live stream: connects, signs in, resubscribes, resumes, and gives way to a full reload.

Invariant: whatever happens to the connection, every private event after the starting one reaches
the listener once and in order; only quotes may be skipped.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from tui.client import protocol
from tui.client.broker import Link, Listener, RefusedError, UnreachableError
from tui.client.models import PrivateEvent, Quote
from tui.client.protocol import (
    AccountSnapshot,
    AfterClose,
    Notice,
    PeerProtocolError,
    Staleness,
    UserSequence,
    after_close,
)
from tui.client.session import Session, SignedOutError

OPEN_TIMEOUT_S = 3.0
STALE_AFTER_S = 1.5
"""The server speaks each second even when nothing trades; a longer silence is shown as stale."""
SILENCE_MAX_S = 3.0
"""A hung node and a half-open link look like silence: after this long, connect again."""
PING_EVERY_S = 30.0
RESUME_ANSWER_S = 5.0
RESUMES_MAX = 3
"""Resumes that brought nothing before the account is loaded afresh instead."""
BACKOFF_BASE_S = 0.5
BACKOFF_MAX_S = 10.0
MESSAGE_BYTES_MAX = 1 << 20
SYMBOLS_PER_SUBSCRIBE = 200
KEEP_EVERY_S = 1.0
UNAUTHORIZED = 401


class SilenceError(Exception):
    """Nothing came for SILENCE_MAX_S."""


def backoff(attempt: int, rng: random.Random) -> float:
    """Seconds to wait before retry `attempt` (from 0): full jitter, so that a fleet spreads out."""
    return rng.uniform(0, min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** min(attempt, 10)))


class StreamFeed:
    """Fulfils `Feed` over one WebSocket at a time."""

    def __init__(
        self,
        url: Callable[[], Awaitable[str]],
        session: Session,
        *,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._session = session
        self._rng = rng or random.SystemRandom()
        self._monotonic = monotonic
        self._wanted: frozenset[str] = frozenset()
        self._wanted_changed = asyncio.Event()
        self._sequence = UserSequence(0)
        self._resumes = 0
        self._resume_due = 0.0
        self._reloads_wanted = 0
        self._reloads_done = 0
        self._heard = False

    def watch(self, symbols: Iterable[str]) -> None:
        self._wanted = frozenset(symbols)
        self._wanted_changed.set()

    def reload(self) -> None:
        self._reloads_wanted += 1
        self._wanted_changed.set()

    async def follow(self, listener: Listener, seq: int) -> None:
        self._sequence.reset(seq)
        attempt = 0
        listener.link(Link.CONNECTING, "")
        while True:
            self._heard = False
            detail, then = await self._attempt(listener)
            if then is AfterClose.SIGNED_OUT:
                raise SignedOutError(detail)
            if then is AfterClose.REPLACED:
                listener.link(Link.REPLACED, detail)
                return
            listener.link(Link.RECONNECTING, detail)
            attempt = 0 if self._heard else attempt + 1
            await asyncio.sleep(backoff(attempt, self._rng))

    async def _attempt(self, listener: Listener) -> tuple[str, AfterClose]:
        """Hold one connection until it ends; return why it ended and what to do then."""
        try:
            token = await self._session.bearer()
            async with connect(
                await self._url(),
                additional_headers={"Authorization": f"Bearer {token}"},
                subprotocols=[Subprotocol(protocol.SUBPROTOCOL)],
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=1,
                ping_interval=None,
                max_size=MESSAGE_BYTES_MAX,
                proxy=None,
            ) as socket:
                await self._converse(socket, listener, token)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            then = after_close(code)
            if then is AfterClose.REFRESH:
                await self._renew(token)
            return (closed.rcvd.reason if closed.rcvd else "") or f"closed with {code}", then
        except InvalidStatus as refused:
            if refused.response.status_code == UNAUTHORIZED:
                await self._renew(token)
            return f"the stream answered {refused.response.status_code}", AfterClose.RECONNECT
        except (
            OSError,
            TimeoutError,
            WebSocketException,
            SilenceError,
            PeerProtocolError,
            RefusedError,
            UnreachableError,
        ) as error:
            return str(error) or type(error).__name__, AfterClose.RECONNECT
        return "closed", AfterClose.RECONNECT

    async def _renew(self, refused: str) -> None:
        """Replace a token the stream refused; an unreachable broker is met again on the retry."""
        with contextlib.suppress(UnreachableError):
            await self._session.renew(refused)

    async def _converse(self, socket: ClientConnection, listener: Listener, token: str) -> None:
        """Read and keep alive at the same time; whichever ends first ends the connection."""
        self._resumes = 0
        await self._resume(socket)
        reading = asyncio.create_task(self._read(socket, listener))
        keeping = asyncio.create_task(self._keep(socket, listener, token))
        tasks = (reading, keeping)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, socket: ClientConnection, listener: Listener) -> None:
        while True:
            messages = protocol.decode(await self._receive(socket, listener))
            quotes = [each for each in messages if isinstance(each, Quote)]
            if quotes:
                listener.quotes(quotes)
            account = [each for each in messages if isinstance(each, PrivateEvent)]
            if account:
                await self._deliver(socket, listener, account)
            for each in messages:
                if isinstance(each, AccountSnapshot):
                    await self._reload(socket, listener)
                elif isinstance(each, Staleness):
                    listener.stale(each.symbols, is_stale=each.stale)
                elif isinstance(each, Notice):
                    listener.notice(each.kind, each.code, each.message)
            await self._fill_gap(socket, listener)

    async def _receive(self, socket: ClientConnection, listener: Listener) -> str | bytes:
        """Wait for one message; say so when it is late, and give the connection up when it is."""
        receiving = asyncio.ensure_future(socket.recv())
        try:
            done, _ = await asyncio.wait({receiving}, timeout=STALE_AFTER_S)
            if not done:
                listener.link(Link.STALE, f"nothing heard for {STALE_AFTER_S} s")
                done, _ = await asyncio.wait({receiving}, timeout=SILENCE_MAX_S - STALE_AFTER_S)
            if not done:
                raise SilenceError(f"nothing heard for {SILENCE_MAX_S:g} s")
            message = receiving.result()
        finally:
            receiving.cancel()
        self._heard = True
        listener.link(Link.LIVE, "")
        return message

    async def _deliver(
        self, socket: ClientConnection, listener: Listener, events: list[PrivateEvent]
    ) -> None:
        due = self._sequence.accept(events)
        if due:
            self._resumes = 0
            listener.account(due)
        elif self._sequence.has_gap and self._resumes == 0:
            await self._resume(socket)

    async def _fill_gap(self, socket: ClientConnection, listener: Listener) -> None:
        """Ask again for what a resume did not bring; after RESUMES_MAX load the account afresh."""
        if self._sequence.overflowed:
            await self._reload(socket, listener)
        elif self._sequence.has_gap and self._monotonic() >= self._resume_due:
            if self._resumes >= RESUMES_MAX:
                await self._reload(socket, listener)
            else:
                await self._resume(socket)

    async def _catch_up(self, socket: ClientConnection, listener: Listener) -> None:
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
        self._resume_due = self._monotonic() + RESUME_ANSWER_S
        await socket.send(protocol.resume(self._sequence.last))

    async def _reload(self, socket: ClientConnection, listener: Listener) -> None:
        self._sequence.reset(await listener.reload())
        self._resumes = 0
        await self._resume(socket)

    async def _keep(self, socket: ClientConnection, listener: Listener, token: str) -> None:
        """Do what is due: the watched symbols' changes, a reload, pings, and a renewed token."""
        subscribed: frozenset[str] = frozenset()
        ping_at, pings = self._monotonic() + PING_EVERY_S, 0
        while True:
            self._wanted_changed.clear()
            wanted = self._wanted
            for part in _chunks(wanted - subscribed):
                listener.stale(part, is_stale=False)  # the answer says so of those that are
                await socket.send(protocol.subscribe(part))
            for part in _chunks(subscribed - wanted):
                await socket.send(protocol.unsubscribe(part))
            subscribed = wanted
            await self._catch_up(socket, listener)
            if self._monotonic() >= ping_at:
                pings += 1
                ping_at = self._monotonic() + PING_EVERY_S
                await socket.send(protocol.ping(pings))
            # A token has a minute left when it is renewed: an API that is away for less than that
            # must not cost the live connection.
            with contextlib.suppress(UnreachableError):
                current = await self._session.bearer()
                if current != token:
                    token = current
                    await socket.send(protocol.authenticate(token))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted_changed.wait(), KEEP_EVERY_S)


def _chunks(symbols: frozenset[str]) -> list[list[str]]:
    ordered = sorted(symbols)
    size = SYMBOLS_PER_SUBSCRIBE
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
