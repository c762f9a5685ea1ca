"""How the bank behaves towards a payment: well, or in one of the ways that real banks do not.

Invariant: a bank that misbehaves still keeps its own books right; only its answers are late, lost,
doubled or refusals. What it does is said by command or by route, for so many payments or until
told otherwise, or by the amounts below, which always get the same treatment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECONDS_MOST: Final = 60.0
TIMES_MOST: Final = 1_000_000


class Behaviour(StrEnum):
    """What happens to a payment that is asked for."""

    NORMAL = "normal"
    """Done and answered at once."""
    REFUSE = "refuse"
    """Refused, for good: the reference stays refused."""
    SILENT = "silent"
    """Done, and not answered: the caller can't know. Asked again, it answers."""
    LOST = "lost"
    """Not done and not answered: the caller can't tell it from the one above."""
    TWICE = "twice"
    """Done once, its answer sent twice on the connection."""
    SLOW = "slow"
    """Done, and answered late."""
    LATER = "later"
    """Taken, answered as pending, and done after a while."""
    LATER_REFUSE = "later-refuse"
    """Taken, answered as pending, and refused after a while: a payout that comes back."""
    AWAY = "away"
    """Nothing is done: 503."""


#: Amounts (in paise: 13.01 rupees and on) that are treated like this by a bank that is otherwise
#: normal. SILENT and LOST strike a reference once.
AMOUNTS: Final[Mapping[int, Behaviour]] = {
    13_01: Behaviour.REFUSE,
    13_02: Behaviour.SILENT,
    13_03: Behaviour.LOST,
    13_04: Behaviour.TWICE,
    13_05: Behaviour.SLOW,
    13_06: Behaviour.LATER,
    13_07: Behaviour.LATER_REFUSE,
}


@dataclass(slots=True)
class Orders:
    """What the bank was told to do. `times`: for how many payments, None until told otherwise;
    `seconds`: how long slow and later take."""

    behaviour: Behaviour = Behaviour.NORMAL
    times: int | None = None
    seconds: float = 1.0

    def now(self) -> Behaviour:
        """What it is told at this moment; NORMAL again once `times` is used up."""
        return Behaviour.NORMAL if self.times == 0 else self.behaviour

    def take(self, amount: int) -> Behaviour:
        """The behaviour towards one payment of that amount, which uses up one of `times`."""
        behaviour = self.now()
        if behaviour is Behaviour.NORMAL:
            return AMOUNTS.get(amount, Behaviour.NORMAL)
        if self.times is not None:
            self.times -= 1
        return behaviour


def read_orders(told: object) -> Orders:
    """`{"behaviour", "times", "seconds"}` as orders. Raises ValueError naming what is wrong."""
    if not isinstance(told, dict) or not told.keys() <= {"behaviour", "times", "seconds"}:
        raise ValueError("give behaviour, and times and seconds if you like")
    times, seconds = told.get("times"), told.get("seconds", 1.0)
    if times is not None and not (type(times) is int and 0 <= times <= TIMES_MOST):
        raise ValueError(f"times is 0 to {TIMES_MOST}")
    if type(seconds) not in (int, float) or not 0 <= seconds <= SECONDS_MOST:
        raise ValueError(f"seconds is 0 to {SECONDS_MOST:g}")
    return Orders(Behaviour(str(told.get("behaviour"))), times, float(seconds))
