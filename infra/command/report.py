"""What a check of the books found: how much it looked at, and every finding in one line.

Invariant: a report without problems looked at everything it names and found nothing wrong.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """`checked`: how many rows each check looked at; `problems`: one line each."""

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, other: "Report") -> None:
        """Takes in another check's findings."""
        self.checked.update(other.checked)
        self.problems += other.problems

    def text(self, *, verbose: bool = False) -> str:
        """The report for a person, the verdict first, then the findings; `verbose`: and how many
        rows each check looked at."""
        wrong = len(self.problems)
        counted = "1 thing is wrong" if wrong == 1 else f"{wrong} things are wrong"
        verdict = counted if wrong else "nothing is wrong"
        rows, checks = sum(self.checked.values()), len(self.checked)
        lines = [f"{verdict} ({checks} checks of {rows:,} rows)", *self.problems]
        if verbose:
            lines += [f"{count:>10,}  {name}" for name, count in self.checked.items()]
        return "\n".join(lines)
