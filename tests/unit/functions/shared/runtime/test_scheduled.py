"""One run of a schedule: nobody waits for an account that can't be worked."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from functions.shared.domain.errors import InvariantViolated, NotFound, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.postgres import Database


class Context:
    """Lambda's, with so many items' time left."""

    def __init__(self, items: int = 1_000) -> None:
        self.items = items

    def get_remaining_time_in_millis(self) -> int:
        self.items -= 1
        return 60_000 if self.items >= 0 else 0


class Valkey:
    """Takes the wake-up hints."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def spublish(self, channel: str, shard: str) -> None:
        self.woken.append(shard)


def stores_of(*shards: str) -> tuple[Stores, Valkey]:
    valkey = Valkey()
    made = SimpleNamespace(shards=SimpleNamespace(databases=shards), valkey=valkey)
    return cast(Stores, made), valkey


@pytest.mark.parametrize("error", [Retryable("busy"), NotFound("gone"), Refused(503, "X", "x")])
def test_an_item_that_must_wait_holds_up_no_other(error: Exception) -> None:
    run = ScheduledRun(Context(), "done")

    def act(item: int) -> int:
        if item == 2:
            raise error
        return 1

    run.each("done", iter([1, 2, 3]), act)
    assert run.done == {"done": 2}


def test_contradicting_books_are_said_aloud_after_all_others_were_worked() -> None:
    run = ScheduledRun(Context(), "done")

    def act(item: int) -> int:
        if item == 2:
            raise InvariantViolated("23514: no")
        return 1

    def work(database: Database) -> None:
        run.each("done", iter([1, 2, 3]), act)

    stores, valkey = stores_of("first", "second")
    with pytest.raises(InvariantViolated, match="done 2"):
        run.over_shards(stores, work)
    assert run.done == {"done": 4}
    assert valkey.woken == ["0", "1"]


def test_a_shard_that_is_away_holds_up_no_other() -> None:
    run = ScheduledRun(Context(), "done")

    def work(database: Any) -> None:
        if database == "away":
            raise Retryable("no answer")
        run.each("done", iter([1]), lambda _: 1)

    stores, _ = stores_of("away", "there")
    assert run.over_shards(stores, work) == {"done": 1}


def test_a_run_ends_before_its_time_does() -> None:
    run = ScheduledRun(Context(items=2), "done")
    run.each("done", iter(range(5)), lambda _: 1)
    assert run.done == {"done": 2}
