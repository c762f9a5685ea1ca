"""Reports that the ledger could not book: handing them to it again, or ending one.

Invariant: a report is parked, in the stream to the ledger, or settled with a note, at every moment.
It is taken out of the ledger in a transaction that holds its account, for which the ledger waits,
and that commits once the stream has it: whoever is killed in between leaves it parked, and the
ledger, which finds it parked, does nothing about the second one. Without an account nothing waits:
such a report stays, and only a person can end it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
import pg8000.native

from functions.shared.domain.ids import partition_of_user, slot_of_order
from functions.shared.stores.streams import Record, Streams, open_streams
from functions.shared.wire.executions import (
    ExecutionReport,
    encode_execution,
    executions_stream,
)
from infra.local.postgres import connect

_READ: Final = """
SELECT session, position, user_id, order_id, why, report FROM ledger.parked_execution
ORDER BY user_id, at, session, position
"""
_HOLD: Final = "SELECT user_id FROM ledger.account WHERE user_id = :user_id FOR NO KEY UPDATE"
_TAKE_OUT: Final = """
DELETE FROM ledger.parked_execution WHERE session = :session AND position = :position
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


def hand_on_again(streams_url: str, items: Sequence[Parked], partitions: int) -> list[Parked]:
    """Has the ledger judge these anew, each user's in their order, and returns them; without those
    of no account. One that still can't be booked is parked again. Raises pg8000's errors and
    Retryable."""
    streams = open_streams(streams_url)
    readable = [item for item in items if item.told is not None]
    handed_on: list[Parked] = []
    try:
        for (url, user_id), parked in groupby(readable, lambda item: (item.url, item.user_id)):
            with _transaction(url) as ledger:
                if not ledger.run(_HOLD, user_id=user_id):
                    continue
                for item in parked:
                    ledger.run(_TAKE_OUT, session=item.session, position=item.position)
                    _append(streams, item, partitions)
                    handed_on.append(item)
    finally:
        streams.close()
    return handed_on


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


def _append(streams: Streams, item: Parked, partitions: int) -> None:
    report = item.told
    if report is not None:
        user = report.user_id or slot_of_order(report.order_id)
        streams.append(
            executions_stream(partition_of_user(user, partitions)),
            [Record(str(report.user_id), encode_execution(report))],
        )


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
