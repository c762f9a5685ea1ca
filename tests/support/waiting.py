"""Stops of a `Trader`: placed, released as the worker of commands would, and expired."""

from dataclasses import replace
from datetime import timedelta

import msgspec

from functions.shared.bookkeeping import changing, placing, releasing
from functions.shared.bookkeeping.changing import Changed
from functions.shared.bookkeeping.placing import Placed, Placement
from functions.shared.bookkeeping.releasing import Released
from functions.shared.clock import micros
from functions.shared.domain.gtt import judge_gtt
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import OrderIntent, judge
from functions.shared.domain.waiting import judge_stop, released_intent, terms_of
from functions.shared.wire.events import TriggerSeen
from tests.support.ledger import ACME, OPEN, Trader, price

LAST = 100 * 10_000
"""The last trade and the previous close of a test, in ten-thousandths of a rupee."""


def stop(
    trader: Trader, side: Side, quantity: int, trigger: float, limit: float | None = None,
    product: Product = Product.CNC, key: str | None = None,
) -> Placed:  # fmt: skip
    """Places a STOP, or with a limit a STOP_LIMIT. Prices in rupees."""
    return placing.place(
        trader.shards, stop_placement(trader, side, quantity, trigger, limit, product, key)
    )


def stop_placement(
    trader: Trader, side: Side, quantity: int, trigger: float, limit: float | None = None,
    product: Product = Product.CNC, key: str | None = None,
) -> Placement:  # fmt: skip
    kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    intent = OrderIntent(
        side, kind, quantity, None if limit is None else price(limit), trigger_price=price(trigger)
    )
    base = trader.placement(side, quantity, None, key, product=product)
    return Placement(
        user_id=base.user_id,
        client_order_id=base.client_order_id,
        fingerprint=f"{side}{quantity}{trigger}{limit}".encode(),
        symbol=base.symbol,
        intent=intent,
        product=product,
        validity=Validity.DAY,
        judgement=judge_stop(intent, product, ACME, LAST, LAST, OPEN),
        context="{}",
        open_orders_max=base.open_orders_max,
        trade_date=trader.today,
        now=trader.now,
        terms=terms_of(intent, Validity.DAY, None, OPEN, trader.now, "nse", LAST),
    )


def gtt(
    trader: Trader, side: Side, quantity: int, trigger: float, limit: float, most: int = 250
) -> Placed:
    """Places a GTT. Prices in rupees."""
    intent = OrderIntent(
        side, OrderType.LIMIT, quantity, price(limit), trigger_price=price(trigger)
    )  # fmt: skip
    terms = terms_of(intent, Validity.GTT, None, OPEN, trader.now, "nse", LAST)
    assert terms is not None
    base = trader.placement(side, quantity, limit)
    return placing.place(
        trader.shards,
        replace(
            base,
            intent=intent,
            validity=Validity.GTT,
            judgement=judge_gtt(intent, Product.CNC, ACME, LAST, OPEN),
            terms=replace(terms, gtt_max=most),
        ),
    )


def stopped(trader: Trader, side: Side, quantity: int, trigger: float, **more: object) -> int:
    """The number of an accepted one."""
    placed = stop(trader, side, quantity, trigger, **more)  # type: ignore[arg-type]
    assert placed.outcome == "ACCEPTED", placed.rules
    assert placed.order is not None
    return placed.order.order_id


def release(trader: Trader, order_id: int, rupees: float, version: int | None = None) -> Released:
    """What the worker does when it is told of a trade at `rupees`, of the order as it is now or as
    it was in that version."""
    order = trader.order(order_id)
    if version is not None:
        order = msgspec.structs.replace(order, version=version)
    intent = OrderIntent(
        Side(order.side), OrderType(order.type), order.quantity, order.price,
        trigger_price=order.trigger_price,
    )  # fmt: skip
    verdict = judge(
        released_intent(intent), Product(order.product), ACME, price(rupees), LAST, OPEN
    )
    return releasing.release(
        trader.shards, order, trader.user_id, price(rupees), verdict,
        TriggerSeen(why="PRICE", seen_at=micros(trader.now), price=price(rupees), seq=7), "{}",
        trader.today, trader.now,
    )  # fmt: skip


def modify_stop(trader: Trader, order_id: int, quantity: int, trigger: float) -> Changed:
    """A new total and a new trigger for a STOP that waits."""
    order = trader.order(order_id)
    intent = OrderIntent(
        Side(order.side), OrderType.STOP, quantity, None, trigger_price=price(trigger)
    )
    verdict = judge_stop(intent, Product(order.product), ACME, LAST, LAST, OPEN)
    return changing.request_modify(
        trader.shards, trader.user_id, order_id, trader.request_id(), None, trader.today,
        trader.now, changing.Asked(quantity, None, price(trigger)), quantity, verdict,
    )  # fmt: skip


def expire(trader: Trader, order_id: int, after: timedelta = timedelta(hours=4)) -> bool:
    return releasing.expire(
        trader.shards, trader.user_id, order_id, trader.today, trader.now + after
    )
