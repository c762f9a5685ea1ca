"""How far each FIX session's reports are applied in the ledger, and which orders wait unanswered.

Invariant: the checkpoint of a session only grows, and every report at or below it is applied. The
edge reads the ledger and moves its own checkpoint; it writes no money table.
"""

from typing import NamedTuple, Protocol

from functions.shared.stores.postgres import Shards

_THROUGH = "SELECT applied_through FROM ledger.fix_checkpoint WHERE session = :session"
_APPLIED = """
SELECT position FROM ledger.fix_applied
WHERE session = :session AND position > CAST(:after AS bigint)
ORDER BY position LIMIT 10000
"""
_MOVE = "SELECT ledger.move_checkpoint(:session, CAST(:through AS bigint))"
_FORGET = "SELECT ledger.forget_applied(:session, CAST(:through AS bigint))"
_STALE = """
SELECT order_id, user_id, command
FROM ledger.stale_orders(make_interval(secs => CAST(:seconds AS double precision)))
"""


class StaleOrder(NamedTuple):
    """An order, or a change of one, that the venue hasn't answered; `command` asks for it again."""

    order_id: int
    user_id: int
    command: str


class Checkpoint(Protocol):
    """What the order gateway asks of the ledger. Every method raises Retryable."""

    def through(self, session: str) -> int:
        """The MsgSeqNum at or below which every report of the session is applied; 0 at first."""

    def applied(self, session: str, after: int) -> list[int]:
        """Positions beyond `after` whose reports are applied, on all shards."""

    def move(self, session: str, through: int) -> None:
        """Every report up to `through` is applied."""

    def stale_orders(self, older_than_seconds: float) -> list[StaleOrder]:
        """Orders and changes that have waited longer than that for an answer, on all shards."""


class LedgerCheckpoint:
    """The checkpoint in PostgreSQL, through the edge's role. For one thread."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def through(self, session: str) -> int:
        rows = self._shards.control.run(_THROUGH, session=session)
        return int(rows[0][0]) if rows else 0

    def applied(self, session: str, after: int) -> list[int]:
        return [
            int(row[0])
            for database in self._shards.databases
            for row in database.run(_APPLIED, session=session, after=after)
        ]

    def move(self, session: str, through: int) -> None:
        # Moved first: the rows behind it may go only when nothing asks for them any more.
        self._shards.control.run(_MOVE, session=session, through=through)
        for database in self._shards.databases:
            database.run(_FORGET, session=session, through=through)

    def stale_orders(self, older_than_seconds: float) -> list[StaleOrder]:
        return [
            StaleOrder(*row)
            for database in self._shards.databases
            for row in database.run(_STALE, seconds=older_than_seconds)
        ]
