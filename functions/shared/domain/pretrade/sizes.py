"""How large an order may be, and how little of it may be shown.

Sources: lot and freeze quantity of the instrument; disclosed quantity, NSE: at least a tenth of the
order and less than all of it.
"""

from typing import Final

from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import format_amount
from functions.shared.domain.pretrade.intent import OrderIntent, Rule
from functions.shared.domain.pretrade.limits import OrderLimits

#: The smallest part of an order that may be shown, in per cent.
DISCLOSED_PERCENT_MIN: Final = 10


def largest_quantity(instrument: Instrument, price: int, limits: OrderLimits) -> int:
    """The most shares, in whole lots, that one order at that price may have."""
    affordable = limits.value_max * 100 // price if price > 0 else limits.quantity_max
    most = min(limits.quantity_max, instrument.freeze_quantity, affordable)
    return most // instrument.lot * instrument.lot


def size_rules(
    intent: OrderIntent, instrument: Instrument, price: int, value: int, limits: OrderLimits
) -> list[Rule]:
    """Lot, freeze quantity, the broker's caps, and the part that is shown."""
    largest = largest_quantity(instrument, price, limits)
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
    if instrument.kind == "EQUITY" and intent.quantity > instrument.freeze_quantity:
        rules.append(
            Rule("QUANTITY_ABOVE_FREEZE", "more shares than the exchange takes in one order",
                 str(intent.quantity), str(instrument.freeze_quantity), None, largest)
        )  # fmt: skip
    if value > limits.value_max:
        rules.append(
            Rule("ORDER_VALUE_TOO_LARGE", "worth more than one order may be",
                 format_amount(value), format_amount(limits.value_max), None, largest)
        )  # fmt: skip
    return rules + _disclosed_rules(intent, instrument)


def _disclosed_rules(intent: OrderIntent, instrument: Instrument) -> list[Rule]:
    shown, whole, lot = intent.disclosed, intent.quantity, instrument.lot
    if shown is None:
        return []
    least = -(-whole * DISCLOSED_PERCENT_MIN // 100)
    least = -(-least // lot) * lot
    if least <= shown < whole and shown % lot == 0:
        return []
    return [
        Rule("DISCLOSED_OUT_OF_RANGE", "shown at a time: a tenth of the order up to below all",
             str(shown), f"{least} to {whole - lot}", str(least))
    ]  # fmt: skip
