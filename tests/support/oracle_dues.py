"""The oracle's money that is not settled: what of the cash ends being so on which day.

Nothing of `functions` is imported. Money in paise.
"""

from dataclasses import dataclass, field
from datetime import date


@dataclass
class Due:
    """What settles on one day, the part of it that can't be spent before, and how much of that part
    is profit of intraday trades."""

    unsettled: int = 0
    blocked: int = 0
    profit: int = 0


@dataclass
class Dues:
    """Of one account, by day; a day on which nothing is left to settle is none."""

    days: dict[date, Due] = field(default_factory=dict)

    def unsettled(self) -> int:
        return sum(due.unsettled for due in self.days.values())

    def blocked(self) -> int:
        return sum(due.blocked for due in self.days.values())

    def settle(self, today: date) -> bool:
        """Everything due by today is the client's. Whether anything was."""
        before = len(self.days)
        self.days = {day: due for day, due in self.days.items() if day > today}
        return len(self.days) < before

    def add(self, day: date, unsettled: int, blocked: int) -> None:
        due = self.days.setdefault(day, Due())
        due.unsettled += unsettled
        due.blocked += max(0, min(blocked, unsettled))

    def gain(self, day: date, amount: int) -> None:
        """A profit of that day, none of which can be spent."""
        self.add(day, amount, amount)
        self.days[day].profit += amount

    def lose(self, day: date, amount: int) -> None:
        """A profit of that day is not to come any more; proceeds still are."""
        if due := self.days.get(day):
            less = min(amount, due.profit)
            due.unsettled, due.blocked = due.unsettled - less, due.blocked - less
            due.profit -= less
            self._forget()

    def use(self, cash: int) -> None:
        """So much cash is left: where that is less than what is to settle, all of it is. What could
        be spent has gone first, and what settles first; of what could not be, a day's profit before
        its proceeds."""
        for spendable in (True, False):
            for day in sorted(self.days):
                due, excess = self.days[day], self.unsettled() - cash
                most = due.unsettled - due.blocked if spendable else due.unsettled
                due.unsettled -= min(max(0, excess), most)
                kept = min(due.blocked, due.unsettled)
                due.profit = max(0, due.profit - (due.blocked - kept))
                due.blocked = kept
        self._forget()

    def _forget(self) -> None:
        self.days = {day: due for day, due in self.days.items() if due.unsettled}
