"""The ledger's orders as the venue should have them, and what was found to be otherwise.

Invariant: a difference is noted for a person and changes nothing in the ledger; noted again it is
the same row, and when it is found gone the row says since when. A cancel that the gateway asks the
venue for because of it stands in the row before it is sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from functions.shared.stores.leases import HOLD
from functions.shared.stores.postgres import Shards
from functions.shared.wire.commands import client_order_tag

Kind = Literal[
    "LOST_ORDER", "UNKNOWN_ORDER", "UNEQUAL_ORDER", "MISSING_FILL", "UNKNOWN_FILL", "UNEQUAL_FILL"
]

_COLUMNS = (
    "order_id, user_id, symbol, side, status, quantity, filled_quantity, limit_price,"
    " accepted_request, version, answered"
)
_WORKING = f"""
SELECT {_COLUMNS} FROM ledger.working_orders(CAST(:answered AS integer), CAST(:order AS bigint),
  CAST(:most AS integer))
"""
_NAMED = f"SELECT {_COLUMNS} FROM ledger.orders_named(CAST(:orders AS bigint[]))"
_NOTE = """
INSERT INTO venue.difference AS d (session, kind, subject, ledger_says, venue_says, first_seen,
  last_seen, settled_at)
SELECT :session, r.kind, r.subject, r.ledger_says, r.venue_says, CAST(:now AS timestamptz),
  CAST(:now AS timestamptz), NULL
FROM json_to_recordset(CAST(:found AS json))
  AS r (kind text, subject text, ledger_says text, venue_says text)
ON CONFLICT (session, kind, subject) DO UPDATE
SET ledger_says = excluded.ledger_says, venue_says = excluded.venue_says,
  last_seen = excluded.last_seen, settled_at = NULL
"""
_SETTLE = """
UPDATE venue.difference SET settled_at = CAST(:now AS timestamptz)
WHERE session = :session AND kind = ANY(CAST(:kinds AS text[])) AND settled_at IS NULL
  AND last_seen < CAST(:now AS timestamptz)
"""

_ANYWHERE = """
SELECT order_id FROM ledger.orders WHERE order_id = ANY(CAST(:orders AS bigint[]))
  AND status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
"""
_NOTE_CANCEL = """
UPDATE venue.difference
SET cancel_request = CAST(:number AS integer), cancelled_at = clock_timestamp()
WHERE session = :session AND subject = :subject AND settled_at IS NULL
  AND kind IN ('UNKNOWN_ORDER', 'UNEQUAL_ORDER')
"""
_STANDING = """
SELECT kind, subject, ledger_says, venue_says FROM venue.difference
WHERE session = :session AND kind = :kind AND settled_at IS NULL ORDER BY subject
"""

#: Orders read at a time from each shard.
PAGE: Final = 5_000


class LedgerOrder(NamedTuple):
    """An order as the ledger has it. `limit_price` in ten-thousandths of a rupee; `request` is the
    number of the last change that the venue accepted; `answered` is 0 while it waits for the
    venue's answer; `version` grows with each change of the order."""

    order_id: int
    user_id: int
    symbol: str
    side: Literal["BUY", "SELL"]
    status: str
    quantity: int
    filled: int
    limit_price: int
    request: int
    version: int
    answered: int

    @property
    def tag(self) -> str:
        """The ClOrdID that the order bears at the venue."""
        return client_order_tag(self.order_id, self.request)


class Difference(NamedTuple):
    """What one side says of an order or a trade and the other doesn't."""

    kind: Kind
    subject: str
    ledger_says: str
    venue_says: str


class VenueReview(Protocol):
    """What the gateway compares the venue's word with. Every method raises Retryable; `note` raises
    Fenced when the session is another process's by now."""

    def working_orders(self) -> list[LedgerOrder]:
        """Every order that is at the venue, or on its way there, by the ledger."""

    def orders_named(self, order_ids: Sequence[int]) -> list[LedgerOrder]:
        """Those of these orders that the ledger has."""

    def note(
        self, session: str, kinds: Sequence[Kind], found: Sequence[Difference], now: datetime
    ) -> None:
        """`found` is all there is of these kinds on the session at `now` (wall clock); what was
        noted before and is not among it is settled."""

    def working_anywhere(self, order_ids: Sequence[int]) -> set[int]:
        """Those of these orders that any shard has at work, at home there or not."""

    def note_cancel(self, session: str, subject: str, number: int) -> None:
        """The venue is about to be asked to cancel the order of a difference that stands. Raises
        Fenced as `note` does."""

    def standing(self, session: str, kind: Kind) -> list[Difference]:
        """What was noted of that kind and not found gone since."""


class LedgerVenueReview:
    """The review in PostgreSQL, through the edge's role. For one thread; `fence` is of the
    sessions' leases."""

    def __init__(self, shards: Shards, fence: int) -> None:
        self._shards = shards
        self._fence = fence

    def working_orders(self) -> list[LedgerOrder]:
        found: list[LedgerOrder] = []
        for database in self._shards.databases:
            answered, order = 0, 0
            while True:
                rows = database.run(_WORKING, answered=answered, order=order, most=PAGE)
                found += [LedgerOrder(*row) for row in rows]
                if len(rows) < PAGE:
                    break
                order, answered = found[-1].order_id, found[-1].answered
        return found

    def orders_named(self, order_ids: Sequence[int]) -> list[LedgerOrder]:
        return [
            LedgerOrder(*row)
            for database in self._shards.databases
            for first in range(0, len(order_ids), PAGE)
            for row in database.run(_NAMED, orders=list(order_ids[first : first + PAGE]))
        ]

    def note(
        self, session: str, kinds: Sequence[Kind], found: Sequence[Difference], now: datetime
    ) -> None:
        rows = msgspec.json.encode([d._asdict() for d in found]).decode()
        with self._shards.control.transaction() as control:
            control.run(HOLD, lease=session, fence=self._fence)
            control.run(_NOTE, session=session, found=rows, now=now)
            control.run(_SETTLE, session=session, kinds=list(kinds), now=now)

    def working_anywhere(self, order_ids: Sequence[int]) -> set[int]:
        return {
            row[0]
            for database in self._shards.databases
            for first in range(0, len(order_ids), PAGE)
            for row in database.run(_ANYWHERE, orders=list(order_ids[first : first + PAGE]))
        }

    def note_cancel(self, session: str, subject: str, number: int) -> None:
        with self._shards.control.transaction() as control:
            control.run(HOLD, lease=session, fence=self._fence)
            control.run(_NOTE_CANCEL, session=session, subject=subject, number=number)

    def standing(self, session: str, kind: Kind) -> list[Difference]:
        rows = self._shards.control.run(_STANDING, session=session, kind=kind)
        return [Difference(*row) for row in rows]
