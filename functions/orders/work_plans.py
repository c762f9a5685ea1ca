"""The schedule that takes plans on: each minute, shard by shard, every plan that has not ended.

The net below the others: slices that go by the time are asked for by edge/triggers at their time,
legs that follow a fill by the worker that booked it. What nobody reacted to is found here.
Invariant: a plan's step follows from the books alone, so a repeated run places nothing twice.
"""

from collections.abc import Iterator
from typing import Any

from functions.shared.bookkeeping.plan_steps import advance
from functions.shared.bookkeeping.planning import FIRST, PlanOf, open_plans
from functions.shared.runtime import composition
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.postgres import Database


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many steps were done. Raises as `ScheduledRun.over_shards`."""
    stores = composition.stores()
    run = ScheduledRun(context, "stepped")

    def work(database: Database) -> None:
        run.each("stepped", _open_plans(database), lambda plan: advance(stores, plan))

    return run.over_shards(stores, work)


def _open_plans(database: Database) -> Iterator[PlanOf]:
    after = FIRST
    while page := open_plans(database, after):
        yield from page
        after = page[-1]
