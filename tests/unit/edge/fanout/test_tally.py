"""Counts of all workers of a node: each writes its own row, and a cleared row is nobody's."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.fanout.admission import Admission
from edge.fanout.limits import Limits
from edge.fanout.tally import Rows, Tally, make_rows

WORKERS = 3
NAMES = ["192.0.2.1", "2001:db8::/64", "user 7", "user 8"]


@pytest.fixture
def rows() -> Iterator[list[Rows]]:
    """As each worker has mapped them, and last their parent."""
    descriptor = make_rows(WORKERS, 1_000)
    yield [Rows(descriptor, WORKERS) for _ in range(WORKERS + 1)]
    os.close(descriptor)


class Workers(RuleBasedStateMachine):
    """Workers that say what they have and die, against a plain count of what each has."""

    def __init__(self) -> None:
        super().__init__()
        self._descriptor = make_rows(WORKERS, 1_000)
        self.parent = Rows(self._descriptor, WORKERS)
        self.have = [Counter[str]() for _ in range(WORKERS)]
        self.tallies = [self._born(number) for number in range(WORKERS)]

    def teardown(self) -> None:
        os.close(self._descriptor)

    def _born(self, number: int) -> Tally:
        return Tally(Rows(self._descriptor, WORKERS), number)

    @rule(number=st.integers(0, WORKERS - 1), name=st.sampled_from(NAMES), count=st.integers(0, 9))
    def has(self, number: int, name: str, count: int) -> None:
        self.have[number][name] = count
        self.tallies[number].tell(name, count)

    @rule(number=st.integers(0, WORKERS - 1))
    def dies(self, number: int) -> None:
        self.have[number].clear()
        self.parent.clear(number)
        self.tallies[number] = self._born(number)

    @invariant()
    def each_knows_what_the_others_have(self) -> None:
        for number, tally in enumerate(self.tallies):
            for name in NAMES:
                others = [has[name] for each, has in enumerate(self.have) if each != number]
                assert tally.of_others(name) == sum(others)


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_a_full_worker_makes_hardly_any_name_look_like_more(rows: list[Rows]) -> None:
    """A thousand connections, each of a user and an address of its own."""
    full, other = Tally(rows[0], 0), Tally(rows[1], 1)
    for number in range(1_000):
        full.tell(f"198.51.100.{number}", 1)
        full.tell(f"user {number}", 1)
    assert all(other.of_others(f"user {number}") >= 1 for number in range(1_000))
    assert sum(other.of_others(f"user {number}") for number in range(1_000, 11_000)) < 200


def test_a_process_alone_counts_for_itself() -> None:
    alone = Tally()
    alone.tell("user 7", 5)
    assert alone.of_others("user 7") == 0


def test_an_address_is_let_in_as_often_as_its_bound_says_over_all_workers(rows: list[Rows]) -> None:
    limits = Limits(connections_per_address=5)
    doors = [Admission(limits, tally=Tally(rows[number], number)) for number in range(WORKERS)]
    inside = []
    for number in range(9):
        refusal = doors[number % WORKERS].enter("192.0.2.1", 1.0)
        inside.append(None if refusal is None else refusal.status.value)
    assert inside == [None] * 5 + [429] * 4
    doors[0].leave("192.0.2.1")
    assert doors[2].enter("192.0.2.1", 1.0) is None
    assert doors[1].recount([]) == 2  # a mistake of ours is put right for the others, too
    assert [doors[0].enter("192.0.2.1", 1.0) for _ in range(2)] == [None, None]
    assert doors[2].enter("192.0.2.1", 1.0) is not None
    rows[-1].clear(0)
    assert doors[2].enter("192.0.2.1", 1.0) is None
