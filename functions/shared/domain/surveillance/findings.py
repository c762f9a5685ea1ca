"""What a rule found, with why, in numbers that a reviewer can check.

Invariant: a score is the sum of its reasons' points, at most 100; nothing is found without one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

SCORE_MOST: Final = 100


class Rule(StrEnum):
    WASH_TRADING = "WASH_TRADING"
    PUMP_AND_DUMP = "PUMP_AND_DUMP"
    ORDER_TO_TRADE = "ORDER_TO_TRADE"
    SPOOFING = "SPOOFING"
    TAKEOVER = "TAKEOVER"
    UNUSUAL = "UNUSUAL"


class Reason(NamedTuple):
    """`value` is what was seen, `limit` from where on it counts, both as text."""

    code: str
    value: str
    limit: str
    points: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule about one user, in one stock ('' for none), on one trade date (ISO). `at` in
    microseconds since 1970; `order_id`: the order whose trade or end made it; `others`: accounts
    that belong to it; `round_trips`, and
    `side` and `price` of the trade that completed the last one, of WASH_TRADING."""

    rule: Rule
    user_id: int
    symbol: str
    day: str
    at: int
    reasons: tuple[Reason, ...]
    order_id: int | None = None
    others: tuple[int, ...] = ()
    round_trips: int = 0
    side: str = ""
    price: int = 0

    @property
    def score(self) -> int:
        return score_of(self.reasons)


def score_of(reasons: Sequence[Reason]) -> int:
    return min(SCORE_MOST, sum(reason.points for reason in reasons))
