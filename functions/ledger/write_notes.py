"""The schedule that writes contract notes: after a trade date's close, for everybody who traded.

What is due is found in the ledger, where each fill leaves it; a fill that is told late makes the
day due again and gets a version of its own. Invariant: cut off anywhere or run twice at once, each
version is written once, and an account whose note can't be made holds up nobody else's.
"""

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
from functions.shared.domain.calendar import Hours, Phase, market_status, settlement_date
from functions.shared.domain.charges import depository_charge
from functions.shared.domain.contract_note import contract_note
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.contract_notes import encode_note

#: The day's last fills are on their way for a moment; a note without them would need a second.
DELAY: Final = timedelta(minutes=10)
_PAGE_ROWS: Final = 200
#: Fills that come in while a note is made; past these the next run makes it.
_ATTEMPTS: Final = 3
#: A note needs less; a run with less time left ends, and the next one goes on.
_RESERVE_MILLISECONDS: Final = 5_000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many notes were written. Raises InvariantViolated, once everybody else has theirs, when
    an account's could not be made."""
    run = _Run(composition.stores(), context)
    for number, shard in enumerate(run.stores.shards.databases):
        try:
            run.work_through(shard)
        except Retryable as error:
            logger().warning("contract notes deferred", shard=number, why=str(error))
    if run.failed:
        raise InvariantViolated(f"{run.failed} contract notes could not be written")
    return {"written": run.written}


class _Run:
    """One run of the schedule over every shard."""

    def __init__(self, stores: Stores, context: Any) -> None:
        self.stores = stores
        self.written = 0
        self.failed = 0
        self._context = context
        self._now = stores.clock.now()
        self._hours = stores.clock.hours

    def work_through(self, shard: Database) -> None:
        """Writes what one shard owes. Raises Retryable when the shard can't be asked."""
        closed, after = closed_through(self._now, self._hours), FIRST
        while page := due_notes(shard, closed, after, _PAGE_ROWS):
            for due in page:
                if self._context.get_remaining_time_in_millis() < _RESERVE_MILLISECONDS:
                    return
                self._write(due)
            after = page[-1]

    def _write(self, due: DueNote) -> None:
        try:
            written = write_note(self.stores.shards, due, self._hours, self._now)
        except Retryable as error:  # a busy account is asked again by the next run
            logger().warning("contract note deferred", user_id=str(due.user_id), why=str(error))
        except (LookupError, InvariantViolated) as error:
            self.failed += 1
            logger().error(
                "contract note not written",
                user_id=str(due.user_id), trade_date=due.trade_date.isoformat(), why=str(error),
            )  # fmt: skip
        else:
            self.written += written
            wake_relay(self.stores.valkey, self.stores.shards.number_of_user(due.user_id))


def write_note(shards: Shards, due: DueNote, hours: Hours, now: datetime) -> bool:
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
        body = encode_note(due.user_id, note)
        booked = book_note(shards, due, traded.through, note.charges, body, today, now)
        if booked.outcome != "STALE":
            return booked.outcome == "BOOKED"
    raise Retryable("fills come in faster than the note is made")


def closed_through(now: datetime, hours: Hours) -> date:
    """The latest trade date whose session is over for a while. Before a session opens it is that
    day's already, which is as well: nothing has traded then."""
    status = market_status(now - DELAY, hours)
    if status.phase is Phase.CLOSED:
        return status.trade_date
    return status.trade_date - timedelta(days=1)


def settled_through(trade_date: date, hours: Hours) -> date:
    """Shares bought on that day or before were in the demat account on the trade date."""
    day = trade_date - timedelta(days=1)
    while settlement_date(day, hours) > trade_date:
        day -= timedelta(days=1)
    return day
