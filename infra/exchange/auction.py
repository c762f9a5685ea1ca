"""The price of a call auction, and who trades with whom at it. Pure.

The rule is the exchange's (NSE, call auction): the price at which the most shares trade; of several
the one that leaves the fewest unmatched; of those the one nearest to the reference (the previous
close, or the closing session's reference price); and if two are equally near, the reference itself.
With market orders alone on both sides it is the reference. Market orders go first, then the better
price, then the earlier time.

Invariant: after the matching no buyer and seller are left who would both take the price, so what
remains can rest in one book without crossing.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from infra.exchange.book import RestingOrder
from infra.exchange.register import Order


class Bid(NamedTuple):
    """An order in an auction, of either side. `limit` None is at the market; the house has no
    `order`, a market order no `resting`.
    """

    limit: int | None
    quantity: int
    order: Order | None = None
    resting: RestingOrder | None = None


class Equilibrium(NamedTuple):
    """The auction's price and how many shares trade at it."""

    price: int
    volume: int


def equilibrium(buys: Sequence[Bid], sells: Sequence[Bid], reference: int) -> Equilibrium | None:
    """Return the price and volume; None when nobody meets."""
    prices = sorted({bid.limit for bid in (*buys, *sells) if bid.limit is not None})
    demand = _cumulated(buys, prices, descending=True)
    supply = _cumulated(sells, prices, descending=False)
    if not prices:
        prices = [reference]
    volumes = [min(pair) for pair in zip(demand, supply, strict=True)]
    volume = max(volumes)
    if not volume:
        return None
    ranked = [
        ((abs(demand[n] - supply[n]), abs(price - reference)), price)
        for n, price in enumerate(prices)
        if volumes[n] == volume
    ]
    best = min(rank for rank, _ in ranked)
    chosen = [price for rank, price in ranked if rank == best]
    return Equilibrium(chosen[0] if len(chosen) == 1 else reference, volume)


def pairs(
    buys: Sequence[Bid], sells: Sequence[Bid], result: Equilibrium
) -> Iterator[tuple[Bid, Bid, int]]:
    """Yield buyer, seller and quantity until the volume is used up. Each side comes in order of
    arrival within a price, limit orders best price first.
    """
    price, left = result
    buyers = iter(_eligible(buys, lambda limit: limit >= price))
    sellers = iter(_eligible(sells, lambda limit: limit <= price))
    buyer = seller = None
    wanted = offered = 0
    while left:
        if not wanted:
            buyer = next(buyers)
            wanted = buyer.quantity
        if not offered:
            seller = next(sellers)
            offered = seller.quantity
        if buyer is None or seller is None:
            raise AssertionError("an auction's volume exceeds its orders")
        traded = min(wanted, offered, left)
        yield buyer, seller, traded
        wanted, offered, left = wanted - traded, offered - traded, left - traded


def _eligible(bids: Sequence[Bid], takes: Callable[[int], bool]) -> list[Bid]:
    at_market = [bid for bid in bids if bid.limit is None]
    return at_market + [bid for bid in bids if bid.limit is not None and takes(bid.limit)]


def _cumulated(bids: Sequence[Bid], prices: list[int], *, descending: bool) -> list[int]:
    """Return how many shares would trade at each price: market orders, and limits as good."""
    at_market = sum(bid.quantity for bid in bids if bid.limit is None)
    by_price = dict.fromkeys(prices, 0)
    for bid in bids:
        if bid.limit is not None:
            by_price[bid.limit] += bid.quantity
    quantities = [by_price[price] for price in prices] or [0]
    if descending:
        quantities.reverse()
    sums = [at_market + total for total in accumulate(quantities)]
    if descending:
        sums.reverse()
    return sums
