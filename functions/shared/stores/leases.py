"""Leases: who does what one process alone does at a time, by PostgreSQL's clock.

Invariant: a fence grows with every taking, and what is written under it is refused (Fenced) once a
later one was given out, in the transaction of the write itself.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from functions.shared.stores.postgres import Database

#: The hand-on of a shard's outbox; each shard has its own. A FIX session's lease bears its name.
RELAY: Final = "relay"
#: The watch over waiting orders.
TRIGGERS: Final = "triggers"
#: The writing of quotes.
INGEST: Final = "ingest"

HOLD: Final = "SELECT edge.hold_lease(:lease, CAST(:fence AS bigint))"
_FOR: Final = "make_interval(secs => CAST(:seconds AS double precision))"
_TAKE = f"SELECT edge.take_leases(CAST(:names AS text[]), :holder, {_FOR})"
_RENEW = f"SELECT edge.renew_leases(CAST(:names AS text[]), CAST(:fence AS bigint), {_FOR})"
_RELEASE = "SELECT edge.release_leases(CAST(:names AS text[]), CAST(:fence AS bigint))"


class Leases(Protocol):
    """The leases of one database. Every method raises Retryable."""

    def take(self, names: Sequence[str], holder: str, seconds: float) -> int | None:
        """The fence of all of them; None while another holder has one of them."""

    def renew(self, names: Sequence[str], fence: int, seconds: float) -> bool:
        """For as long again from now; False when one of them is another's by now."""

    def release(self, names: Sequence[str], fence: int) -> None:
        """They may be taken at once."""


class LedgerLeases:
    """In PostgreSQL, through the edge's role. For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, names: Sequence[str], holder: str, seconds: float) -> int | None:
        rows = self._database.run(_TAKE, names=list(names), holder=holder, seconds=seconds)
        fence: int | None = rows[0][0]
        return fence

    def renew(self, names: Sequence[str], fence: int, seconds: float) -> bool:
        rows = self._database.run(_RENEW, names=list(names), fence=fence, seconds=seconds)
        return bool(rows[0][0])

    def release(self, names: Sequence[str], fence: int) -> None:
        self._database.run(_RELEASE, names=list(names), fence=fence)
