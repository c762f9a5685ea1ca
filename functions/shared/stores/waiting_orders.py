"""The orders that wait for a price or a time, as the edge reads them when it starts.

Invariant: a page is of the shard's own slots; what moved away since is read from its new home.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from functions.shared.clock import micros
from functions.shared.stores.postgres import Database, Shards

PAGE: Final = 5_000
#: The stance of an exit whose sibling is at the venue: no price concerns it meanwhile.
STANDS_BY: Final = "STANDS_BY"

_PAGE = """
SELECT order_id, user_id, version, symbol, trigger_above, status, trigger_price, releases_at,
  expires_at, updated_at, stance, trail,
  trail_step
FROM ledger.orders o
WHERE expires_at IS NOT NULL
  AND status IN ('TRIGGER_PENDING', 'PENDING', 'OPEN', 'PARTIALLY_FILLED')
  AND pending_change IS NULL AND order_id > CAST(:after AS bigint)
  AND EXISTS (SELECT FROM ledger.slot s
    WHERE s.slot = (o.user_id & 63)::smallint AND s.state = 'HERE')
ORDER BY order_id LIMIT CAST(:rows AS integer)
"""


class WatchedOrder(NamedTuple):
    """An order as one version of it is watched: for a trade at `trigger` (ten-thousandths of a
    rupee) or beyond, `rising` or falling to it, or for the time `releases_at`; at the venue already
    when neither, or standing by for an exit that is. Then, for its end at `expires_at`.
    `changed_at`: since when it has been this version. Times in microseconds since 1970, of
    business. `ratchet`: a trade at that price or beyond moves a trailing stop's trigger."""

    order_id: int
    user_id: int
    version: int
    symbol: str
    rising: bool
    trigger: int | None
    releases_at: int | None
    expires_at: int
    changed_at: int
    ratchet: int | None = None


def ratchet_of(
    trigger: int | None, trail: int | None, step: int | None, *, rising: bool
) -> int | None:
    """The price that is a step better than the one that the trigger is at its distance from; None
    for a stop that doesn't trail."""
    if trigger is None or trail is None or step is None:
        return None
    return trigger - trail - step if rising else trigger + trail + step


class WaitingOrders:
    """Reads through the edge's role. For one thread."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def all(self) -> Iterator[list[WatchedOrder]]:
        """Every order to watch, page by page. Raises Retryable."""
        for database in self._shards.databases:
            after = 0
            while page := self._page(database, after):
                yield page
                after = page[-1].order_id

    def close(self) -> None:
        self._shards.close()

    def _page(self, database: Database, after: int) -> list[WatchedOrder]:
        return [_watched(*row) for row in database.run(_PAGE, after=after, rows=PAGE)]


def _watched(
    order_id: int, user_id: int, version: int, symbol: str, above: bool | None, status: str,
    trigger: int | None, releases_at: datetime | None, expires_at: datetime,
    updated_at: datetime, stance: str | None, trail: int | None, step: int | None,
) -> WatchedOrder:  # fmt: skip
    waits = stance != STANDS_BY and status == "TRIGGER_PENDING"
    return WatchedOrder(
        order_id,
        user_id,
        version,
        symbol,
        bool(above),
        trigger if waits else None,
        micros(releases_at) if waits and releases_at is not None else None,
        micros(expires_at),
        micros(updated_at),
        ratchet_of(trigger, trail, step, rising=bool(above)) if waits else None,
    )
