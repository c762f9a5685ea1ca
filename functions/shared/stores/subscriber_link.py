"""One connection of a subscriber: commands out, messages in; an asyncio protocol around hiredis.

Invariant: a channel counts as heard from when the server has confirmed it until it says otherwise
or the connection ends. Each PROBE_SECONDS a key in the slot of a subscribed channel is asked for,
which only that slot's primary answers: a node that was demoted or cut off refuses, and one that
says nothing for DEAD_AFTER_SECONDS is dropped. redis-py's own pub/sub costs several coroutines a
message; this costs one callback.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

import hiredis

from functions.shared.stores.valkey_slots import slot_of

PROBE_SECONDS = 1.0
DEAD_AFTER_SECONDS = 5.0
#: Channels in one command, so that a node with 10,000 users sends pieces Valkey takes in turn.
CHANNELS_PER_COMMAND = 512


class LinkOwner(Protocol):
    """Who hears of a link."""

    def confirmed(self, channel: str) -> None:
        """The server delivers this channel from now on."""

    def dropped(self, channel: str) -> None:
        """The server delivers it no longer, by itself or because it was told so."""

    def moved(self, slot: int) -> None:
        """The server says that a slot is another node's."""


class Link(asyncio.Protocol):
    """`deliver(channel, payload)` is called for each message, in order."""

    def __init__(self, owner: LinkOwner, deliver: Callable[[bytes, bytes], None]) -> None:
        self._owner, self._deliver = owner, deliver
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport in all but name.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def greet(self, username: str | None, password: str | None) -> None:
        """Asks for RESP3, in which a subscribed connection may ask other things as well."""
        login = ("AUTH", username or "default", password) if password else ()
        self._send("HELLO", "3", *login)

    def probe(self, key: str) -> None:
        """Asks for a key that only its slot's primary answers for."""
        self._send("EXISTS", key)

    def subscribe(self, channels: Iterable[str]) -> None:
        self._send_channels("SSUBSCRIBE", channels)

    def unsubscribe(self, channels: Iterable[str]) -> None:
        self._send_channels("SUNSUBSCRIBE", channels)

    def _send_channels(self, command: str, channels: Iterable[str]) -> None:
        """One command has channels of one slot only, and CHANNELS_PER_COMMAND of them at most."""
        by_slot: dict[int, list[str]] = {}
        for channel in channels:
            by_slot.setdefault(slot_of(channel), []).append(channel)
        for together in by_slot.values():
            for start in range(0, len(together), CHANNELS_PER_COMMAND):
                self._send(command, *together[start : start + CHANNELS_PER_COMMAND])

    def _send(self, *words: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return  # what is wanted is subscribed again on the next connection
        command: Any = words  # hiredis' stub knows tuples of one only
        self._transport.write(hiredis.pack_command(command))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        reader = self._reader
        reader.feed(data)
        try:
            while (message := reader.gets()) is not False:
                self._take(message)
        except hiredis.HiredisError:
            self.give_up()

    def _take(self, message: object) -> None:
        match message:
            case [b"smessage", bytes() as channel, bytes() as payload]:
                self._deliver(channel, payload)
            case [b"ssubscribe", bytes() as channel, _]:
                self._owner.confirmed(channel.decode())
            case [b"sunsubscribe", bytes() as channel, _]:
                self._owner.dropped(channel.decode())
            case Exception():
                self._refused(str(message))

    def _refused(self, text: str) -> None:
        """A redirection is about one slot. With a wrong password, a server that is still loading,
        or one that has lost its cluster, the connection is of no use."""
        match text.split():
            case ["MOVED", slot, _]:
                self._owner.moved(int(slot))
            case ["ASK", _, _]:
                pass  # the slot of the key is on its way: its channels are ended when it has gone
            case _:
                self.give_up()

    def give_up(self) -> None:
        """Ends the connection; `ended` returns."""
        if self._transport is not None:
            self._transport.abort()

    async def ended(self, probe: Callable[[], str | None]) -> None:
        """Waits for the end, asking each PROBE_SECONDS for the key that `probe` names."""
        loop = asyncio.get_running_loop()
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
                if (key := probe()) is not None:
                    self.probe(key)
