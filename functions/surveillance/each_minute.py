"""Each minute: the trail of logins goes to the rules, measures that were not taken are taken, and
restrictions end.

Invariant: how far the trail was read is written by the call that writes what came of it, so an
entry counts once, whatever ends this run.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from functions.shared.clock import trade_date
from functions.shared.domain.errors import Retryable
from functions.shared.domain.surveillance.desk import Desk
from functions.shared.domain.surveillance.takeover import ACTIONS
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.postgres import Database
from functions.shared.stores.surveillance import KeptWatch, Surveillance, TrailEntry
from functions.shared.wire.surveillance import told_of
from functions.surveillance.carry_out import carry_out, end_due, end_one, rows_of, to_do

_PAGE: Final = 500
_PAGES_MOST: Final = 40
_FORGOTTEN_MOST: Final = 5000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many entries were read, measures taken, restrictions ended and old days forgotten."""
    stores = composition.stores()
    run = ScheduledRun(context, "entries", "measures", "forgotten", "ended")
    run.each("entries", _pages(stores), len)
    run.each("measures", iter(to_do(stores)), lambda alert: carry_out(stores, alert))
    today = trade_date(stores.clock.now())
    run.each("forgotten", iter([today]), lambda day: forget_trades(stores, day))

    def end(database: Database) -> None:
        run.each("ended", iter(end_due(stores, database)), lambda due: end_one(stores, due))

    return run.over_shards(stores, end)


def forget_trades(stores: Stores, today: date) -> int:
    return Surveillance(stores.shards.control).forget_trades(today, _FORGOTTEN_MOST)


def _pages(stores: Stores) -> Iterator[list[TrailEntry]]:
    for _ in range(_PAGES_MOST):
        try:
            page = read_trail(stores)
        except Retryable as error:
            logger().warning("trail left to the next run", why=str(error))
            return
        yield page
        if len(page) < _PAGE:
            return


def read_trail(stores: Stores) -> list[TrailEntry]:
    """Takes the next page of the audit trail in and returns it. Raises Retryable."""
    store = Surveillance(stores.shards.control)
    place = store.trail_place()
    page = store.trail_after(place, _PAGE)
    if not page:
        return []
    entries = [entry for entry in page if entry.subject and entry.action in ACTIONS]
    kept = store.watches({int(entry.subject or 0) for entry in entries})
    rows = _found(stores, kept, entries)
    store.take_in(kept, {}, rows, (place, page[-1].audit_id))
    return page


def _found(
    stores: Stores, kept: dict[int, KeptWatch], entries: Sequence[TrailEntry]
) -> list[dict[str, object]]:
    desk = Desk({user: each.watch for user, each in kept.items()}, {}, {})
    return rows_of(
        finding
        for entry in entries
        for finding in desk.take(
            int(entry.subject or 0),
            told_of(entry.action, stores.clock.business_at(entry.at), entry.detail),
        )
    )
