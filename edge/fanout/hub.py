"""Who watches what, and what of it is new to them.

Invariant: a client is sent, at its tick, the newest value of exactly those of its symbols that
changed since it was last sent any; so a client that missed ticks misses steps, never the latest.
A quote is rendered once per symbol and mode, however many watch it. A client that left is in no
set of this module.

Each view remembers the version (a count of batches) of its last change and each client the version
it has seen; what is new is a comparison a symbol, and an update costs nothing per watcher. Clients
are spread over ten groups, one of which is served every 10 ms. A client whose last tick had nothing
to say is idle, and the next change reaches it at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edge.fanout.actions import Mode
from edge.fanout.client import Client
from edge.fanout.frames import array_frame, text_frame
from edge.fanout.rendering import QUOTE, RENDERERS, SNAPSHOT
from functions.shared.wire.quotes import Quote, partition_of_symbol

GROUPS = 10
TICK_SECONDS = 0.01
#: Ticks (of 100 ms for one client) without anything to say after which a heartbeat is sent.
HEARTBEAT_TICKS = 10
SYMBOLS_PER_CLIENT_MAX = 3_000
HEARTBEAT = text_frame(b'{"type":"heartbeat"}')


class Listed(NamedTuple):
    """What a client is told of a symbol when it subscribes."""

    exchange: str
    token: int


class View:
    """One symbol in one mode: its ready piece and who watches it."""

    __slots__ = ("clients", "mode", "piece", "render", "symbol", "version")

    def __init__(self, symbol: str, mode: Mode) -> None:
        self.symbol, self.mode, self.render = symbol, mode, RENDERERS[mode]
        self.piece = b""
        self.version = 0
        self.clients: set[Client] = set()


class Subscribed(NamedTuple):
    """The outcome of a subscription: symbols accepted, and code by refused symbol."""

    accepted: list[str]
    rejected: list[tuple[str, str]]


class Hub:
    """Last values, watchers and groups of one process."""

    def __init__(self, listed: Mapping[str, Listed]) -> None:
        self.listed = listed
        self.version = 0
        self.deliveries = self.flushes = 0
        self.woken: set[Client] = set()
        #: The partitions whose prices stand still (fanout.freshness).
        self.stale: frozenset[int] = frozenset()
        self._quotes: dict[str, Quote] = {}
        self._views: dict[str, list[View]] = {}
        self._groups: list[set[Client]] = [set() for _ in range(GROUPS)]
        self._idle: set[Client] = set()

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    @property
    def leftovers(self) -> int:
        """Entries kept for clients outside the groups: 0 once all have left."""
        watching = sum(len(v.clients) for views in self._views.values() for v in views)
        return watching + len(self._idle) + len(self.woken)

    def group(self, number: int) -> list[Client]:
        """The clients of a group now."""
        return list(self._groups[number])

    def clients(self) -> list[Client]:
        """Every client now."""
        return [client for group in self._groups for client in group]

    def enter(self, client: Client) -> None:
        """A client joins the smallest group."""
        client.group = min(range(GROUPS), key=lambda number: len(self._groups[number]))
        client.seen = self.version
        self._groups[client.group].add(client)

    def leave(self, client: Client) -> None:
        """A client is forgotten. Harmless when it is already."""
        self._groups[client.group].discard(client)
        self._idle.discard(client)
        self.woken.discard(client)
        for view in client.views:
            self._unwatch(view, client)
        client.views = ()

    def subscribe(self, client: Client, symbols: Sequence[str], mode: Mode) -> Subscribed:
        """Adds symbols, or changes their mode, up to SYMBOLS_PER_CLIENT_MAX of them."""
        watched = {view.symbol: view for view in client.views}
        accepted: dict[str, None] = {}
        rejected: list[tuple[str, str]] = []
        for asked in symbols:
            symbol = asked.removeprefix("NSE:")
            if symbol not in self.listed:
                rejected.append((asked, "UNKNOWN_SYMBOL"))
                continue
            known = watched.get(symbol)
            if known is None and len(watched) >= SYMBOLS_PER_CLIENT_MAX:
                rejected.append((asked, "TOO_MANY_SYMBOLS"))
                continue
            if known is None or known.mode != mode:
                if known is not None:
                    self._unwatch(known, client)
                watched[symbol] = self._watch(symbol, mode, client)
            accepted[symbol] = None
        client.views = tuple(watched.values())
        return Subscribed(list(accepted), rejected)

    def unsubscribe(self, client: Client, symbols: Iterable[str]) -> list[str]:
        """Drops symbols; returns those that were watched."""
        watched = {view.symbol: view for view in client.views}
        dropped = []
        for asked in symbols:
            view = watched.pop(asked.removeprefix("NSE:"), None)
            if view is not None:
                self._unwatch(view, client)
                dropped.append(view.symbol)
        client.views = tuple(watched.values())
        return dropped

    def snapshots(self, symbols: Iterable[str], mode: Mode) -> list[bytes]:
        """The `snapshot` pieces of the symbols that have a price."""
        render, quotes = RENDERERS[mode], self._quotes
        return [render(SNAPSHOT, quotes[symbol]) for symbol in symbols if symbol in quotes]

    def stale_of(self, symbols: Iterable[str]) -> list[str]:
        """Those of the symbols whose prices stand still."""
        stale = self.stale
        return [s for s in symbols if partition_of_symbol(s) in stale] if stale else []

    def take(self, quotes: Iterable[Quote]) -> None:
        """Takes a batch; idle watchers of what moved are `woken`, to be served by `wake`."""
        self.version += 1
        version, known, idle = self.version, self._quotes, self._idle
        for quote in quotes:
            before = known.get(quote.symbol)
            if not quote.ltp or (before is not None and quote.seq <= before.seq):
                continue
            known[quote.symbol] = quote
            for view in self._views.get(quote.symbol, ()):
                view.piece = view.render(QUOTE, quote)
                view.version = version
                if idle:
                    self.woken |= view.clients & idle

    def wake(self) -> None:
        """Serves those whom the batches since the last call have woken from silence."""
        woken, self.woken = self.woken, set()
        for client in woken:
            if not client.blocked:
                self._idle.discard(client)
                self._flush(client)

    def tick(self, number: int) -> None:
        """Serves one group: one write a client, of what changed since its last."""
        version = self.version
        deliveries = flushes = 0
        for client in self._groups[number]:
            if client.blocked:
                continue
            seen = client.seen
            pieces = [view.piece for view in client.views if view.version > seen]
            if pieces:
                client.seen = version
                client.quiet = 0
                client.write(array_frame(pieces))
                deliveries += len(pieces)
                flushes += 1
            else:
                self._keep_quiet(client)
        self.deliveries += deliveries
        self.flushes += flushes

    def _flush(self, client: Client) -> None:
        pieces = [view.piece for view in client.views if view.version > client.seen]
        if not pieces:
            return
        client.seen = self.version
        client.quiet = 0
        client.write(array_frame(pieces))
        self.deliveries += len(pieces)
        self.flushes += 1

    def _keep_quiet(self, client: Client) -> None:
        client.quiet += 1
        if client.quiet == 1:
            self._idle.add(client)
        elif client.quiet >= HEARTBEAT_TICKS:
            client.quiet = 1
            client.write(HEARTBEAT)

    def _watch(self, symbol: str, mode: Mode, client: Client) -> View:
        views = self._views.setdefault(symbol, [])
        view = next((each for each in views if each.mode == mode), None)
        if view is None:
            view = View(symbol, mode)
            views.append(view)
        view.clients.add(client)
        return view

    def _unwatch(self, view: View, client: Client) -> None:
        view.clients.discard(client)
        if not view.clients:
            views = self._views[view.symbol]
            views.remove(view)
            if not views:
                del self._views[view.symbol]
