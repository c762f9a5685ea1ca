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

    def text(self) -> str:
        """The report for a person: a line for each check with how many rows it looked at, then the
        findings or that all is well."""
        lines = [f"{count:>10,}  {name} checked" for name, count in self.checked.items()]
        lines += self.problems or ["nothing is wrong"]
        return "\n".join(lines)
