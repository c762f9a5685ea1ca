"""Pairs of exits and entries with exits of a `Trader`, and what the ledger has of them."""

from dataclasses import replace
from datetime import timedelta

from functions.shared.bookkeeping import placing, reading, releasing
from functions.shared.bookkeeping.placing import Placed
from functions.shared.clock import micros
from functions.shared.domain.gtt import judge_gtt
from functions.shared.domain.legs import ExitPrices
from functions.shared.domain.linked_exits import Market, exits_of, target_leg
from functions.shared.domain.orders import AT_VENUE, WORKING, OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.waiting import Terms, terms_of
from functions.shared.wire.events import OrderFacts, TriggerSeen
from tests.support.ledger import ACME, OPEN, Trader, price
from tests.support.waiting import LAST, stop_placement

MARKET = Market(ACME, LAST, LAST, OPEN, None)


def place_pair(
    trader: Trader, side: Side, quantity: int, stop: float, target: float,
    product: Product = Product.CNC,
) -> Placed:  # fmt: skip
    """A stop and a target for the day. Prices in rupees."""
    wanted = stop_placement(trader, side, quantity, stop, product=product)
    assert wanted.terms is not None
    assert wanted.terms.expires_at is not None
    leg, rules = target_leg(
        side, quantity, price(target), product, Validity.DAY, MARKET, wanted.terms.expires_at
    )
    assert rules == []
    return placing.place(trader.shards, replace(wanted, terms=replace(wanted.terms, target=leg)))


def pair(
    trader: Trader, side: Side, quantity: int, stop: float, target: float,
    product: Product = Product.CNC,
) -> tuple[int, int]:  # fmt: skip
    """The numbers of the stop and the target that were placed."""
    return _numbers(trader, place_pair(trader, side, quantity, stop, target, product))


def gtt_pair(trader: Trader, quantity: int, stop: float, target: float) -> tuple[int, int]:
    """A two-leg GTT that sells."""
    intent = OrderIntent(
        Side.SELL, OrderType.LIMIT, quantity, price(stop), trigger_price=price(stop)
    )
    terms = terms_of(intent, Validity.GTT, None, OPEN, trader.now, "nse", LAST)
    assert terms is not None
    assert terms.expires_at is not None
    leg, rules = target_leg(
        Side.SELL, quantity, price(target), Product.CNC, Validity.GTT, MARKET, terms.expires_at
    )
    assert rules == []
    wanted = replace(
        trader.placement(Side.SELL, quantity, stop),
        intent=intent,
        validity=Validity.GTT,
        judgement=judge_gtt(intent, Product.CNC, ACME, LAST, OPEN),
        terms=replace(terms, target=leg),
    )
    return _numbers(trader, placing.place(trader.shards, wanted))


def bracket(
    trader: Trader, side: Side, quantity: int, rupees: float, stop: float, target: float,
    product: Product = Product.CNC,
) -> int:  # fmt: skip
    """The number of an entry whose fills bring a stop and a target to life."""
    base = trader.placement(side, quantity, rupees, product=product)
    legs, rules = exits_of(
        base.intent, ExitPrices(price(stop), None, price(target)), product,
        replace(MARKET, price=price(rupees)), price(rupees), trader.now + timedelta(hours=3),
    )  # fmt: skip
    assert rules == []
    placed = placing.place(trader.shards, replace(base, terms=Terms(None, None, exits=legs)))
    assert placed.outcome == "ACCEPTED", placed.rules
    assert placed.order is not None
    return placed.order.order_id


def trailing_stop(trader: Trader, side: Side, quantity: int, trail: float) -> int:
    """A stop that follows the price, placed at LAST, in steps of a tenth of its distance."""
    trigger = 100 - trail if side is Side.SELL else 100 + trail
    wanted = stop_placement(trader, side, quantity, trigger)
    assert wanted.terms is not None
    terms = replace(wanted.terms, trail=price(trail), trail_step=price(trail) // 10)
    placed = placing.place(trader.shards, replace(wanted, terms=terms))
    assert placed.outcome == "ACCEPTED", placed.rules
    assert placed.order is not None
    return placed.order.order_id


def trail(trader: Trader, order_id: int, rupees: float) -> bool:
    """What the worker does when it is told of a trade that a trailing stop is to follow."""
    seen = TriggerSeen(why="PRICE", seen_at=micros(trader.now), price=price(rupees), seq=7)
    return releasing.trail(
        trader.shards, trader.order(order_id), trader.user_id, price(rupees), seen, trader.today,
        trader.now,
    )  # fmt: skip


def legs(trader: Trader, order_id: int) -> list[OrderFacts]:
    """The group of a leg, or all exits of an entry, oldest first."""
    order = trader.order(order_id)
    found = reading.linked(trader.shards, trader.user_id, order_id)
    return sorted([order, *found] if order.leg else found, key=lambda leg: leg.order_id)


def alive(trader: Trader, order_id: int) -> dict[str, OrderFacts]:
    """The legs of a group that work, by name."""
    return {leg.leg or "": leg for leg in legs(trader, order_id) if leg.status in WORKING}


def at_venue(trader: Trader, order_id: int) -> list[OrderFacts]:
    return [leg for leg in legs(trader, order_id) if leg.status in AT_VENUE]


def causes(trader: Trader, order_id: int) -> list[str]:
    """What the history of a leg says made it change."""
    steps = reading.history(trader.shards, trader.user_id, order_id)
    return [step.cause.code for step in steps if step.cause is not None]


def _numbers(trader: Trader, placed: Placed) -> tuple[int, int]:
    assert placed.outcome == "ACCEPTED", placed.rules
    assert placed.order is not None
    found = legs(trader, placed.order.order_id)
    assert [leg.leg for leg in found] == ["STOP", "TARGET"]
    return found[0].order_id, found[1].order_id
