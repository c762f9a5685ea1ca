"""The limit order book of one symbol: price first, then time of arrival.

Pure and in memory. Invariants: no level is empty; a level's quantity is the sum of what its orders
show; after `match` has taken what it may, the remainder can rest without crossing the other side.
(A call auction's book may cross until its matching.) The market makers' quotes are resting orders
like any other, so a client's order queues and trades with them by the same rule.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

DEPTH = 5


class Side(StrEnum):
    """FIX Side(54)."""

    BUY = "1"
    SELL = "2"

    @property
    def other(self) -> "Side":
        """The side this one trades with."""
        return Side.SELL if self is Side.BUY else Side.BUY


class RestingOrder:
    """A quantity waiting at a price. `order_id` names the client's order; 0 is a market maker's.

    `leaves` is what the book shows. A disclosed-quantity order keeps the rest in `reserve` and
    shows `display` of it at a time. `owner` is whom it may not trade with: itself.
    """

    __slots__ = ("display", "leaves", "order_id", "owner", "price", "reserve", "side")

    def __init__(
        self,
        side: Side,
        price: int,
        leaves: int,
        order_id: int = 0,
        owner: str = "",
        display: int = 0,
        reserve: int = 0,
    ) -> None:
        self.side = side
        self.price = price
        self.leaves = leaves
        self.order_id = order_id
        self.owner = owner
        self.display = display
        self.reserve = reserve

    @property
    def total(self) -> int:
        """All that is open, shown or not."""
        return self.leaves + self.reserve


class Fill(NamedTuple):
    """What an arriving order took from one resting order, at the resting order's price. A quantity
    of 0: the two are one owner's, and the resting order left the book instead of trading.
    """

    maker: RestingOrder
    price: int
    quantity: int


# One displayed price level: price and total quantity.
LevelView = tuple[int, int]


class _Level:
    """All orders at one price, in order of arrival (a dict keeps insertion order)."""

    __slots__ = ("quantity", "queue")

    def __init__(self) -> None:
        self.quantity = 0
        self.queue: dict[RestingOrder, None] = {}


class _BookSide:
    """The levels of one side; `prices` ascends: the best bid is last, the best offer first."""

    __slots__ = ("best_at", "levels", "prices")

    def __init__(self, side: Side) -> None:
        self.levels: dict[int, _Level] = {}
        self.prices: list[int] = []
        self.best_at = -1 if side is Side.BUY else 0

    def drop_level(self, price: int) -> None:
        del self.levels[price]
        del self.prices[bisect_left(self.prices, price)]


class Book:
    """One symbol's bids and offers.

    `refresh_keeps_place`: whether the next shown part of a disclosed-quantity order stays at the
    front of its price. Brokers' pages disagree on NSE's rule, so it is a flag of the venue.
    """

    __slots__ = ("_asks", "_bids", "_refresh_keeps_place")

    def __init__(self, *, refresh_keeps_place: bool = False) -> None:
        self._bids = _BookSide(Side.BUY)
        self._asks = _BookSide(Side.SELL)
        self._refresh_keeps_place = refresh_keeps_place

    def _side(self, side: Side) -> _BookSide:
        return self._bids if side is Side.BUY else self._asks

    def best(self, side: Side) -> int | None:
        """Return the best price of a side, None when it is empty."""
        half = self._side(side)
        return half.prices[half.best_at] if half.prices else None

    def rest(self, order: RestingOrder) -> None:
        """Put an order at the back of its price level. The caller has matched it first."""
        half = self._side(order.side)
        level = half.levels.get(order.price)
        if level is None:
            level = half.levels[order.price] = _Level()
            insort(half.prices, order.price)
        level.queue[order] = None
        level.quantity += order.leaves

    def remove(self, order: RestingOrder) -> None:
        """Take a resting order out; KeyError if it does not rest here."""
        half = self._side(order.side)
        level = half.levels[order.price]
        del level.queue[order]
        level.quantity -= order.leaves
        if not level.queue:
            half.drop_level(order.price)

    def resize(self, order: RestingOrder, leaves: int) -> None:
        """Change the open quantity (above zero): a decrease keeps the order's place in the queue,
        an increase goes to the back of it.
        """
        level = self._side(order.side).levels[order.price]
        level.quantity += leaves - order.leaves
        if leaves > order.leaves:
            del level.queue[order]
            level.queue[order] = None
        order.leaves = leaves

    def reduce(self, order: RestingOrder, total: int) -> None:
        """Lower the whole open quantity, what is not shown first; 0 takes the order out."""
        if not total:
            self.remove(order)
            order.leaves = order.reserve = 0
        elif total > order.leaves:
            order.reserve = total - order.leaves
        else:
            order.reserve = 0
            self.resize(order, total)

    def orders(self, side: Side) -> Iterator[RestingOrder]:
        """Iterate over a side's orders, best price first and oldest first."""
        half = self._side(side)
        prices = reversed(half.prices) if half.best_at else iter(half.prices)
        for price in prices:
            yield from half.levels[price].queue

    def match(self, side: Side, limit: int | None, quantity: int, owner: str = "") -> list[Fill]:
        """Trade an arriving order against the other side, best price first and oldest first.

        `limit` None is a market order. Returns the fills; their sum is at most `quantity`. Resting
        orders that are used up leave the book, and so do those of the same `owner` that it meets.
        """
        fills: list[Fill] = []
        half = self._side(side.other)
        buying = side is Side.BUY
        while quantity and half.prices:
            price = half.prices[half.best_at]
            if limit is not None and (price > limit if buying else price < limit):
                break
            level = half.levels[price]
            while quantity and level.queue:
                maker = next(iter(level.queue))
                if owner and maker.owner == owner:
                    del level.queue[maker]
                    level.quantity -= maker.leaves
                    fills.append(Fill(maker, price, 0))
                    continue
                traded = min(quantity, maker.leaves)
                quantity -= traded
                maker.leaves -= traded
                level.quantity -= traded
                if not maker.leaves:
                    del level.queue[maker]
                    if maker.reserve:
                        self._refresh(level, maker)
                fills.append(Fill(maker, price, traded))
            if not level.queue:
                half.drop_level(price)
        return fills

    def _refresh(self, level: _Level, maker: RestingOrder) -> None:
        """Show the next part of a disclosed-quantity order."""
        maker.leaves = min(maker.display, maker.reserve)
        maker.reserve -= maker.leaves
        level.quantity += maker.leaves
        if self._refresh_keeps_place:
            level.queue = {maker: None, **level.queue}
        else:
            level.queue[maker] = None

    def depth(self, side: Side, levels: int = DEPTH) -> list[LevelView]:
        """Return the best levels of a side, best first."""
        half = self._side(side)
        prices = half.prices[-levels:][::-1] if half.best_at else half.prices[:levels]
        at = half.levels
        return [(price, at[price].quantity) for price in prices]
