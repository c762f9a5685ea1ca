"""The fills that the venue's drop copies told, and those that the ledger booked; busts (150=H) and
corrections (150=G) of them as well.

Invariant: a copy is kept until it is found booked; (trade date, ExecID) makes it one report however
often either side tells it.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple, Protocol

import msgspec

from functions.shared.clock import from_micros
from functions.shared.stores.leases import HOLD
from functions.shared.stores.postgres import Shards
from functions.shared.wire.executions import ExecutionReport

_RECORD = """
INSERT INTO venue.fill_copy (trade_date, exec_id, order_id, quantity, price, exec_type,
  transacted_at, report)
SELECT r.trade_date, r.exec_id, r.order_id, r.quantity, r.price, r.exec_type, r.transacted_at,
  r.report
FROM json_to_recordset(CAST(:copies AS json)) AS r (trade_date date, exec_id text, order_id bigint,
  quantity bigint, price bigint, exec_type text, transacted_at timestamptz, report text)
ON CONFLICT DO NOTHING
"""
_OPEN = """
SELECT trade_date, exec_id, order_id, quantity, price, exec_type, report, state = 'HANDED_ON',
  CAST(extract(epoch FROM clock_timestamp() - received_at) AS double precision)
FROM venue.fill_copy WHERE state <> 'BOOKED'
ORDER BY received_at LIMIT CAST(:most AS integer)
"""
_BOOKED = """
SELECT trade_date, exec_id, order_id, quantity, price, exec_type FROM ledger.execution
WHERE venue = 1 AND exec_type IN ('F', 'G', 'H') AND exec_id = ANY(CAST(:exec_ids AS text[]))
  AND trade_date = ANY(CAST(:days AS date[]))
"""
_MARK = """
UPDATE venue.fill_copy
SET state = :state, report = CASE :state WHEN 'BOOKED' THEN NULL ELSE report END
WHERE exec_id = ANY(CAST(:exec_ids AS text[])) AND trade_date = ANY(CAST(:days AS date[]))
"""
_IN_SPAN = """
SELECT trade_date, exec_id, order_id, quantity, price, exec_type FROM ledger.execution
WHERE exec_type IN ('F', 'G', 'H') AND trade_date >= CAST(:first_day AS date)
  AND at > CAST(:after AS timestamptz) AND at < CAST(:before AS timestamptz)
"""
_COPIED = """
SELECT trade_date, exec_id FROM venue.fill_copy
WHERE exec_id = ANY(CAST(:exec_ids AS text[])) AND trade_date = ANY(CAST(:days AS date[]))
"""
_COMPARED = "SELECT through FROM venue.fills_compared"
_MOVE = """
INSERT INTO venue.fills_compared (through) VALUES (CAST(:through AS timestamptz))
ON CONFLICT (the_row) DO UPDATE SET through = excluded.through
"""
_FORGET = """
DELETE FROM venue.fill_copy WHERE state = 'BOOKED' AND transacted_at < CAST(:before AS timestamptz)
"""

#: Copies looked at in one run; the rest wait for the next.
OPEN_MOST: Final = 10_000
#: Copies found booked are kept so long behind what was compared.
KEPT: Final = timedelta(days=7)


class Fill(NamedTuple):
    """A fill as one side has it. `price` in ten-thousandths of a rupee; `exec_type`: F, G for what
    a trade was corrected to, or H for one that was taken back (`quantity` and `price` are 0)."""

    trade_date: date
    exec_id: str
    order_id: int
    quantity: int
    price: int
    exec_type: str = "F"

    @property
    def key(self) -> tuple[date, str]:
        return self.trade_date, self.exec_id


class OpenCopy(NamedTuple):
    """A copy that was not yet found booked; `handed_on`: the ledger was told of it from here;
    `age_seconds`: since it came."""

    fill: Fill
    report: ExecutionReport
    handed_on: bool
    age_seconds: float


class FillCopies(Protocol):
    """What the drop-copy comparison asks. Every method raises Retryable."""

    def record(self, reports: Sequence[ExecutionReport]) -> None:
        """Keeps copies of trades, busts and corrections; one that is there already stays."""

    def open(self) -> list[OpenCopy]:
        """Copies not yet found booked, the oldest first, at most OPEN_MOST."""

    def booked(self, keys: Sequence[tuple[date, str]]) -> list[Fill]:
        """Those of these fills that the ledger has."""

    def mark_booked(self, keys: Sequence[tuple[date, str]]) -> None: ...

    def mark_handed_on(self, keys: Sequence[tuple[date, str]]) -> None: ...

    def not_copied(self, fills: Sequence[Fill]) -> list[Fill]:
        """Those of these fills that no copy told."""

    def booked_between(self, after: datetime, before: datetime) -> list[Fill]:
        """The ledger's fills of that span of the venue's business time, both ends excluded."""

    def compared_through(self) -> datetime | None: ...

    def move_compared(self, through: datetime) -> None:
        """All booked before `through` were looked up; copies long before it are dropped. Raises
        Fenced when the session is another process's by now."""


class LedgerFillCopies:
    """In PostgreSQL, through the edge's role. For one thread; `fence` is of the lease of `session`,
    which brings the copies. A copy and that it was found booked are facts, whoever tells them."""

    def __init__(self, shards: Shards, session: str, fence: int) -> None:
        self._shards = shards
        self._session = session
        self._fence = fence

    def record(self, reports: Sequence[ExecutionReport]) -> None:
        rows = [
            {
                "trade_date": report.trade_date,
                "exec_id": report.exec_id,
                "order_id": report.order_id,
                "quantity": report.last_quantity,
                "price": report.last_price,
                "exec_type": report.exec_type,
                "transacted_at": from_micros(report.transacted_at),
                "report": msgspec.json.encode(report).decode(),
            }
            for report in reports
        ]
        self._shards.control.run(_RECORD, copies=msgspec.json.encode(rows).decode())

    def open(self) -> list[OpenCopy]:
        rows = self._shards.control.run(_OPEN, most=OPEN_MOST)
        return [
            OpenCopy(Fill(*row[:6]), msgspec.json.decode(row[6], type=ExecutionReport), *row[7:])
            for row in rows
        ]

    def booked(self, keys: Sequence[tuple[date, str]]) -> list[Fill]:
        wanted, found = set(keys), dict[tuple[date, str], Fill]()
        for database in self._shards.databases:
            for row in database.run(_BOOKED, **_named(keys)):
                fill = Fill(*row)
                if fill.key in wanted:
                    found[fill.key] = fill
        return list(found.values())

    def mark_booked(self, keys: Sequence[tuple[date, str]]) -> None:
        self._mark("BOOKED", keys)

    def mark_handed_on(self, keys: Sequence[tuple[date, str]]) -> None:
        self._mark("HANDED_ON", keys)

    def not_copied(self, fills: Sequence[Fill]) -> list[Fill]:
        named = _named([fill.key for fill in fills])
        copied = {(row[0], row[1]) for row in self._shards.control.run(_COPIED, **named)}
        return [fill for fill in fills if fill.key not in copied]

    def booked_between(self, after: datetime, before: datetime) -> list[Fill]:
        # A trade date begins at most a day before its fills by the clock in UTC.
        first_day = (after - timedelta(days=2)).date()
        found = {
            fill.key: fill
            for database in self._shards.databases
            for fill in (
                Fill(*row)
                for row in database.run(_IN_SPAN, after=after, before=before, first_day=first_day)
            )
        }
        return list(found.values())

    def compared_through(self) -> datetime | None:
        rows = self._shards.control.run(_COMPARED)
        return rows[0][0] if rows else None

    def move_compared(self, through: datetime) -> None:
        with self._shards.control.transaction() as control:
            control.run(HOLD, lease=self._session, fence=self._fence)
            control.run(_MOVE, through=through)
            control.run(_FORGET, before=through - KEPT)

    def _mark(self, state: str, keys: Sequence[tuple[date, str]]) -> None:
        # An ExecID of ours begins with its trade date, so the pairs can't be mixed up.
        if keys:
            self._shards.control.run(_MARK, state=state, **_named(keys))


def _named(keys: Sequence[tuple[date, str]]) -> dict[str, object]:
    return {"exec_ids": [key[1] for key in keys], "days": sorted({key[0] for key in keys})}
