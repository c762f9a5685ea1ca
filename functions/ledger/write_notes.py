"""The schedule that writes contract notes: after a trade date's close, for everybody who traded.

What is due is found in the ledger, where each fill leaves it; a fill that is told late makes the
day due again and gets a version of its own. Invariant: cut off anywhere or run twice at once, each
version is written once, and an account whose note can't be made holds up nobody else's.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from functions.shared.bookkeeping.contract_notes import (
    FIRST,
    DueNote,
    book_note,
    charge_depository,
    day_traded,
    due_notes,
)
from functions.shared.domain.calendar import (
    Hours,
    closed_through,
    market_status,
    settlement_date,
)
from functions.shared.domain.charges import depository_charge
from functions.shared.domain.contract_note import ContractNote, contract_note, settlement_number
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.contract_notes import NoteDocument, encode_note

#: The day's last fills are on their way for a moment; a note without them would need a second.
DELAY: Final = timedelta(minutes=10)
_PAGE_ROWS: Final = 200
#: Fills that come in while a note is made; past these the next run makes it.
_ATTEMPTS: Final = 3


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many notes were written. Raises as `ScheduledRun.over_shards`."""
    stores = composition.stores()
    notes = _Notes(stores, context)
    return notes.run.over_shards(stores, notes.work)


class _Notes:
    """The notes that are due at one business time."""

    def __init__(self, stores: Stores, context: Any) -> None:
        self._stores = stores
        self.run = ScheduledRun(context, "written")
        self._now = stores.clock.now()
        self._hours = stores.clock.hours

    def work(self, database: Database) -> None:
        """Writes what one shard owes. Raises Retryable when the shard can't be asked."""
        self.run.each("written", self._due(database), self._write)

    def _due(self, database: Database) -> Iterator[DueNote]:
        closed, after = closed_through(self._now - DELAY, self._hours), FIRST
        while page := due_notes(database, closed, after, _PAGE_ROWS):
            yield from page
            after = page[-1]

    def _write(self, due: DueNote) -> bool:
        try:
            return write_note(
                self._stores.shards, self._stores.instruments, due, self._hours, self._now
            )
        except LookupError as error:  # traded on a day without rates: nothing heals that by itself
            raise InvariantViolated(str(error)) from error


def write_note(
    shards: Shards, instruments: InstrumentMaster, due: DueNote, hours: Hours, now: datetime
) -> bool:
    """Books one account's charges of a trade date as its note says, and keeps the note; True when
    a version was written. The depository's charges come first: a run that is cut off in between
    leaves the note due, and the next one finds them charged.

    Raises Retryable, and LookupError for a trade date whose rates aren't loaded.
    """
    today = market_status(now, hours).trade_date
    charge, tax = depository_charge(due.trade_date)
    settled = settled_through(due.trade_date, hours)
    charge_depository(shards, due, settled, charge, tax, today, now)
    for _ in range(_ATTEMPTS):
        traded = day_traded(shards, due.user_id, due.trade_date)
        note = contract_note(due.trade_date, traded.orders)
        body = encode_note(_document(due.user_id, note, instruments, hours))
        booked = book_note(shards, due, traded.through, note.charges, body, today, now)
        if booked.outcome != "STALE":
            return booked.outcome == "BOOKED"
    raise Retryable("fills come in faster than the note is made")


def _document(
    user_id: int, note: ContractNote, instruments: InstrumentMaster, hours: Hours
) -> NoteDocument:
    """The note with what is printed beside its money. A security that is no longer listed here, or
    has no ISIN, goes without one."""
    found = ((line.symbol, instruments.get(line.symbol)) for line in note.securities)
    return NoteDocument(
        user_id=user_id,
        note=note,
        settles_on=settlement_date(note.trade_date, hours),
        settlement_number=settlement_number(note.trade_date, hours),
        isins={symbol: one.isin for symbol, one in found if one is not None and one.isin},
    )


def settled_through(trade_date: date, hours: Hours) -> date:
    """Shares bought on that day or before were in the demat account on the trade date."""
    day = trade_date - timedelta(days=1)
    while settlement_date(day, hours) > trade_date:
        day -= timedelta(days=1)
    return day
