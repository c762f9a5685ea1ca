"""Reports that the ledger could not book: having it judge them again, or ending one.

Invariant: a report is parked, booked, or settled with a note, at every moment. It is taken out and
judged in one transaction that holds its account, for which the ledger waits: nothing that came
after it is booked before it, and no order is judged between the two. What still can't be booked
keeps its place, and so does all that is behind it. Without an account there is nothing to judge:
such a report stays, and only a person can end it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

import msgspec
import pg8000.native

from functions.shared.bookkeeping.applying import APPLY, REFUSED_CLASSES, arguments
from functions.shared.domain.calendar import market_status, settlement_date
from functions.shared.wire.executions import ExecutionReport
from infra.local.postgres import connect

_READ: Final = """
SELECT session, position, user_id, order_id, why, report FROM ledger.parked_execution
ORDER BY user_id, at, session, position
"""
_HOLD: Final = "SELECT user_id FROM ledger.account WHERE user_id = :user_id FOR NO KEY UPDATE"
_TAKE_OUT: Final = """
DELETE FROM ledger.parked_execution WHERE session = :session AND position = :position
RETURNING session, position, user_id, order_id, why, report, at
"""
_COLUMNS: Final = ("session", "position", "user_id", "order_id", "why", "report", "at")
_PUT_BACK: Final = """
INSERT INTO ledger.parked_execution (session, position, user_id, order_id, why, report, at)
VALUES (:session, :position, :user_id, :order_id, :why, :report, :at)
"""
_SETTLE: Final = """
INSERT INTO venue.settled_report (session, position, raw, trade_date, exec_id, note)
VALUES (:session, :position, :raw, :trade_date, :exec_id, :note) ON CONFLICT DO NOTHING
"""
_UNREADABLE: Final = "UNREADABLE"


class Parked(NamedTuple):
    """One of a shard's, given by its owner's address. `report`: as JSON, or the bytes in hex of one
    that could not be read."""

    url: str
    session: str
    position: int
    user_id: int
    order_id: int
    why: str
    report: str

    @property
    def name(self) -> str:
        return f"{self.session}/{self.position}"

    @property
    def told(self) -> ExecutionReport | None:
        """What it says; None for one that could not be read."""
        if self.why == _UNREADABLE:
            return None
        return msgspec.json.decode(self.report, type=ExecutionReport)


def read_parked(postgres_owner_urls: Sequence[str]) -> list[Parked]:
    """All that stand, each user's in their order. Raises pg8000's errors."""
    return [Parked(url, *row) for url in postgres_owner_urls for row in _run(url, _READ)]


def judge_again(
    items: Sequence[Parked], hours: Literal["nse", "always-open"], now: datetime
) -> list[Parked]:
    """Has the ledger judge these anew, each user's in their order up to the first that still can't
    be booked, and returns those that are done with. `now`: the business time. Raises pg8000's
    errors but for what the database refuses in a report, which stays."""
    today = market_status(now, hours).trade_date
    readable = [item for item in items if item.told is not None]
    done: list[Parked] = []
    for (url, user_id), parked in groupby(readable, lambda item: (item.url, item.user_id)):
        with _transaction(url) as ledger:
            if not ledger.run(_HOLD, user_id=user_id):
                continue
            standing = list(parked)
            rows = [
                row
                for item in standing
                for row in ledger.run(_TAKE_OUT, session=item.session, position=item.position)
            ]
            booked = 0
            while booked < len(standing) and _is_booked(
                ledger, standing[booked], hours, today, now
            ):
                booked += 1
            for row in rows[booked:]:
                ledger.run(_PUT_BACK, **dict(zip(_COLUMNS, row, strict=True)))
            done += standing[:booked]
    return done


def settle(control_url: str, item: Parked, note: str) -> None:
    """Keeps the report on shard 0 with what a person says became of it, and ends it. Raises
    pg8000's errors."""
    told = item.told
    connection = connect(control_url)
    try:
        connection.run(
            _SETTLE, session=item.session, position=item.position, raw=item.report.encode(),
            trade_date="" if told is None else told.trade_date.replace("-", ""),
            exec_id="" if told is None else told.exec_id, note=note,
        )  # fmt: skip
    finally:
        connection.close()
    _run(item.url, _TAKE_OUT, session=item.session, position=item.position)


def _is_booked(
    ledger: pg8000.native.Connection,
    item: Parked,
    hours: Literal["nse", "always-open"],
    today: date,
    now: datetime,
) -> bool:
    """Whether the ledger is done with it; when not, nothing of it was written."""
    report = item.told
    if report is None:
        return False
    settles_on = settlement_date(date.fromisoformat(report.trade_date), hours)
    ledger.run("SAVEPOINT before_it")
    try:
        ((outcome, *_),) = ledger.run(APPLY, **arguments(report, settles_on, today, now))
    except pg8000.native.DatabaseError as error:
        if not error.args[0].get("C", "").startswith(REFUSED_CLASSES):
            raise
        outcome = "PARKED"
    if outcome == "PARKED":
        ledger.run("ROLLBACK TO SAVEPOINT before_it")
    return bool(outcome != "PARKED")


@contextlib.contextmanager
def _transaction(url: str) -> Iterator[pg8000.native.Connection]:
    connection = connect(url)
    try:
        connection.run("BEGIN")
        yield connection
        connection.run("COMMIT")
    finally:
        connection.close()  # which undoes what was not committed


def _run(url: str, sql: str, **parameters: object) -> list[list[Any]]:
    connection = connect(url)
    try:
        return connection.run(sql, **parameters) or []
    finally:
        connection.close()
