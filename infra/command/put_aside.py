"""Reports of the venue that the gateway could not read: what they say, and how each is ended.

They are in the stream `executions-refused`, which nobody consumes. One that this version reads is
handed on to the ledger like any report; of another a person says what became of it.

Invariant: a report stands until venue.settled_report has it, which has it only once the report is
somewhere else: in the executions stream, where ExecID makes a second time nothing, or ended by a
person's word. A report that was put aside twice, after a reconnect, is one by its numbering and
MsgSeqNum.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from infra.local.postgres import connect

STREAM: Final = "executions-refused"
_HANDED_ON: Final = "handed to the ledger"
_TRADES: Final = frozenset({"F", "G", "H"})
_SETTLED: Final = "SELECT session, position, trade_date, exec_id FROM venue.settled_report"
_SETTLE: Final = """
INSERT INTO venue.settled_report (session, position, raw, trade_date, exec_id, note)
VALUES (:session, :position, :raw, :trade_date, :exec_id, :note) ON CONFLICT DO NOTHING
"""


class PutAside(NamedTuple):
    """`entries`: its places in the stream; the first names it. `session`: the numbering that
    `position` is of."""

    entries: tuple[str, ...]
    session: str
    position: int
    raw: bytes

    @property
    def name(self) -> str:
        return self.entries[0]

    @property
    def fields(self) -> Mapping[str, str]:
        """Its tags, as far as they can be told apart."""
        parts = self.raw.decode(errors="replace").split("\x01")
        return {tag: value for tag, _, value in (part.partition("=") for part in parts)}

    @property
    def is_trade(self) -> bool:
        """Whether it tells a trade, or one that is corrected or taken back: money that no book has.
        In FIX 4.2 a trade has ExecType(150) 1 or 2, and ExecTransType(20) says the other two."""
        told = self.fields
        if told.get("35") != "8":
            return False
        if told.get("8") == "FIX.4.2":
            return told.get("20") in {"1", "2"} or (
                told.get("20") == "0" and told.get("150") in {"1", "2"}
            )
        return told.get("150") in _TRADES

    @property
    def fill(self) -> tuple[str, str]:
        """(trade date, ExecID) of a report; empty where it has none."""
        return self.fields.get("75", ""), self.fields.get("17", "")

    def __str__(self) -> str:
        told = self.fields
        kind = f"35={told.get('35', '')} 150={told.get('150', '')}"
        said = f"{kind} ClOrdID {told.get('11', '')!r} account {told.get('1', '')!r}"
        if self.is_trade:
            said += (
                f" ExecID {told.get('17', '')!r} side {told.get('54', '')}"
                f" {told.get('32', '')} {told.get('55', '')} at {told.get('31', '')}"
            )
        return said


class Settled(NamedTuple):
    """What a person has ended: the reports by numbering and position, and their trades."""

    reports: frozenset[tuple[str, int]] = frozenset()
    fills: frozenset[tuple[str, str]] = frozenset()


def read_settled(postgres_owner_url: str) -> Settled:
    """What shard 0 has. Raises pg8000's errors."""
    connection = connect(postgres_owner_url)
    try:
        rows = connection.run(_SETTLED)
    finally:
        connection.close()
    return Settled(
        frozenset((session, position) for session, position, *_ in rows),
        frozenset((day, exec_id) for *_, day, exec_id in rows if exec_id),
    )


def read_put_aside(streams_url: str, settled: Settled) -> list[PutAside]:
    """All that stand, the oldest first. Raises Retryable."""
    from functions.shared.stores.streams import open_streams

    found: dict[tuple[str, int], PutAside] = {}
    streams = open_streams(streams_url)
    try:
        for entry in streams.look(STREAM):
            seen = PutAside((entry.id,), entry.key, 0, entry.data)
            position = seen.fields.get("34", "")
            number = int(position) if position.isdecimal() and len(position) <= 18 else 0
            key = entry.key, number
            if key in settled.reports:
                continue
            before = found.get(key)
            entries = (entry.id,) if before is None else (*before.entries, entry.id)
            found[key] = PutAside(entries, entry.key, number, entry.data)
    finally:
        streams.close()
    return list(found.values())


def unread_because(item: PutAside) -> str | None:
    """What this version can't read in it; None when it reads all of it."""
    from functions.shared.domain.errors import PeerProtocolError

    try:
        _report_of(item)
    except PeerProtocolError as error:
        return str(error)
    return None


def hand_on(
    postgres_owner_url: str, streams_url: str, items: Sequence[PutAside], partitions: int
) -> None:
    """Gives the ledger reports that can be read by now. Raises PeerProtocolError for one that
    can't, Retryable, and pg8000's errors."""
    from functions.shared.domain.ids import partition_of_user, slot_of_order
    from functions.shared.stores.streams import Record, open_streams
    from functions.shared.wire.executions import encode_execution, executions_stream

    streams = open_streams(streams_url)
    try:
        for item in items:
            report = _report_of(item)
            user = report.user_id or slot_of_order(report.order_id)
            streams.append(
                executions_stream(partition_of_user(user, partitions)),
                [Record(str(report.user_id), encode_execution(report))],
            )
            # Its trade is the ledger's to book, and no exception of `reconcile`.
            _end(postgres_owner_url, item, ("", ""), _HANDED_ON)
    finally:
        streams.close()


def settle(postgres_owner_url: str, item: PutAside, note: str) -> None:
    """Keeps a report with what a person says became of it, and ends it. Raises pg8000's errors."""
    _end(postgres_owner_url, item, item.fill, note)


def _end(postgres_owner_url: str, item: PutAside, fill: tuple[str, str], note: str) -> None:
    day, exec_id = fill
    connection = connect(postgres_owner_url)
    try:
        connection.run(
            _SETTLE, session=item.session, position=item.position, raw=item.raw,
            trade_date=day, exec_id=exec_id, note=note,
        )  # fmt: skip
    finally:
        connection.close()


def _report_of(item: PutAside) -> Any:
    """As the gateway reads a report (edge/gateway/reports_out.py). Raises PeerProtocolError."""
    from edge.gateway import fix42, translate

    text = item.raw.decode(errors="surrogateescape")
    return translate.execution_of(item.session, fix42.incoming(translate.parse_fields(text)))
