"""Every rule on public facts, asked at once."""

from functions.shared.domain.calendar import MarketStatus
from functions.shared.domain.charges import RATE_UNIT, charge_rates, charges_on
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import value_of
from functions.shared.domain.orders import Product, Side, Validity
from functions.shared.domain.pretrade.intent import Judgement, OrderIntent
from functions.shared.domain.pretrade.limits import margin_rate, order_limits
from functions.shared.domain.pretrade.prices import (
    Band,
    nearest_price,
    price_rules,
    protected_price,
)
from functions.shared.domain.pretrade.session import security_rules, session_rules
from functions.shared.domain.pretrade.sizes import largest_quantity, size_rules
from functions.shared.domain.sessions import Phase


def judge(
    intent: OrderIntent,
    product: Product,
    instrument: Instrument,
    last: int,
    previous_close: int,
    status: MarketStatus,
    validity: Validity = Validity.DAY,
    band: Band | None = None,
) -> Judgement:
    """The verdict. `last` and `previous_close` in ten-thousandths of a rupee; `band`: the venue's
    own where it has said so, else the instrument's about the previous close. Raises LookupError on
    a day without limits, margin rates or charges."""
    limits = order_limits(status.trade_date)
    band = band or instrument.band(previous_close)
    price = intent.price
    if price is None:
        price = protected_price(instrument, intent.side, last, band)
    value = value_of(intent.quantity, price)
    rates = charge_rates(product, instrument.exchange, intent.side, status.trade_date).rates
    charges = charges_on(value, rates)
    rules = [
        *security_rules(instrument, product, status),
        *session_rules(intent, validity, status),
        # The band that counts then is the next session's.
        *price_rules(intent, instrument, None if status.phase is Phase.CLOSED else band),
        *size_rules(intent, instrument, price, value, limits),
    ]
    rate = margin_rate(product, status.trade_date)
    reserved = -(-value * rate // RATE_UNIT) + sum(charges)
    if product is Product.CNC and intent.side is Side.SELL:
        reserved = 0
    return Judgement(
        rules=tuple(rules),
        limit_price=price,
        value=value,
        charges=charges,
        rates=rates,
        margin_rate=rate,
        reserved=reserved,
        nearest_price=nearest_price(instrument, price, band),
        largest_quantity=largest_quantity(instrument, price, limits),
    )
