"""A user's day as numbers, for the forest that knows what days are usual.

Invariant: every figure is defined for every day and bounded or in logarithms, so that one large
account is not unusual by its size alone; how much a program sends says nothing by itself, either.
These are no amounts of money that anything is booked by: the one place of this project where a
fraction may be a float.
"""

from math import log1p
from typing import Final

from functions.shared.domain.surveillance.watched import SymbolDay, Watch

FEATURES: Final = (
    "messages_a_trade", "round_trips", "layers", "traded_value", "flatness", "concentration",
    "stocks", "new_stocks", "takeover_steps",
)  # fmt: skip
_PAISE_A_LAKH: Final = 100_000 * 100


def features_of(watch: Watch) -> tuple[float, ...]:
    """In the order of FEATURES. `flatness`: how much of what was bought was sold again;
    `concentration`: the busiest stock's part of the value; both 0 to 1."""
    days = list(watch.symbols.values())
    messages, trades = sum(d.messages for d in days), sum(d.trades for d in days)
    values = [d.bought_value + d.sold_value for d in days]
    total = sum(values)
    traded = [d for d in days if d.trades]
    steps = {step.code for step in watch.steps}
    return (
        log1p(messages / (trades + 1)),
        log1p(max((d.round_trips for d in days), default=0)),
        log1p(sum(d.layers for d in days)),
        log1p(total / _PAISE_A_LAKH),
        _flatness(traded),
        max(values, default=0) / total if total else 0.0,
        log1p(len(traded)),
        sum(d.is_new for d in traded) / len(traded) if traded else 0.0,
        float(len(steps)),
    )


def _flatness(days: list[SymbolDay]) -> float:
    least = sum(min(d.bought_value, d.sold_value) for d in days)
    most = sum(max(d.bought_value, d.sold_value) for d in days)
    return least / most if most else 0.0
