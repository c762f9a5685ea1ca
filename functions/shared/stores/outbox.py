"""The outbox of one shard: what the ledger decided and the world has yet to be told.

Invariant: rows are read in id order and deleted only after they were handed on, so a row may be
handed on twice and is never lost. The id is taken under the account's lock: a user's rows are in
the order of their events.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from functions.shared.stores.postgres import Database

_READ = """
SELECT o.id, o.user_id, o.seq, o.symbol, o.command, e.at, e.kind, e.body
FROM (SELECT * FROM ledger.outbox WHERE EXISTS (SELECT FROM edge.lease l
    WHERE l.name = 'relay' AND l.fence = CAST(:fence AS bigint))
  ORDER BY id LIMIT CAST(:most AS integer)) o
JOIN ledger.ledger_event e ON e.user_id = o.user_id AND e.seq = o.seq
ORDER BY o.id
"""
_DELETE = "SELECT edge.take_out(CAST(:ids AS bigint[]), CAST(:fence AS bigint))"


class OutboxRow(NamedTuple):
    """A row and the event it announces; `command` is for the order gateway, if there is one."""

    id: int
    user_id: int
    seq: int
    symbol: str | None
    command: str | None
    at: datetime
    kind: str
    body: str


class Outbox:
    """One shard's outbox, through the edge's role. For one thread; `fence` is of the shard's lease
    on it."""

    def __init__(self, database: Database, fence: Callable[[], int]) -> None:
        self._database = database
        self._fence = fence

    def read(self, most: int) -> list[OutboxRow]:
        """The oldest rows, at most `most`; none when they are another's to hand on by now. Raises
        Retryable."""
        rows = self._database.run(_READ, most=most, fence=self._fence())
        return [OutboxRow(*row) for row in rows]

    def delete(self, ids: Sequence[int]) -> None:
        """These were handed on. Raises Retryable; Fenced when that is another's to say by now."""
        self._database.run(_DELETE, ids=list(ids), fence=self._fence())
