"""How much of what was planted is found, and how much of what is found was planted.

Invariant: a figure is of populations that nothing was chosen by: thresholds and the forest are of
TUNING seeds, what is stated is of HELD_OUT ones.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from functions.shared.domain.surveillance.behaviour import features_of
from functions.shared.domain.surveillance.desk import Desk
from functions.shared.domain.surveillance.findings import Finding
from functions.surveillance.forest import Forest
from infra.surveillance.population import Population

TUNING: Final = (1, 2, 3)
HELD_OUT: Final = (201, 202, 203)


@dataclass
class Score:
    """Users: found and planted, found and honest, planted and not found."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, found: set[int], planted: set[int]) -> None:
        self.right += len(found & planted)
        self.wrong += len(found - planted)
        self.missed += len(planted - found)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)


def watch(made: Population) -> tuple[Desk, list[Finding], float]:
    """The day at the desk: the desk after it, what was found, and processor seconds."""
    links = {user: frozenset(others) for user, others in made.links.items()}
    desk = Desk({}, made.figures, links)
    found: list[Finding] = []
    started = time.process_time()
    for user, happening in made.happenings:
        found += desk.take(user, happening)
    return desk, found, time.process_time() - started


def by_rule(scores: dict[str, Score], made: Population, found: Iterable[Finding]) -> None:
    """Adds a population's day to each rule's score."""
    named: dict[str, set[int]] = {rule: set() for rule in made.planted}
    for finding in found:
        named[finding.rule.value] |= {finding.user_id, *finding.others}
    for rule, planted in made.planted.items():
        scores.setdefault(rule, Score()).add(named[rule], planted)


def by_forest(score: Score, made: Population, desk: Desk, forest: Forest) -> None:
    """Adds a population's day to the forest's score: found is whom it finds unusual, planted who
    takes part in any scheme."""
    users = [user for user, each in desk.watches.items() if each.symbols]
    values = forest.scores([features_of(desk.watches[user]) for user in users])
    unusual = {u for u, value in zip(users, values, strict=True) if value >= forest.threshold}
    score.add(unusual, set[int]().union(*made.planted.values()))
