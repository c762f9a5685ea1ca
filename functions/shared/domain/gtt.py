"""Good till triggered: an order that waits for a price up to a year, and keeps nothing meanwhile.

Invariant: placing one promises only to try. Its band, session, cash and shares are judged on the
day on which it fires, and it may be denied then.

Source: brokers' help pages (a year, 250 at a time, a quarter of a per cent from the last price).
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from functions.shared.domain.calendar import MarketStatus
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import format_price
from functions.shared.domain.orders import Product
from functions.shared.domain.pretrade import Judgement, OrderIntent, Rule, judge
from functions.shared.domain.sessions import Phase
from functions.shared.domain.stop_side import is_ahead, limit_rules, passed_rules

_ANY_PRICE: Final = 10**12


@dataclass(frozen=True, slots=True)
class GttRule:
    """A dated row: how long one waits, how many of an account wait at most, and how far its trigger
    is from the last price at least, in basis points of it."""

    valid_from: date
    days: int
    most: int
    apart: int
    source: str


GTT_RULES: Final = (GttRule(date(2023, 1, 1), 365, 250, 25, "a broker's help page"),)


def gtt_rule(on: date) -> GttRule:
    """The row in force. Raises LookupError when none is."""
    rows = [row for row in GTT_RULES if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no rule of GTTs on {on}")
    return max(rows, key=lambda row: row.valid_from)


def judge_gtt(
    intent: OrderIntent, product: Product, instrument: Instrument, last: int, status: MarketStatus
) -> Judgement:
    """The verdict on one as it is placed, whenever that is: its price on a tick, its size, its
    trigger away from the last price, and where it waits as a stop does, its limit behind that. One
    that waits on the other side is a target: whatever its limit, it risks no more than to miss its
    gain. Prices in ten-thousandths of a rupee."""
    always = MarketStatus(Phase.OPEN, status.trade_date, status.provisional)
    verdict = judge(
        replace(intent, trigger_price=None), product, instrument, last, last, always,
        band=(instrument.tick, _ANY_PRICE),
    )  # fmt: skip
    trigger = intent.trigger_price or 0
    rules = [*verdict.rules, *_trigger_rules(trigger, instrument, last, status)]
    if intent.price is not None and is_ahead(intent.side, trigger, last):
        rules += limit_rules(intent.side, intent.price, trigger)
    return replace(verdict, rules=tuple(rules))


def paired_stop_rules(
    intent: OrderIntent, instrument: Instrument, last: int, status: MarketStatus
) -> list[Rule]:
    """Of two that wait together the one with the trigger is the stop, so it waits on that side."""
    away = _away(instrument, last, status)
    return passed_rules(intent.side, intent.trigger_price or 0, instrument, last, away)


def _trigger_rules(
    trigger: int, instrument: Instrument, last: int, status: MarketStatus
) -> list[Rule]:
    apart = gtt_rule(status.trade_date).apart
    rules = []
    if trigger % instrument.tick:
        rules.append(
            Rule("TRIGGER_OFF_TICK", "the trigger is not a multiple of the tick",
                 format_price(trigger), format_price(instrument.tick),
                 format_price(instrument.nearest_tick(trigger)))
        )  # fmt: skip
    if abs(trigger - last) * 10_000 < last * apart:
        away = _away(instrument, last, status)
        nearest = instrument.nearest_tick(last) + (away if trigger >= last else -away)
        rules.append(
            Rule("TRIGGER_TOO_NEAR",
                 f"the trigger must be {apart / 100} % away from the last price",
                 format_price(trigger), format_price(last), format_price(nearest))
        )  # fmt: skip
    return rules


def _away(instrument: Instrument, last: int, status: MarketStatus) -> int:
    """The least distance from the last price, in whole ticks."""
    apart = gtt_rule(status.trade_date).apart
    return -(-last * apart // (10_000 * instrument.tick)) * instrument.tick
