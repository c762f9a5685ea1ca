"""Valkey's sharded channels for a long-lived process, from one server or a whole cluster.

Invariant: whatever is wanted is subscribed again wherever its slot is now, and `restored` is called
once all of it is, each time any of it had not been, with the channels that were not: then the owner
fetches what it missed. A cluster's layout is read again when a node says that a slot moved or can't
be reached, and each `reread` seconds of its paces.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from functools import partial

import redis

from functions.shared.stores.subscriber_link import PACES, Link, Paces
from functions.shared.stores.valkey_address import Node, ValkeyAddress
from functions.shared.stores.valkey_cluster import read_layout
from functions.shared.stores.valkey_slots import Layout, slot_of

BACKOFF_BASE_SECONDS = 0.05


class ValkeySubscriber:
    """Subscribed connections, one to each node that has wanted channels, held open by `run`.

    `deliver(channel, payload)` is called on the event loop for each message, in its channel's
    order; twice for one that is published while its slot moves, it may be. `listening(channel)` is
    called whenever the server has said that a channel is subscribed.
    """

    def __init__(
        self,
        url: str,
        deliver: Callable[[bytes, bytes], None],
        restored: Callable[[frozenset[str]], None],
        listening: Callable[[str], None] = lambda channel: None,
        rng: random.Random | None = None,
        paces: Paces = PACES,
    ) -> None:
        self.paces = paces
        self.address = ValkeyAddress.parse(url)
        self.tls = ssl.create_default_context() if self.address.tls else None
        self.deliver, self._restored, self._listening = deliver, restored, listening
        self._rng = rng or random.Random()
        seed = self.address.nodes[0]
        self._layout = None if self.address.cluster else Layout.of_one(seed)
        self._stale = asyncio.Event()
        self._wanted: set[str] = set()
        #: Of what is wanted, what may be published without our hearing it.
        self._unheard: set[str] = set()
        self._missed: set[str] = set()
        self._keepers: dict[Node, _Keeper] = {}
        self._tasks: dict[Node, asyncio.Task[None]] = {}
        self._whole = False

    @property
    def connected(self) -> bool:
        """Whether every wanted channel is subscribed on a connection that answers."""
        return self._whole

    def subscribe(self, channels: Iterable[str]) -> None:
        """Wants these channels from now on; at once if connected."""
        fresh = {channel for channel in channels if channel not in self._wanted}
        self._wanted |= fresh
        for node, together in self._by_primary(fresh).items():
            keeper = None if node is None else self._keepers.get(node)
            if keeper is None:
                self.unheard(together)
            elif not keeper.subscribe(together):
                self._miss(together)  # its connection is being opened

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Wants these channels no longer."""
        gone = {channel for channel in channels if channel in self._wanted}
        self._wanted -= gone
        self._unheard -= gone
        self._missed -= gone
        for keeper in self._keepers.values():
            keeper.unsubscribe(gone)
        self._settle()

    async def run(self) -> None:
        """Keeps the connections, until cancelled."""
        attempt = 0
        async with asyncio.TaskGroup() as keeping:
            try:
                while True:
                    self._stale.clear()
                    if self.address.cluster:
                        await self._read_layout()
                    self._place(keeping)
                    if await self._outdated():
                        attempt = 0 if self._whole else attempt + 1
                        await asyncio.sleep(self.backoff_seconds(attempt))
            finally:
                self._whole = False
                for task in self._tasks.values():
                    task.cancel()

    async def _outdated(self) -> bool:
        """Waits until the layout is to be read again; whether because it proved wrong."""
        try:
            async with asyncio.timeout(self._rng.uniform(self.paces.reread / 2, self.paces.reread)):
                await self._stale.wait()
        except TimeoutError:
            return False
        return True

    def backoff_seconds(self, attempt: int) -> float:
        """How long to wait before another attempt: exponential with full jitter."""
        ceiling = min(self.paces.pause_most, BACKOFF_BASE_SECONDS * 2 ** min(attempt, 10))
        return self._rng.uniform(0, ceiling)

    # -- What the connections tell

    def heard(self, channel: str) -> None:
        """A channel is delivered from now on."""
        self._unheard.discard(channel)
        self._listening(channel)
        self._settle()

    def opened(self) -> None:
        """A connection was made."""
        self._settle()

    def lost(self, channels: Iterable[str]) -> None:
        """The connection that had these channels ended."""
        self._whole = False
        self.unheard(channels)

    def unheard(self, channels: Iterable[str]) -> None:
        """Channels are delivered no longer: by what the layout says they should be."""
        self._miss(self._wanted.intersection(channels))
        self._stale.set()

    def moved(self, slot: int) -> None:
        """A slot is another node's."""
        self.unheard([channel for channel in self._wanted if slot_of(channel) == slot])

    # -- Where channels are

    async def _read_layout(self) -> None:
        """A new layout, or the last one still when nobody tells any."""
        known = list(self._keepers)
        try:
            self._layout = await asyncio.to_thread(read_layout, self.address, known)
        except redis.RedisError:
            self._stale.set()

    def _by_primary(self, channels: Iterable[str]) -> dict[Node | None, set[str]]:
        grouped: dict[Node | None, set[str]] = {}
        for channel in channels:
            node = None if self._layout is None else self._layout.primary(slot_of(channel))
            grouped.setdefault(node, set()).add(channel)
        return grouped

    def _place(self, keeping: asyncio.TaskGroup) -> None:
        """Every wanted channel on the connection to its slot's primary, and no others open."""
        grouped = self._by_primary(self._wanted)
        if nowhere := grouped.pop(None, None):
            self.unheard(nowhere)
        placed = {node: channels for node, channels in grouped.items() if node is not None}
        if not self.address.cluster:
            placed.setdefault(self.address.nodes[0], set())  # one server is kept, idle or not
        for node in self._keepers.keys() - placed.keys():
            del self._keepers[node]
            self._tasks.pop(node).cancel()
        for node, channels in placed.items():
            keeper = self._keepers.get(node)
            if keeper is None:
                keeper = self._keepers[node] = _Keeper(self, node)
                self._tasks[node] = keeping.create_task(keeper.run())
            self._miss(keeper.assign(channels))
        self._settle()

    def _miss(self, channels: set[str]) -> None:
        if channels:
            self._unheard |= channels
            self._missed |= channels
            self._whole = False

    def _settle(self) -> None:
        """Tells once that all is heard, when it had not been."""
        if self._whole or self._unheard or self._layout is None:
            return
        if all(keeper.open for keeper in self._keepers.values()):
            self._whole = True
            missed, self._missed = frozenset(self._missed), set()
            self._restored(missed)


class _Keeper:
    """The connection to one node, opened again whenever it ends."""

    def __init__(self, owner: ValkeySubscriber, node: Node) -> None:
        self._owner, self._node = owner, node
        self._assigned: set[str] = set()
        self._asked: set[str] = set()  # on this connection, and not refused
        self._link: Link | None = None
        self._served = False

    @property
    def open(self) -> bool:
        return self._link is not None

    def assign(self, channels: set[str]) -> set[str]:
        """Takes these channels and no others; gives those that were not asked for yet. One that
        went elsewhere is ended by the server itself, which knows that the slot is not its own."""
        self._assigned = set(channels)
        self._asked &= channels
        missing = channels - self._asked
        if self._link is not None:
            self._asked |= missing
            self._link.subscribe(missing)
        return missing

    def subscribe(self, channels: set[str]) -> bool:
        """Takes these channels in addition; whether they were asked for at once."""
        self._assigned |= channels
        if self._link is None:
            return False
        self._asked |= channels
        self._link.subscribe(channels)
        return True

    def unsubscribe(self, channels: set[str]) -> None:
        gone = self._assigned & channels
        self._assigned -= gone
        self._asked -= gone
        if self._link is not None and gone:
            self._link.unsubscribe(gone)

    async def run(self) -> None:
        """Keeps the connection, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._hold()
            except (OSError, TimeoutError):
                self._served = False
            attempt = 0 if self._served else attempt + 1
            self._owner.lost(self._assigned)
            await asyncio.sleep(self._owner.backoff_seconds(attempt))

    async def _hold(self) -> None:
        """One connection from its opening to its end."""
        owner, self._served = self._owner, False
        connect = asyncio.get_running_loop().create_connection
        async with asyncio.timeout(owner.paces.connect):
            transport, link = await connect(
                partial(Link, self, owner.deliver), *self._node, ssl=owner.tls
            )
        try:
            link.greet(owner.address.username, owner.address.password)
            if (key := self._probe_key()) is not None:
                link.probe(key)  # what has no say refuses before it takes a subscription
            link.subscribe(self._assigned)
            self._link, self._asked = link, set(self._assigned)
            owner.opened()
            await link.ended(self._probe_key, owner.paces)
        finally:
            self._link = None
            self._asked.clear()
            transport.abort()

    def _probe_key(self) -> str | None:
        return next(iter(self._assigned), None)

    # -- What the link tells

    def confirmed(self, channel: str) -> None:
        self._served = True
        if channel in self._assigned:
            self._owner.heard(channel)

    def dropped(self, channel: str) -> None:
        self._asked.discard(channel)
        if channel in self._assigned:
            self._owner.unheard([channel])

    def moved(self, slot: int) -> None:
        self._asked -= {channel for channel in self._assigned if slot_of(channel) == slot}
        self._owner.moved(slot)
