"""Who watches what, and what of it is new to them.

Invariant: a client is sent, at its tick, the newest value of exactly those of its symbols that
changed since it was last sent any; so a client that missed ticks misses steps, never the latest.
A quote is rendered once per symbol and mode, however many watch it. A client that left is in no
set of this module.

Each view remembers the version (a count of changes taken in) of its last change and each client the
version it has seen; what is new is a comparison a symbol, and an update costs nothing per watcher.
Clients are spread over ten groups, one of which is served every 10 ms. A client whose last tick had
nothing to say is idle, and the next change reaches it at once.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from edge.fanout.actions import Mode
from edge.fanout.client import Client, drop_strays
from edge.fanout.differential import HeldBack, HeldView
from edge.fanout.frames import text_frame
from edge.fanout.last_values import LastValues
from edge.fanout.views import Feed, View
from functions.shared.domain.instruments import listed_name
from functions.shared.wire.quotes import Quote, partition_of_symbol

GROUPS = 10
TICK_SECONDS = 0.01
#: Ticks (of 100 ms for one client) without anything to say after which a heartbeat is sent.
HEARTBEAT_TICKS = 10
HEARTBEAT = text_frame(b'{"type":"heartbeat"}')


class Listed(NamedTuple):
    """What a client is told of a symbol when it subscribes."""

    exchange: str
    token: int


class Subscribed(NamedTuple):
    """The outcome of a subscription: symbols accepted, and code by refused symbol."""

    accepted: list[str]
    rejected: list[tuple[str, str]]


class Hub:
    """Last values, watchers and groups of one process."""

    def __init__(self, listed: Mapping[str, Listed], symbols_most: int, moves_most: int) -> None:
        self.listed = listed
        self._symbols_most = symbols_most
        self.version = 0
        self.deliveries = self.flushes = 0
        self.woken: set[Client] = set()
        #: The partitions whose prices stand still (fanout.freshness).
        self.stale: frozenset[int] = frozenset()
        self.last = LastValues()
        self._views: dict[str, list[View]] = {}
        self._held = HeldBack(moves_most)
        self._groups: list[set[Client]] = [set() for _ in range(GROUPS)]
        self._idle: set[Client] = set()

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    @property
    def leftovers(self) -> int:
        """Entries kept for clients outside the groups: 0 once all have left."""
        watching = sum(len(v.clients) for views in self._views.values() for v in views)
        watching += sum(len(view.clients) for view in self._held.views())
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

    def subscribe(
        self, client: Client, symbols: Sequence[str], mode: Mode, min_move: int = 0
    ) -> Subscribed:
        """Adds symbols, or changes how they are watched, up to `symbols_most` of them.

        `min_move` in ten-thousandths of a rupee: smaller changes may come up to a second late.
        """
        feed = Feed(mode, client.encoding, min_move)
        watched = _watched(client)
        accepted: dict[str, None] = {}
        rejected: list[tuple[str, str]] = []
        for asked in symbols:
            symbol = listed_name(asked)
            if symbol not in self.listed:
                rejected.append((asked, "UNKNOWN_SYMBOL"))
                continue
            known = watched.get(symbol)
            if known is None and len(watched) >= self._symbols_most:
                rejected.append((asked, "TOO_MANY_SYMBOLS"))
                continue
            if known is None or known.feed != feed:
                if known is not None:
                    self._unwatch(known, client)
                watched[symbol] = self._watch(symbol, feed, client)
            accepted[symbol] = None
        client.views = tuple(watched.values())
        return Subscribed(list(accepted), rejected)

    def unsubscribe(self, client: Client, symbols: Iterable[str]) -> list[str]:
        """Drops symbols; returns those that were watched."""
        watched = _watched(client)
        dropped = []
        for asked in symbols:
            view = watched.pop(listed_name(asked), None)
            if view is not None:
                self._unwatch(view, client)
                dropped.append(view.symbol)
        client.views = tuple(watched.values())
        return dropped

    def strays(self, live: Container[Client]) -> Iterator[int]:
        """Drops what is kept for clients that aren't `live`; yields what each set had of them."""
        for clients in (*self._groups, self._idle, self.woken):
            yield drop_strays(clients, live)
        views = [each for of_symbol in self._views.values() for each in of_symbol]
        for view in [*views, *self._held.views()]:
            found = drop_strays(view.clients, live)
            if found and not view.clients:
                self._drop_view(view)
            yield found

    def snapshots(self, client: Client, symbols: Iterable[str]) -> list[bytes]:
        """The `snapshot` pieces of those symbols, watched by this client, that have a price."""
        watched, quotes = _watched(client), self.last.quotes
        return [watched[each].snapshot(quotes[each]) for each in symbols if each in quotes]

    def stale_of(self, symbols: Iterable[str]) -> list[str]:
        """Those of the symbols whose prices stand still."""
        stale = self.stale
        return [s for s in symbols if partition_of_symbol(s) in stale] if stale else []

    def take(self, quotes: Iterable[Quote]) -> None:
        """Takes a batch; idle watchers of what moved are `woken`, to be served by `wake`."""
        self.version += 1
        version, newer, idle = self.version, self.last.take, self._idle
        held = self._held.by_symbol
        for quote in quotes:
            if not newer(quote):
                continue
            for view in self._views.get(quote.symbol, ()):
                view.show(quote, version)
                if idle:
                    self.woken |= view.clients & idle
            if held and quote.symbol in held:
                for late in self._held.passing(quote):
                    self._tell(late, quote)

    def release(self, now: float) -> None:
        """Shows what was held back for long enough; `now` in monotonic seconds. Once a tick."""
        due = list(self._held.due(now))
        if due:
            self.version += 1
        for view, quote in due:
            self._tell(view, quote)

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
            owed = client.owed
            if owed is not None:
                self._pay(client, pieces, owed)
                deliveries += len(pieces) + 1
            elif pieces:
                client.seen = version
                client.quiet = 0
                write, frame = client.write, client.frame  # called as methods they cost more
                write(frame(pieces))
                deliveries += len(pieces)
            else:
                self._keep_quiet(client)
                continue
            flushes += 1
        self.deliveries += deliveries
        self.flushes += flushes

    def _flush(self, client: Client) -> None:
        pieces = [view.piece for view in client.views if view.version > client.seen]
        if not pieces:
            return
        client.seen = self.version
        client.quiet = 0
        client.write(client.frame(pieces))
        self.deliveries += len(pieces)
        self.flushes += 1

    def _pay(self, client: Client, pieces: list[bytes], owed: bytes) -> None:
        """Writes quotes and what the portfolio came to in one go."""
        client.owed = None
        client.seen = self.version
        client.quiet = 0
        client.write(client.encoding.frame_beside(pieces, owed))

    def _keep_quiet(self, client: Client) -> None:
        client.quiet += 1
        if client.quiet == 1:
            self._idle.add(client)
        elif client.quiet >= HEARTBEAT_TICKS:
            client.quiet = 1
            client.write(HEARTBEAT)

    def _tell(self, view: HeldView, quote: Quote) -> None:
        view.told(quote)
        view.show(quote, self.version)
        self.woken |= view.clients & self._idle

    def _watch(self, symbol: str, feed: Feed, client: Client) -> View:
        if feed.min_move:
            late = self._held.watch(symbol, feed, self.last.quotes.get(symbol))
            if late is not None:
                if late.held is not None:  # what the newcomer's snapshot tells, all are told
                    self.version += 1
                    self._tell(late, late.held)
                late.clients.add(client)
                return late
            feed = feed._replace(min_move=0)
        views = self._views.setdefault(symbol, [])
        for view in views:
            if view.feed == feed:
                break
        else:
            view = View(symbol, feed)
            views.append(view)
        view.clients.add(client)
        return view

    def _unwatch(self, view: View, client: Client) -> None:
        view.clients.discard(client)
        if not view.clients:
            self._drop_view(view)

    def _drop_view(self, view: View) -> None:
        if isinstance(view, HeldView):
            self._held.unwatched(view)
            return
        views = self._views[view.symbol]
        views.remove(view)
        if not views:
            del self._views[view.symbol]


def _watched(client: Client) -> dict[str, View]:
    """What a client watches, by symbol."""
    return {view.symbol: view for view in client.views}
