"""What of one account's cash is not settled, worked out again from its events.

Invariant: what is added is what was sold or gained and how much of that has to settle before it can
be spent; an event's own sums are only compared with, to the paisa.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace


class ReplayFault(Exception):
    """An event that can't follow from those before it."""


@dataclass
class Due:
    """What settles on one day, what of it can't be spent before, and what of that is the profit of
    intraday trades."""

    settles_on: str
    unsettled: int
    blocked: int
    intraday: int = 0


class ReplayedDues:
    """By day. `follow` is called once for each event, behind what it added or lost."""

    def __init__(self) -> None:
        self._days: dict[str, Due] = {}
        self._results: dict[str, int] = {}

    def unsettled(self) -> int:
        return sum(due.unsettled for due in self._days.values())

    def blocked(self) -> int:
        return sum(due.blocked for due in self._days.values())

    @property
    def days(self) -> Sequence[Due]:
        """What settles first comes first."""
        return _in_order(self._days)

    @property
    def results(self) -> dict[str, int]:
        """By trade date, what its trades in positions came to."""
        return self._results

    def settle(self, due: Due) -> None:
        """A day has come. Raises ReplayFault when that is not what was due on it."""
        gone = self._days.pop(due.settles_on, None)
        if gone is None or (gone.unsettled, gone.blocked) != (due.unsettled, due.blocked):
            raise ReplayFault(f"what settles on {due.settles_on} is not what was due")

    def add_result(self, trade_date: str, settles_on: str, amount: int) -> list[Due]:
        """What a trade in a position brought. Returns what of it is due, if its day is still to
        come; the part of a profit that was lost is not due any more."""
        before = self._results.get(trade_date, 0)
        after = self._results[trade_date] = before + amount
        more = max(0, after) - max(0, before)
        if more > 0:
            return [Due(settles_on, more, more, more)]
        if more < 0 and (due := self._days.get(settles_on)):
            lost = min(-more, due.intraday)
            due.unsettled, due.blocked = due.unsettled - lost, due.blocked - lost
            due.intraday -= lost
        return []

    def undo(self, gone: Due) -> None:
        """Proceeds that were added and don't come. What of them was used already can't go again;
        what is blocked of a day goes as it came, profits of intraday trades apart."""
        due = self._days.get(gone.settles_on)
        if due is None or gone.unsettled <= 0:
            return
        less = min(gone.unsettled, due.unsettled)
        blocked = max(
            min(gone.blocked, due.blocked - due.intraday), due.blocked - due.unsettled + less
        )
        due.unsettled, due.blocked = due.unsettled - less, due.blocked - blocked
        due.intraday = min(due.intraday, due.blocked)

    def follow(self, added: Sequence[Due], cash: int, unsettled: int, blocked: int) -> None:
        """Adds, and takes away what the cash does not cover. Whether the day of what is added was
        still to come, the event's sums say. Raises ReplayFault when they say neither."""
        before = self._days
        for more in (added, ()):
            days = {day: replace(due) for day, due in before.items()}
            for due in more:
                kept = days.setdefault(due.settles_on, Due(due.settles_on, 0, 0))
                kept.unsettled += due.unsettled
                kept.blocked += due.blocked
                kept.intraday += due.intraday
            _use(days, cash)
            self._days = {day: due for day, due in days.items() if due.unsettled}
            if (self.unsettled(), self.blocked()) == (unsettled, blocked):
                return
        raise ReplayFault("what is not settled is not what was sold and not used")


def _use(days: dict[str, Due], cash: int) -> None:
    """What could be spent is used first, then what is blocked; of either what settles first. Of a
    day's blocked money the profit of intraday trades goes before the proceeds."""
    excess = max(0, sum(due.unsettled for due in days.values()) - cash)
    for spendable in (True, False):
        for due in _in_order(days):
            used = min(excess, due.unsettled - (due.blocked if spendable else 0))
            excess -= used
            due.unsettled -= used
            if not spendable:
                due.blocked -= used
                due.intraday = max(0, due.intraday - used)


def _in_order(days: dict[str, Due]) -> list[Due]:
    return [days[day] for day in sorted(days)]
