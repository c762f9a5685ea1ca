"""What the session, the security and the product allow now.

Sources: SEBI MRD-POD2/I/2765/2026 (no IOC and no disclosed quantity in the closing auction), NSE
for pre-open and post-close; trade-to-trade series, NSE: delivery only.
"""

from typing import Final

from functions.shared.domain.calendar import MarketStatus
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.market_halts import MarketHalt, format_utc
from functions.shared.domain.orders import Product, Validity
from functions.shared.domain.pretrade.intent import OrderIntent, Rule
from functions.shared.domain.sessions import TAKES, Phase

_NOT_NOW: Final = {
    Phase.CLOSED: ("MARKET_CLOSED", "the market is not open"),
    Phase.HALTED: ("TRADING_HALTED", "trading is halted"),
    Phase.PRE_OPEN_MATCH: ("PHASE_TAKES_NO_ORDERS", "the pre-open orders are being matched"),
    Phase.CLOSING_REFERENCE: ("PHASE_TAKES_NO_ORDERS", "the closing reference is being made"),
    Phase.CLOSING_MATCH: ("PHASE_TAKES_NO_ORDERS", "the closing orders are being matched"),
}

_NO_SHARE: Final = {
    "INDEX": "an index can't be bought or sold",
    "DELISTED": "the share is not listed any more",
}


def session_rules(intent: OrderIntent, validity: Validity, status: MarketStatus) -> list[Rule]:
    """What the phase doesn't take: any order, this type, IOC, a disclosed quantity."""
    phase, takes = status.phase, TAKES[status.phase]
    if phase is Phase.HALTED and status.halt is not None:
        return [_market_halted(status.halt)]
    if phase in _NOT_NOW:
        code, message = _NOT_NOW[phase]
        said = f"{message}: {status.text}" if status.text else message
        return [Rule(code, said, phase, Phase.OPEN)]
    rules = []
    if intent.price is None and not takes.market:
        rules.append(
            Rule("TYPE_NOT_IN_PHASE", f"the phase {phase} takes no market orders",
                 intent.type, ", ".join(takes.types))
        )  # fmt: skip
    if validity is Validity.IOC and not takes.immediate:
        rules.append(
            Rule("VALIDITY_NOT_IN_PHASE", f"nothing is filled at once in the phase {phase}",
                 validity, Validity.DAY)
        )  # fmt: skip
    if intent.disclosed is not None and not takes.immediate:
        rules.append(
            Rule("DISCLOSED_NOT_IN_PHASE", f"the phase {phase} takes no disclosed quantity",
                 str(intent.disclosed), "none")
        )  # fmt: skip
    return rules


def _market_halted(halt: MarketHalt) -> Rule:
    """As ledger.market_halt_rules tells it (0240_market_halts.sql), which has the last word."""
    until = "" if halt.resumes_at is None else format_utc(halt.resumes_at)
    return Rule("MARKET_HALTED", halt.text, str(halt.level), until, largest_quantity=0)


def security_rules(instrument: Instrument, product: Product, status: MarketStatus) -> list[Rule]:
    """What can't be traded, or not in this product."""
    rules = []
    if instrument.kind != "EQUITY":
        rules.append(Rule("NOT_TRADABLE", _NO_SHARE[instrument.kind], instrument.kind, "EQUITY"))
    if product is Product.MIS and instrument.delivery_only:
        rules.append(
            Rule("DELIVERY_ONLY", f"series {instrument.series} is traded for delivery only",
                 product, Product.CNC)
        )  # fmt: skip
    elif not instrument.allows(product):
        rules.append(
            Rule("PRODUCT_NOT_ELIGIBLE", f"{instrument.symbol} is not traded as {product}",
                 product, instrument.products)
        )  # fmt: skip
    if product is Product.MIS and status.past_cut_off and status.phase is not Phase.CLOSED:
        rules.append(
            Rule("MIS_CUT_OFF", "intraday positions are being closed for the day",
                 product, Product.CNC)
        )  # fmt: skip
    return rules
