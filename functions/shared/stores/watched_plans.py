"""The plans that have not ended, as the edge reads them when it starts.

Invariant: a page is of the shard's own slots; what moved away since is read from its new home.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from functions.shared.clock import micros
from functions.shared.domain.plans import PlanKind
from functions.shared.stores.postgres import Database, Shards

PAGE: Final = 1_000

_PAGE = """
SELECT p.plan_id, p.user_id, p.kind, p.ends_at,
  coalesce(array_agg(s.due_at ORDER BY s.number)
    FILTER (WHERE s.state = 'WAITING' AND s.due_at IS NOT NULL), '{}'),
  coalesce(max(s.order_id), 0)
FROM ledger.plan p JOIN ledger.plan_slice s ON s.plan_id = p.plan_id AND s.user_id = p.user_id
WHERE p.state IN ('ACTIVE', 'CANCELLING') AND p.plan_id > CAST(:after AS bigint)
  AND EXISTS (SELECT FROM ledger.slot t
    WHERE t.slot = (p.user_id & 63)::smallint AND t.state = 'HERE')
GROUP BY p.plan_id ORDER BY p.plan_id LIMIT CAST(:rows AS integer)
"""


class WatchedPlan(NamedTuple):
    """A plan whose steps are due at `times`: those of its slices that wait, and its end, in
    microseconds since 1970, of business. `follows`: its next leg is due as the one before ends;
    `latest`: the newest of its orders that is known, 0 for none."""

    plan_id: int
    user_id: int
    follows: bool
    times: tuple[int, ...]
    latest: int = 0


class WatchedPlans:
    """Reads through the edge's role. For one thread; the shards are whoever made them's."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def all(self) -> Iterator[list[WatchedPlan]]:
        """Every plan to watch, page by page. Raises Retryable."""
        for database in self._shards.databases:
            after = 0
            while page := self._page(database, after):
                yield page
                after = page[-1].plan_id

    def _page(self, database: Database, after: int) -> list[WatchedPlan]:
        return [_watched(*row) for row in database.run(_PAGE, after=after, rows=PAGE)]


def _watched(
    plan_id: int, user_id: int, kind: str, ends_at: datetime, due: list[datetime], latest: int
) -> WatchedPlan:
    times = (*map(micros, due), micros(ends_at))
    return WatchedPlan(plan_id, user_id, kind == PlanKind.ICEBERG, times, latest)
