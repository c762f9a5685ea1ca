"""What a price may be, and the price that protects a market order.

Sources: tick and band of the instrument, the band as the venue has moved it where it said so;
market price protection slabs 2 % below 100, 1 % to 500, 0.5 % above.
"""

from typing import Final

from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import PRICE_UNITS_PER_RUPEE, format_price
from functions.shared.domain.orders import OrderType, Side
from functions.shared.domain.pretrade.intent import OrderIntent, Rule

#: Lowest and highest price, in ten-thousandths of a rupee.
Band = tuple[int, int]

#: (price below, protection in basis points): the first row whose bound is above the price counts.
_PROTECTION: Final = ((100, 200), (500, 100), (None, 50))


def protected_price(instrument: Instrument, side: Side, last: int, band: Band) -> int:
    """The worst price a market order may trade at: the slab's distance from the last price, on a
    tick, inside the band."""
    points = next(
        bp for below, bp in _PROTECTION if below is None or last < below * PRICE_UNITS_PER_RUPEE
    )
    low, high = band
    if side is Side.BUY:
        price = -(-last * (10_000 + points) // (10_000 * instrument.tick)) * instrument.tick
        return min(price, high)
    price = last * (10_000 - points) // (10_000 * instrument.tick) * instrument.tick
    return max(price, low)


def away_rules(intent: OrderIntent, instrument: Instrument, last: int, percent: int) -> list[Rule]:
    """A limit that gives away more than so many per cent of the last price: a slip of the finger.
    One that waits for a better price than the last may be as far from it as the band goes."""
    if intent.type is not OrderType.LIMIT or intent.price is None:
        return []
    if intent.side is Side.BUY:
        bound = last * (100 + percent) // (100 * instrument.tick) * instrument.tick
        beyond = intent.price > bound
    else:
        bound = -(-last * (100 - percent) // (100 * instrument.tick)) * instrument.tick
        beyond = intent.price < bound
    if not beyond:
        return []
    return [
        Rule("PRICE_FAR_FROM_LAST", f"more than {percent} % worse than the last price",
             format_price(intent.price), format_price(bound), format_price(bound))
    ]  # fmt: skip


def nearest_price(instrument: Instrument, price: int, band: Band) -> int:
    """The price on a tick in the band that is nearest to this one."""
    low, high = band
    return min(max(instrument.nearest_tick(price), low), high)


def price_rules(intent: OrderIntent, instrument: Instrument, band: Band | None) -> list[Rule]:
    """A limit's price: on a tick and in the band, both ends included; in none, while no band is in
    force."""
    if intent.price is None:
        return []
    nearest = instrument.nearest_tick(intent.price)
    if band is not None:
        nearest = nearest_price(instrument, intent.price, band)
    rules = []
    if intent.price % instrument.tick:
        rules.append(
            Rule("PRICE_OFF_TICK", "the price is not a multiple of the tick",
                 format_price(intent.price), format_price(instrument.tick), format_price(nearest))
        )  # fmt: skip
    if band is not None and not band[0] <= intent.price <= band[1]:
        rules.append(
            Rule("PRICE_OUTSIDE_BAND", "the price is outside the day's band",
                 format_price(intent.price), f"{format_price(band[0])} to {format_price(band[1])}",
                 format_price(nearest))
        )  # fmt: skip
    return rules
