"""What is watched, and what of it has come: prices and times in, commands out.

Invariant: a version of an order is asked for once, and again each ASK_AGAIN_SECONDS until the
ledger tells that it moved; the ledger alone decides what becomes of it. A price that nobody acts
on is asked about for a minute; its order is back on its ladder meanwhile, for the next price that
reaches it. An older version never takes a newer one's place, so events may come late, twice and in
any order. A price that reached an older version and reaches the newer one, too, is asked about
further as the older one's: whether it counts still is the ledger's to say, which knows who made the
newer one.

A quote is the last of some 20 ms. A new high or low of the day tells of trades in between, so a
price reaches from there to the last one. What the watcher before this one had seen is recalled, so
that a high or low made while nobody watched fires the orders that were waiting then.

A trailing stop stands on both sides: where it fires, and where the price has gone so far the other
way that its trigger is to follow. So whoever doesn't trail pays nothing for those who do.
"""

import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from edge.triggers.ladder import Ladder
from functions.shared.stores.seen_prices import DayRange, SeenPrices
from functions.shared.stores.waiting_orders import WatchedOrder
from functions.shared.wire.quotes import PriceTick
from functions.shared.wire.trigger_commands import (
    ExpireOrder,
    ReleaseOrder,
    Tick,
    TrailOrder,
    TriggerCommand,
)

ASK_AGAIN_SECONDS: Final = 5.0
#: Commands asked again at a time; the others wait for their turn of the next second.
ASK_AGAIN_MOST: Final = 1_000
#: How often a price is asked about again: for as long as a shard may be away.
PRICE_AGAIN_MOST: Final = 12


class _Asked(NamedTuple):
    at: float
    command: TriggerCommand
    again: int = 0


class _Side(NamedTuple):
    """A symbol's triggers: reached by rising prices, and by falling ones."""

    rising: Ladder
    falling: Ladder


class TriggerBook:
    """The book of one process. For one thread. `now` is a monotonic time, `at` the wall clock's or
    the business clock's in microseconds since 1970."""

    def __init__(self) -> None:
        self._watched: dict[int, WatchedOrder] = {}
        self._sides: dict[str, _Side] = {}
        self._times: list[tuple[int, int, int]] = []
        self._last: dict[str, PriceTick] = {}
        self._asked: dict[int, _Asked] = {}
        self._recalled: dict[str, DayRange] = {}
        self._acted: dict[str, DayRange] = {}

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def unanswered(self) -> int:
        """Orders asked for of which the ledger has not told since."""
        return len(self._asked)

    @property
    def symbols(self) -> list[str]:
        """Those that orders wait for the price of."""
        return list(self._sides)

    def load(self, orders: Iterable[WatchedOrder]) -> None:
        """Begins anew with what the ledger has. The prices stay known."""
        self._watched = {order.order_id: order for order in orders}
        self._asked.clear()
        triggers: dict[tuple[str, bool], list[tuple[int, int]]] = {}
        for order in self._watched.values():
            if order.trigger is not None:
                place = triggers.setdefault((order.symbol, order.rising), [])
                place.append((order.trigger, order.order_id))
            if order.ratchet is not None:
                place = triggers.setdefault((order.symbol, not order.rising), [])
                place.append((order.ratchet, order.order_id))
        self._sides = {
            symbol: _Side(*(Ladder(rising=up, triggers=triggers.get((symbol, up), ()))
                            for up in (True, False)))
            for symbol, _ in triggers
        }  # fmt: skip
        self._times = [_time_of(order) for order in self._watched.values()]
        heapq.heapify(self._times)

    def recall(self, seen: SeenPrices) -> None:
        """What the watcher before this one had seen. Before the first price."""
        self._recalled = dict(seen.ranges)
        self._acted = dict(seen.ranges)

    def seen(self, business: int) -> SeenPrices:
        """What is to be kept for the next watcher. Of a symbol with a price that was asked about
        and is not answered, what was kept before it."""
        held = {
            self._watched[asked.command.order_id].symbol
            for asked in self._asked.values()
            if isinstance(asked.command, ReleaseOrder) and asked.command.tick is not None
        }
        ranges = {symbol: self._acted[symbol] for symbol in held if symbol in self._acted}
        for symbol in self._sides:
            tick = self._last.get(symbol)
            if tick is not None and symbol not in held:
                ranges[symbol] = DayRange(tick.high, tick.low, business)
        self._acted = ranges
        return SeenPrices(ranges=ranges)

    def watch(self, order: WatchedOrder) -> None:
        """A new order, or a newer version of a known one. `reached` tells whether it has come."""
        known = self._watched.get(order.order_id)
        if known is not None and known.version >= order.version:
            return
        asked = self._asked.get(order.order_id)
        self.forget(order.order_id, order.version)
        self._watched[order.order_id] = order
        self._wait(order)
        if asked is not None and _is_reached(order, asked.command):
            # It waits on its ladder already, as after the first time of asking again.
            self._ask(asked.command, asked.at, max(asked.again, 1))
        if order.ratchet is not None:
            self._side_of(order)[order.rising].add(order.ratchet, order.order_id)
        heapq.heappush(self._times, _time_of(order))

    def forget(self, order_id: int, version: int) -> None:
        """The ledger has moved the order on to that version. Harmless when it isn't watched."""
        order = self._watched.get(order_id)
        if order is None or order.version > version:
            return
        del self._watched[order_id]
        self._asked.pop(order_id, None)
        side = self._sides.get(order.symbol)
        if order.trigger is not None and side is not None:
            side[not order.rising].remove(order.trigger, order_id)
            if order.ratchet is not None:
                side[order.rising].remove(order.ratchet, order_id)
            if not side.rising and not side.falling:
                del self._sides[order.symbol]

    def trade(self, tick: PriceTick, now: float, at: int) -> list[TriggerCommand]:
        """A symbol's newest quote. An old one, or one without a trade, changes nothing."""
        symbol = tick.symbol
        known = self._last.get(symbol)
        if not tick.ltp or (known is not None and tick.seq <= known.seq):
            return []
        self._last[symbol] = tick
        side = self._sides.get(symbol)
        if side is None:
            return []
        before: PriceTick | DayRange | None = known
        since = None
        if known is None and (recalled := self._recalled.pop(symbol, None)) is not None:
            before, since = recalled, recalled.at
        top = bottom = tick.ltp
        if before is not None:
            if tick.high > before.high > 0:
                top = max(top, tick.high)
            if 0 < tick.low < before.low:
                bottom = min(bottom, tick.low)
        if side.rising.next > top and side.falling.next < bottom:
            return []
        return [*self._reach(side.rising, top, tick, now, at, since),
                *self._reach(side.falling, bottom, tick, now, at, since)]  # fmt: skip

    def reached(self, symbols: Iterable[str], now: float, at: int) -> list[TriggerCommand]:
        """What the last known prices of these symbols reach: of orders that came after them."""
        commands: list[TriggerCommand] = []
        for symbol in symbols:
            side, tick = self._sides.get(symbol), self._last.get(symbol)
            if side is not None and tick is not None:
                for ladder in side:
                    commands += self._reach(ladder, tick.ltp, tick, now, at, None)
        return commands

    def due(self, business: int, now: float, at: int) -> list[TriggerCommand]:
        """The orders whose time has come by the business clock."""
        commands: list[TriggerCommand] = []
        times = self._times
        while times and times[0][0] <= business:
            _, order_id, version = heapq.heappop(times)
            order = self._watched.get(order_id)
            if order is None or order.version != version:
                continue
            if order.expires_at > business:
                heapq.heappush(times, (order.expires_at, order_id, version))
                commands.append(self._ask(_release(order, None, at), now))
            else:
                commands.append(self._ask(_expire(order, at), now))
        return commands

    def ask_again(self, now: float) -> list[TriggerCommand]:
        """What was asked for ASK_AGAIN_SECONDS ago or longer and is not answered."""
        late: list[_Asked] = []
        for asked in self._asked.values():  # in the order of asking
            if asked.at > now - ASK_AGAIN_SECONDS or len(late) == ASK_AGAIN_MOST:
                break
            late.append(asked)
        return [again for asked in late if (again := self._repeat(asked, now)) is not None]

    def _repeat(self, asked: _Asked, now: float) -> TriggerCommand | None:
        command = asked.command
        if isinstance(command, ReleaseOrder) and command.tick is not None:
            if asked.again == 0:
                self._wait(self._watched[command.order_id])
            elif asked.again == PRICE_AGAIN_MOST:
                del self._asked[command.order_id]
                return None
            command = msgspec.structs.replace(command, again=True)
        return self._ask(command, now, asked.again + 1)

    def _wait(self, order: WatchedOrder) -> None:
        if order.trigger is not None:
            self._side_of(order)[not order.rising].add(order.trigger, order.order_id)

    def _side_of(self, order: WatchedOrder) -> _Side:
        side = self._sides.get(order.symbol)
        if side is None:
            side = _Side(Ladder(rising=True), Ladder(rising=False))
            self._sides[order.symbol] = side
        return side

    def _reach(
        self, ladder: Ladder, price: int, tick: PriceTick, now: float, at: int, since: int | None
    ) -> list[TriggerCommand]:
        """`since`: prices beyond the last one are known from then on only; whoever came later is
        reached by the last one alone."""
        if not ladder.reached_by(price):
            return []
        reached = [self._watched[order_id] for order_id in ladder.take(price)]
        commands: list[TriggerCommand] = []
        for order in reached:
            fires = order.rising is ladder.rising
            trigger = (order.trigger if fires else order.ratchet) or 0
            by_last = tick.ltp >= trigger if ladder.rising else tick.ltp <= trigger
            if since is not None and order.changed_at > since and not by_last:
                ladder.add(trigger, order.order_id)
                continue
            seen = Tick(price=price, seq=tick.seq, timestamp_ms=tick.timestamp_ms)
            command = _release(order, seen, at) if fires else _trail(order, seen, at)
            commands.append(self._ask(command, now))
        return commands

    def _ask(self, command: TriggerCommand, now: float, again: int = 0) -> TriggerCommand:
        self._asked.pop(command.order_id, None)  # so that the latest is last
        self._asked[command.order_id] = _Asked(now, command, again)
        return command


def _time_of(order: WatchedOrder) -> tuple[int, int, int]:
    """When something is to be done about it, whatever its price does."""
    at = order.expires_at if order.releases_at is None else order.releases_at
    return (min(at, order.expires_at), order.order_id, order.version)


def _is_reached(order: WatchedOrder, command: TriggerCommand) -> bool:
    """Whether the trade that a release was asked for by reaches the order's trigger."""
    if not isinstance(command, ReleaseOrder) or command.tick is None or order.trigger is None:
        return False
    price = command.tick.price
    return price >= order.trigger if order.rising else price <= order.trigger


def _release(order: WatchedOrder, tick: Tick | None, at: int) -> ReleaseOrder:
    return ReleaseOrder(
        user_id=order.user_id, order_id=order.order_id, version=order.version, tick=tick, seen_at=at
    )


def _trail(order: WatchedOrder, tick: Tick, at: int) -> TrailOrder:
    return TrailOrder(
        user_id=order.user_id, order_id=order.order_id, version=order.version, tick=tick, seen_at=at
    )


def _expire(order: WatchedOrder, at: int) -> ExpireOrder:
    return ExpireOrder(
        user_id=order.user_id, order_id=order.order_id, version=order.version, seen_at=at
    )
