"""A stop that follows the price at a fixed distance, one way only.

Invariant: its trigger is a multiple of the tick whenever it moves, and moves by a step at least: so
many times at most as the price has steps, whatever the number of trades.

Source: brokers' help pages (a trailing gap, and the jump by which the trigger follows).
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import format_price
from functions.shared.domain.orders import Side
from functions.shared.domain.pretrade import Rule


@dataclass(frozen=True, slots=True)
class TrailRule:
    """A dated row: the smallest distance, in basis points of the last price, and the step in per
    cent of the distance."""

    valid_from: date
    apart: int
    step_percent: int
    source: str


TRAIL_RULES: Final = (TrailRule(date(2023, 1, 1), 25, 10, "broker policy, as the GTT's distance"),)


def trail_rule(on: date) -> TrailRule:
    """The row in force. Raises LookupError when none is."""
    rows = [row for row in TRAIL_RULES if row.valid_from <= on]
    if not rows:
        raise LookupError(f"no rule of trailing stops on {on}")
    return max(rows, key=lambda row: row.valid_from)


def first_trigger(side: Side, last: int, trail: int) -> int:
    """Where it stands when it is placed, in ten-thousandths of a rupee as everything here."""
    return last - trail if side is Side.SELL else last + trail


def trail_step(trail: int, instrument: Instrument, on: date) -> int:
    """How far its trigger moves at least: a part of the distance, in whole ticks."""
    tick = instrument.tick
    return max(tick, trail * trail_rule(on).step_percent // 100 // tick * tick)


def trail_rules(trail: int, instrument: Instrument, last: int, on: date) -> list[Rule]:
    """What the distance breaks."""
    tick, rules = instrument.tick, []
    nearest = max(tick, (trail + tick // 2) // tick * tick)
    if trail % tick:
        rules.append(
            Rule("TRAIL_OFF_TICK", "the distance is not a multiple of the tick",
                 format_price(trail), format_price(tick), format_price(nearest))
        )  # fmt: skip
    least = -(-last * trail_rule(on).apart // (10_000 * tick)) * tick
    if trail < least:
        rules.append(
            Rule("TRAIL_TOO_NEAR", "the distance is too small for the price",
                 format_price(trail), format_price(least), format_price(least))
        )  # fmt: skip
    return rules
