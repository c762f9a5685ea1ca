"""The rules that everything has in common which waits for a price to go against its owner.

Invariant: what a stop protects from lies ahead of it: its trigger is beyond the last price, and its
limit no nearer than its trigger, or it would wait at the venue for the price that has just gone.
"""

from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import format_price
from functions.shared.domain.orders import Side
from functions.shared.domain.pretrade import Rule


def is_ahead(side: Side, trigger: int, last: int) -> bool:
    """Whether the trigger is where a stop of that side waits: above the last price to buy, below it
    to sell. Prices in ten-thousandths of a rupee."""
    return trigger > last if side is Side.BUY else trigger < last


def passed_rules(
    side: Side, trigger: int, instrument: Instrument, last: int, apart: int
) -> list[Rule]:
    """The trigger is ahead of the last price. `apart`: how far it is to be away from it at least,
    in ten-thousandths of a rupee."""
    if is_ahead(side, trigger, last):
        return []
    rising = side is Side.BUY
    return [
        Rule("TRIGGER_PASSED",
             f"a {side} waits for a price {'above' if rising else 'below'} the last one",
             format_price(trigger), format_price(last),
             format_price(instrument.nearest_tick(last) + (apart if rising else -apart)))
    ]  # fmt: skip


def limit_rules(side: Side, limit: int, trigger: int) -> list[Rule]:
    """The limit is the trigger or behind it."""
    rising = side is Side.BUY
    if limit >= trigger if rising else limit <= trigger:
        return []
    return [
        Rule("LIMIT_BEFORE_TRIGGER",
             f"the limit must be the trigger or {'above' if rising else 'below'} it",
             format_price(limit), format_price(trigger), format_price(trigger))
    ]  # fmt: skip
