"""A lease is held within the time that was surely granted, and lost when another took it."""

import threading
from collections.abc import Sequence

import pytest

from edge.runtime.lease import USUAL, Lease, LeaseTimes, holder_of
from functions.shared.domain.errors import Fenced, Retryable


class Database:
    """One lease, on a clock that the test moves; `steps` are what happens at the next questions."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answers: list[int | bool | Exception | None] = []
        self.released: list[int] = []
        self.stop = threading.Event()

    def take(self, names: Sequence[str], holder: str, seconds: float) -> int | None:
        answer = self._next()
        return None if answer is None else int(answer)

    def renew(self, names: Sequence[str], fence: int, seconds: float) -> bool:
        return bool(self._next())

    def release(self, names: Sequence[str], fence: int) -> None:
        self.released.append(fence)

    def _next(self) -> int | None:
        answer = self.answers.pop(0)
        if not self.answers:
            self.stop.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def database() -> Database:
    return Database()


def lease_of(database: Database) -> Lease:
    times = LeaseTimes(USUAL.lease, renew=0.0, look=0.0)
    return Lease(database, ["work"], "here", lambda: database.now, times)


def test_a_standby_waits_through_a_busy_lease_and_a_lost_database(database: Database) -> None:
    lease = lease_of(database)
    assert lease.state()[0] is False
    database.answers = [None, Retryable("away"), None, 7, None]
    assert lease.take(database.stop) is True
    assert (lease.fence, lease.held(), lease.state()[0]) == (7, True, True)


def test_a_standby_that_is_told_to_stop_never_had_it(database: Database) -> None:
    lease = lease_of(database)
    database.answers = [None]
    assert lease.take(database.stop) is False
    assert not lease.held()
    with pytest.raises(Fenced):
        _ = lease.fence


def test_it_runs_out_here_while_the_database_is_away_and_comes_back_with_it(
    database: Database,
) -> None:
    lease = lease_of(database)
    database.answers = [7, None]
    lease.take(database.stop)
    database.now = USUAL.lease
    assert not lease.held()
    database.stop.clear()
    database.answers = [Retryable("away"), True]
    lease.keep(database.stop)
    assert lease.held()


def test_one_that_another_process_took_is_lost_and_ends_its_holder(database: Database) -> None:
    lease = lease_of(database)
    database.answers = [7, None]
    lease.take(database.stop)
    database.stop.clear()
    database.answers = [True, False, None]
    with pytest.raises(Fenced):
        lease.keep(database.stop)
    assert not lease.held()


def test_one_that_is_not_fit_for_the_work_leaves_it_to_others_and_stops_keeping_it(
    database: Database,
) -> None:
    lease = lease_of(database)
    fit = iter([False, False, True, True, False])
    database.answers = [7]
    assert lease.take(database.stop, lambda: next(fit)) is True
    database.stop.clear()
    database.answers = [True, False, None]
    lease.keep(database.stop, lambda: next(fit))
    assert (lease.held(), database.answers) == (True, [False, None])
    assert list(fit) == []


def test_one_that_is_given_up_is_not_held(database: Database) -> None:
    lease = lease_of(database)
    database.answers = [7, None]
    lease.take(database.stop)
    lease.give_up()
    assert (lease.held(), database.released) == (False, [7])


def test_a_nameless_process_is_nobody_else_and_two_renewals_may_fail() -> None:
    assert holder_of("gateway.1") == "gateway.1"
    assert holder_of(None) != holder_of(None)
    assert USUAL.lease > 2 * USUAL.renew
