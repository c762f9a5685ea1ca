"""How far each FIX session's reports are applied in the ledger, and which orders wait unanswered.

Invariant: the checkpoint of a numbering only grows, and every report at or below it is applied. The
edge reads the ledger and moves its own checkpoint, as the holder of the session's lease; it writes
no money table.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from functions.shared.stores.postgres import Database, Shards

_NUMBERING = "SELECT number FROM edge.numbering WHERE session = :session"
_BEGIN = "SELECT edge.begin_numbering(:session, CAST(:fence AS bigint))"
_THROUGH = "SELECT applied_through FROM ledger.fix_checkpoint WHERE session = :session"
_APPLIED = """
SELECT position FROM ledger.fix_applied
WHERE session = :session AND position > CAST(:after AS bigint)
ORDER BY position LIMIT 10000
"""
_MOVE = "SELECT edge.move_checkpoint(:session, CAST(:through AS bigint), CAST(:fence AS bigint))"
_FORGET = "SELECT ledger.forget_applied(:session, CAST(:through AS bigint))"
_STALE = """
SELECT order_id, user_id, command, touched_at
FROM ledger.stale_orders(make_interval(secs => CAST(:seconds AS double precision)),
  CAST(:after AS timestamptz), CAST(:after_order AS bigint), CAST(:most AS integer))
"""

#: Unanswered orders read at a time from each shard; the others wait for their page of the round.
STALE_PAGE: Final = 100
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StaleOrder(NamedTuple):
    """An order, or a change of one, that the venue hasn't answered; `command` asks for it again."""

    order_id: int
    user_id: int
    command: str


class Checkpoint(Protocol):
    """What the order gateway asks of the ledger. Every method raises Retryable, and what writes
    raises Fenced when the session is another process's by now.

    A numbering is a session's positions since the venue last began its numbers anew, by name.
    """

    def numbering(self, session: str) -> str:
        """The session's numbering of now; at first it bears the session's own name."""

    def begin_numbering(self, session: str) -> None:
        """The venue's numbers begin at 1 again, and mean other messages than before."""

    def through(self, numbering: str) -> int:
        """The MsgSeqNum at or below which every report is applied; 0 at first."""

    def applied(self, numbering: str, after: int) -> list[int]:
        """Positions beyond `after` whose reports are applied, on all shards."""

    def move(self, numbering: str, through: int) -> None:
        """Every report up to `through` is applied."""

    def stale_orders(self, older_than_seconds: float) -> list[StaleOrder]:
        """The next page of the orders and changes that have waited longer than that for an
        answer, longest first, on all shards; after the last page, the first one again."""


class _Round(NamedTuple):
    """How far a shard's unanswered orders have been read, and since when (monotonic seconds)."""

    began: float
    touched_at: datetime = _FIRST
    order_id: int = 0


class LedgerCheckpoint:
    """The checkpoint in PostgreSQL, through the edge's role. For one thread; `fence` is of the
    sessions' leases."""

    def __init__(
        self, shards: Shards, fence: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._shards = shards
        self._fence = fence
        self._monotonic = monotonic
        self._rounds: dict[Database, _Round] = {}

    def numbering(self, session: str) -> str:
        rows = self._shards.control.run(_NUMBERING, session=session)
        return f"{session}#{rows[0][0]}" if rows else session

    def begin_numbering(self, session: str) -> None:
        self._shards.control.run(_BEGIN, session=session, fence=self._fence)

    def through(self, numbering: str) -> int:
        rows = self._shards.control.run(_THROUGH, session=numbering)
        return int(rows[0][0]) if rows else 0

    def applied(self, numbering: str, after: int) -> list[int]:
        return [
            int(row[0])
            for database in self._shards.databases
            for row in database.run(_APPLIED, session=numbering, after=after)
        ]

    def move(self, numbering: str, through: int) -> None:
        # Moved first, and refused to a stale holder: the rows behind it may go only when nothing
        # asks for them any more.
        self._shards.control.run(_MOVE, session=numbering, through=through, fence=self._fence)
        for database in self._shards.databases:
            database.run(_FORGET, session=numbering, through=through)

    def stale_orders(self, older_than_seconds: float) -> list[StaleOrder]:
        return [
            order
            for database in self._shards.databases
            for order in self._stale_page(database, older_than_seconds)
        ]

    def _stale_page(self, database: Database, older_than_seconds: float) -> list[StaleOrder]:
        # Orders that can't be asked about (their session is logged off) stay unanswered at the
        # front: pages go round, so that they hide nobody. A round takes in only what was stale
        # when it began, and so it ends however many more turn stale meanwhile.
        now = self._monotonic()
        at = self._rounds.get(database) or _Round(now)
        rows = database.run(
            _STALE,
            seconds=older_than_seconds + now - at.began,
            after=at.touched_at,
            after_order=at.order_id,
            most=STALE_PAGE,
        )
        if len(rows) == STALE_PAGE:
            order_id, _, _, touched_at = rows[-1]
            self._rounds[database] = _Round(at.began, touched_at, order_id)
        else:
            self._rounds.pop(database, None)
        return [StaleOrder(*row[:3]) for row in rows]
