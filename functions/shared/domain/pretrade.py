"""The rules an order must pass on public facts: instrument, price, session, size.

Invariant: every failed rule is named at once, with its numbers, the nearest valid price and the
largest valid quantity. Whatever other orders can change (cash, shares, open orders) is judged
later, inside the ledger, under the account's lock.

Sources: tick, band and freeze of the instrument; order caps 1,00,000 shares and 10 crore rupees;
market price protection slabs 2 % below 100, 1 % to 500, 0.5 % above; intraday margin, the clearing
corporation's flat minimum.
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from functions.shared.domain.calendar import MarketStatus, Phase
from functions.shared.domain.charges import RATE_UNIT, Charges, Rates, charge_rates, charges_on
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import (
    PAISE_PER_RUPEE,
    PRICE_UNITS_PER_RUPEE,
    format_amount,
    format_price,
    value_of,
)
from functions.shared.domain.orders import OrderType, Product, Side


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """A dated row of what one order, and one account, may be. Values in paise and shares."""

    valid_from: date
    source: str
    quantity_max: int
    value_max: int
    open_orders_max: int


ORDER_LIMITS: Final = (
    OrderLimits(date(2026, 1, 1), "broker policy", 100_000, 10_00_00_000 * PAISE_PER_RUPEE, 1_000),
)


@dataclass(frozen=True, slots=True)
class MarginRate:
    """A dated row: the part of a trade's value that must be there before it, per 10^9."""

    product: Product
    rate: int
    valid_from: date
    source: str


MARGIN_RATES: Final = (
    MarginRate(Product.CNC, RATE_UNIT, date(2023, 1, 1), "delivery is paid in full"),
    MarginRate(
        Product.MIS, RATE_UNIT // 5, date(2023, 1, 1), "nseclearing.in: at least 20 % up front"
    ),
)

#: (price below, protection in basis points): the first row whose bound is above the price counts.
_PROTECTION: Final = ((100, 200), (500, 100), (None, 50))


@dataclass(frozen=True, slots=True)
class Rule:
    """One failed rule, as a client sees it. Values are text in the unit the message speaks of."""

    code: str
    message: str
    value: str
    limit: str
    nearest: str | None = None
    largest_quantity: int | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What a client asks for. `price` in ten-thousandths of a rupee, None for a market order."""

    side: Side
    type: OrderType
    quantity: int
    price: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on public facts, and the numbers that the ledger decides with.

    `limit_price`: what the venue is given; `reserved`: paise the whole quantity needs, charges
    included: its value for a delivery buy, nothing for a delivery sell, its margin for either side
    intraday; `margin_rate` per 10^9; `value` at the limit price; `charges` by head on that value.
    """

    rules: tuple[Rule, ...]
    limit_price: int
    value: int
    charges: Charges
    rates: Rates
    margin_rate: int
    reserved: int


def order_limits(on: date) -> OrderLimits:
    """The limits in force on a day. Raises LookupError when none is."""
    rows = [row for row in ORDER_LIMITS if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no order limits on {on}")
    return max(rows, key=lambda row: row.valid_from)


def margin_rate(product: Product, on: date) -> int:
    """The part of a trade's value that must be there, per 10^9. Raises LookupError."""
    rows = [row for row in MARGIN_RATES if row.product is product and row.valid_from <= on]
    if not rows:
        raise LookupError(f"no margin rate of {product} on {on}")
    return max(rows, key=lambda row: row.valid_from).rate


def protected_price(instrument: Instrument, side: Side, last: int, previous_close: int) -> int:
    """The worst price a market order may trade at: the slab's distance from the last price, on a
    tick, inside the band."""
    points = next(
        bp for below, bp in _PROTECTION if below is None or last < below * PRICE_UNITS_PER_RUPEE
    )
    low, high = instrument.band(previous_close)
    if side is Side.BUY:
        price = -(-last * (10_000 + points) // (10_000 * instrument.tick)) * instrument.tick
        return min(price, high)
    price = last * (10_000 - points) // (10_000 * instrument.tick) * instrument.tick
    return max(price, low)


def judge(
    intent: OrderIntent,
    product: Product,
    instrument: Instrument,
    last: int,
    previous_close: int,
    status: MarketStatus,
) -> Judgement:
    """Every rule on public facts. `last` and `previous_close` in ten-thousandths of a rupee."""
    limits = order_limits(status.trade_date)
    price = intent.price
    if price is None:
        price = protected_price(instrument, intent.side, last, previous_close)
    value = value_of(intent.quantity, price)
    rates = charge_rates(product, instrument.exchange, intent.side, status.trade_date).rates
    charges = charges_on(value, rates)
    rules = [
        *_session_rules(instrument, product, status),
        *_price_rules(intent, instrument, previous_close),
        *_size_rules(intent, instrument, price, value, limits),
    ]
    rate = margin_rate(product, status.trade_date)
    reserved = -(-value * rate // RATE_UNIT) + sum(charges)
    if product is Product.CNC and intent.side is Side.SELL:
        reserved = 0
    return Judgement(tuple(rules), price, value, charges, rates, rate, reserved)


def _session_rules(instrument: Instrument, product: Product, status: MarketStatus) -> list[Rule]:
    rules = []
    if instrument.kind != "EQUITY":
        rules.append(
            Rule("NOT_TRADABLE", "an index can't be bought or sold", instrument.kind, "EQUITY")
        )
    if status.phase is not Phase.OPEN:
        rules.append(Rule("MARKET_CLOSED", "the market is not open", status.phase, Phase.OPEN))
    elif product is Product.MIS and status.past_cut_off:
        rules.append(
            Rule("MIS_CUT_OFF", "intraday positions are being closed for the day",
                 product, Product.CNC)
        )  # fmt: skip
    return rules


def _price_rules(intent: OrderIntent, instrument: Instrument, previous_close: int) -> list[Rule]:
    if intent.price is None:
        return []
    low, high = instrument.band(previous_close)
    nearest = min(max(instrument.nearest_tick(intent.price), low), high)
    rules = []
    if intent.price % instrument.tick:
        rules.append(
            Rule("PRICE_OFF_TICK", "the price is not a multiple of the tick",
                 format_price(intent.price), format_price(instrument.tick), format_price(nearest))
        )  # fmt: skip
    if not low <= intent.price <= high:
        rules.append(
            Rule("PRICE_OUTSIDE_BAND", "the price is outside the day's band",
                 format_price(intent.price), f"{format_price(low)} to {format_price(high)}",
                 format_price(nearest))
        )  # fmt: skip
    return rules


def _size_rules(
    intent: OrderIntent, instrument: Instrument, price: int, value: int, limits: OrderLimits
) -> list[Rule]:
    affordable = limits.value_max * 100 // price if price > 0 else limits.quantity_max
    largest = min(limits.quantity_max, affordable) // instrument.lot * instrument.lot
    rules = []
    if intent.quantity % instrument.lot:
        rules.append(
            Rule("QUANTITY_OFF_LOT", "the quantity is not a multiple of the lot",
                 str(intent.quantity), str(instrument.lot), None, largest)
        )  # fmt: skip
    if intent.quantity > limits.quantity_max:
        rules.append(
            Rule("QUANTITY_TOO_LARGE", "more shares than one order may have",
                 str(intent.quantity), str(limits.quantity_max), None, largest)
        )  # fmt: skip
    if value > limits.value_max:
        rules.append(
            Rule("ORDER_VALUE_TOO_LARGE", "worth more than one order may be",
                 format_amount(value), format_amount(limits.value_max), None, largest)
        )  # fmt: skip
    return rules
