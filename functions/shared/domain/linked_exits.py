"""The rules of exits that wait together, and the legs that the ledger keeps of them.

Invariant: of two legs the target is on the far side of the price from the stop, so at most one of
them can be due at one price. Each is judged as the order it will be.

Sources: two-leg GTTs and bracket orders as brokers' help pages describe them.
"""

from dataclasses import dataclass
from datetime import datetime

from functions.shared.domain.calendar import MarketStatus
from functions.shared.domain.gtt import judge_gtt
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.legs import ExitPrices, Leg, LegName
from functions.shared.domain.money import format_price
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import Band, Judgement, OrderIntent, Rule, judge
from functions.shared.domain.waiting import judge_stop, passed_rules


@dataclass(frozen=True, slots=True)
class Market:
    """What the legs are judged on. `price`: where the position is, or will be, entered, or the last
    one; prices in ten-thousandths of a rupee."""

    instrument: Instrument
    price: int
    previous_close: int
    status: MarketStatus
    band: Band | None


def opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def target_leg(
    side: Side, quantity: int, target: int, product: Product, validity: Validity,
    market: Market, expires_at: datetime,
) -> tuple[Leg, list[Rule]]:  # fmt: skip
    """The leg that takes a gain: it waits for its limit to be reached, so that it needs nothing at
    the venue before. `side` is the exit's."""
    intent = OrderIntent(side, OrderType.LIMIT, quantity, target, trigger_price=target)
    if validity is Validity.GTT:
        verdict = judge_gtt(intent, product, market.instrument, market.price, market.status)
    else:
        verdict = judge(
            intent, product, market.instrument, target, market.previous_close, market.status,
            band=market.band,
        )  # fmt: skip
    rules = [*verdict.rules, *beyond_rules(side, target, market.price, market.instrument)]
    leg = _leg(LegName.TARGET, intent, verdict, validity, side is Side.SELL, expires_at)
    return leg, rules


def exits_of(
    entry: OrderIntent, prices: ExitPrices, product: Product, market: Market, last: int,
    expires_at: datetime,
) -> tuple[tuple[Leg, ...], list[Rule]]:  # fmt: skip
    """Both legs of an entry, for all of it, and the rules that they break. `last`: the last price;
    an entry that asks for a worse one is filled there, and its stop must be behind that too."""
    side = opposite(entry.side)
    kind = OrderType.STOP if prices.stop_limit is None else OrderType.STOP_LIMIT
    intent = OrderIntent(
        side, kind, entry.quantity, prices.stop_limit, trigger_price=prices.stop
    )  # fmt: skip
    verdict = judge_stop(
        intent, product, market.instrument, _entered(entry.side, market.price, last),
        market.previous_close, market.status, market.band,
    )  # fmt: skip
    stop = _leg(LegName.STOP, intent, verdict, Validity.DAY, side is Side.BUY, expires_at)
    target, rules = target_leg(
        side, entry.quantity, prices.target, product, Validity.DAY, market, expires_at
    )
    return (stop, target), [*verdict.rules, *(rule for rule in rules if rule not in verdict.rules)]


def moved_entry_rules(
    side: Side, price: int, last: int, exits: ExitPrices, instrument: Instrument
) -> list[Rule]:
    """What exits break by an entry's new price, `side` being the entry's: they stay where they are.
    Prices in ten-thousandths of a rupee."""
    out = opposite(side)
    return [
        *passed_rules(out, exits.stop, _entered(side, price, last), instrument),
        *beyond_rules(out, exits.target, price, instrument),
    ]


def _entered(side: Side, price: int, last: int) -> int:
    """The price nearest to its stop that a limit order may be filled at."""
    return min(price, last) if side is Side.BUY else max(price, last)


def _leg(
    name: LegName, intent: OrderIntent, verdict: Judgement, validity: Validity, above: bool,
    expires_at: datetime,
) -> Leg:  # fmt: skip
    return Leg(
        leg=name,
        stance="LEADS" if name is LegName.STOP else "FOLLOWS",
        side=intent.side,
        type=intent.type,
        validity=validity,
        quantity=intent.quantity,
        price=intent.price,
        limit_price=verdict.limit_price,
        trigger_price=intent.trigger_price or 0,
        trigger_above=above,
        reserved=verdict.reserved,
        margin_rate=verdict.margin_rate,
        charge_rates=verdict.rates,
        expires_at=expires_at,
    )


def beyond_rules(side: Side, target: int, price: int, instrument: Instrument) -> list[Rule]:
    """An exit of that side takes its gain where the price is still to come to. Prices in
    ten-thousandths of a rupee."""
    selling = side is Side.SELL
    if target > price if selling else target < price:
        return []
    step = instrument.tick if selling else -instrument.tick
    nearest = instrument.nearest_tick(price) + step
    return [
        Rule("TARGET_PASSED",
             f"a {side} takes its gain {'above' if selling else 'below'} the price",
             format_price(target), format_price(price), format_price(nearest))
    ]  # fmt: skip
