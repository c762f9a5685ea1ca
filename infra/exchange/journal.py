"""The append-only journal: what the venue must still know after a kill -9.

One JSON array a line, and one line a turn of the venue. Invariants: all that a turn decided is in
the file together or not at all, so an auction is never half matched after a kill; and it is there
(a completed `write(2)`, so the kernel has it) before a report is handed to a FIX session, while a
`sent` entry follows once the session's own store has the report. So on a restart every report
without one may not have left, and is sent again with PossResend=Y and its first ExecID; where the
session's store is lost, so is every one of the latest trade date. There is no fsync: a killed
process loses nothing, a machine that loses power may lose the last seconds.

Entries: ["report", class, fields...], ["sent", session, count], ["received", session, MsgSeqNum],
["boot", n], ["market", trade date, {symbol: [previous close, open, high, low, last, volume]}],
["floor", state]; several of one turn: ["turn", [entry, ...]].
"""

import fcntl
import json
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from infra.exchange.book import Side
from infra.exchange.register import Register
from infra.exchange.reports import (
    CancelReject,
    ExecType,
    ExecutionReport,
    OrdStatus,
    OrdType,
    Report,
    TimeInForce,
)

JOURNAL = "journal.jsonl"
#: The values of a report in the order of its fields. Shallow, unlike dataclasses.astuple, which
#: copies each value and takes longer than all else that is done about an order.
_VALUES: dict[type[Report], Callable[[Any], tuple[Any, ...]]] = {
    kind: attrgetter(*(f.name for f in fields(kind))) for kind in (ExecutionReport, CancelReject)
}
_encode = json.JSONEncoder(separators=(",", ":")).encode
SymbolDay = list[int]


class JournalError(Exception):
    """The journal cannot be used: held by another process, unwritable, or damaged in the middle."""


@dataclass(slots=True)
class Recovered:
    """What the journal says happened before this start."""

    register: Register = field(default_factory=Register)
    unsent: dict[str, deque[Report]] = field(default_factory=dict)
    told: dict[str, deque[Report]] = field(default_factory=dict)
    told_date: str = ""
    received: dict[str, int] = field(default_factory=dict)
    boot: int = 0
    market_date: str = ""
    market: dict[str, SymbolDay] = field(default_factory=dict)
    floor: dict[str, Any] = field(default_factory=dict)
    truncated_bytes: int = 0


class Journal:
    """Opens, recovers and appends. One process at a time holds the folder (an advisory lock)."""

    def __init__(self, folder: Path, *, refresh_keeps_place: bool = False) -> None:
        path = folder / JOURNAL
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"cannot write the state folder {folder}: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise JournalError(f"another exchange uses the state folder {folder}") from error
        self._pending: list[list[Any]] = []
        self.recovered = _recover(path, Register(refresh_keeps_place=refresh_keeps_place))
        if self.recovered.truncated_bytes:
            os.ftruncate(self._file, path.stat().st_size - self.recovered.truncated_bytes)
        self.recovered.boot += 1
        self._add(["boot", self.recovered.boot])
        self.flush()

    def close(self) -> None:
        """Write what is pending and let the folder go."""
        self.flush()
        os.close(self._file)

    def add_report(self, report: Report) -> None:
        """Queue a report; it is written by the next `flush`."""
        kind = type(report)
        self._add(["report", kind.__name__, *_VALUES[kind](report)])

    def add_sent(self, session: str, count: int) -> None:
        """Queue the note that `count` more reports are in the session's own store."""
        last = self._pending[-1] if self._pending else None
        if last is not None and last[:2] == ["sent", session]:
            last[2] += count
        else:
            self._add(["sent", session, count])

    def add_received(self, session: str, sequence: int) -> None:
        """Queue the note that every message up to this MsgSeqNum(34) has been dealt with."""
        self._add(["received", session, sequence])

    def add_market(self, trade_date: str, market: dict[str, SymbolDay]) -> None:
        """Queue the day's public figures by symbol."""
        self._add(["market", trade_date, market])

    def add_floor(self, state: dict[str, Any]) -> None:
        """Queue the state of the floor: phases, halts, bands, listings."""
        self._add(["floor", state])

    def flush(self) -> None:
        """Write all that is queued as one line; JournalError when the disk refuses it."""
        if not self._pending:
            return
        turn = self._pending[0] if len(self._pending) == 1 else ["turn", self._pending]
        data = memoryview((_encode(turn) + "\n").encode())
        self._pending = []
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise JournalError(f"cannot write the journal: {error}") from error

    def _add(self, entry: list[Any]) -> None:
        self._pending.append(entry)


def _recover(path: Path, register: Register) -> Recovered:
    """Fold the journal. Only its last line may be incomplete: it was never acted on, and is cut."""
    recovered = Recovered(register)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                recovered.truncated_bytes = len(line)
                break
            try:
                _apply(recovered, json.loads(line))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise JournalError(f"{path}, line {number}: {error}") from error
    return recovered


def _apply(recovered: Recovered, line: list[Any]) -> None:
    match line:
        case ["turn", entries]:
            for entry in entries:
                _apply(recovered, entry)
        case ["report", name, *values]:
            report = _report(name, values)
            recovered.register.apply(report)
            recovered.unsent.setdefault(report.session, deque()).append(report)
        case ["sent", session, count]:
            for _ in range(count):
                _tell(recovered, recovered.unsent[session].popleft())
        case ["received", session, sequence]:
            recovered.received[session] = sequence
        case ["boot", boot]:
            recovered.boot = boot
        case ["market", trade_date, market]:
            recovered.market_date, recovered.market = trade_date, market
        case ["floor", state]:
            recovered.floor = state
        case _:
            raise ValueError("a line of an unknown kind")


def _tell(recovered: Recovered, report: Report) -> None:
    """Its session's store has it; those of earlier trade dates are not asked for any more."""
    if isinstance(report, ExecutionReport) and report.trade_date > recovered.told_date:
        recovered.told.clear()
        recovered.told_date = report.trade_date
    recovered.told.setdefault(report.session, deque()).append(report)


def _report(name: str, values: list[Any]) -> Report:
    if name == CancelReject.__name__:
        session, order_id, cl_ord_id, original, status, *rest = values
        return CancelReject(session, order_id, cl_ord_id, original, OrdStatus(status), *rest)
    if name != ExecutionReport.__name__:
        raise ValueError(f"a report of the unknown kind {name!r}")
    session, exec_id, exec_type, status, order_id, cl_ord_id, original, account, symbol, *rest = (
        values
    )
    side, ord_type, time_in_force, *numbers = rest
    return ExecutionReport(
        session,
        exec_id,
        ExecType(exec_type),
        OrdStatus(status),
        order_id,
        cl_ord_id,
        original,
        account,
        symbol,
        Side(side),
        OrdType(ord_type),
        TimeInForce(time_in_force),
        *numbers,
    )
