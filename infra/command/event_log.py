"""A shard's log as PostgreSQL streams it, walked once in the order of the chains.

Invariant: every event is hashed again and its state worked out from the one before; a user's first
wrong event is named, and what follows in that log is not looked at, because it is wrong with it.
Nothing is kept of an event but what the next one is held against, so a log of any length fits.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import pg8000.native

# One tuple of COPY's binary format (PostgreSQL, "COPY: Binary Format"): each column behind its
# length. The numbers first, then the hash, the kind and the body, so one layout reads all of it.
_LOG = """
COPY (SELECT user_id, seq, at, coalesce(ref, 0), cash_change, held_change, cash, held, borrowed,
    hash, kind, body
  FROM ledger.ledger_event ORDER BY user_id, seq) TO STDOUT (FORMAT binary)
"""
_TUPLE = struct.Struct(">hiqiqiqiqiqiqiqiqiqi32si")
_COPY_HEADER_BYTES = 19
_LENGTH_BYTES = 4
_PLACE = struct.Struct(">qqqh")
_STATE = struct.Struct(">qqqqqq")
_NUMBER = struct.Struct(">q")
#: COPY counts microseconds from 2000, the hash from 1970.
_EPOCH_MICROS: Final = 946_684_800_000_000

_LOAN_KINDS: Final = frozenset({b"BORROWED", b"REPAID"})


class End(NamedTuple):
    """A user's latest event. Money in paise, `at` in microseconds since 1970."""

    seq: int
    hash: bytes
    at: int
    cash: int
    held: int
    borrowed: int
    body: bytes


Anchored = tuple[int, int, bytes, str]
"""(user, seq, hash) that an anchor has signed, and that anchor's name."""
Found = Callable[[str, int, int, str], None]
"""Told of a check, a user, a seq and what is wrong there."""


Each = Callable[[int, str, End], None]
"""Told of a user, an event's kind, and the log's end once the event is in it."""


class Walk:
    """Takes the rows of COPY one by one, through `write`, as the driver hands them on."""

    def __init__(
        self, found: Found, anchored: Iterable[Anchored] = (), each: Each | None = None
    ) -> None:
        self.events = 0
        self.anchors = 0
        self.ends: dict[int, End] = {}
        self.broken: set[int] = set()
        self._found = found
        self._each = each
        self._anchored = iter(anchored)
        self._next = next(self._anchored, None)
        self._header = True
        self._user = -(2**63)
        self._before = End(0, b"", 0, 0, 0, 0, b"")

    def write(self, row: bytes) -> None:
        """One tuple, the first one behind the format's header; anything shorter is the trailer."""
        if self._header:
            row = row[_COPY_HEADER_BYTES:]
            self._header = False
        if len(row) < _TUPLE.size:
            return
        (_, _, user, _, seq, _, at, _, ref, _, cash_change, _, held_change, _, cash, _, held, _,
            borrowed, _, own_hash, kind_bytes) = _TUPLE.unpack_from(row)  # fmt: skip
        split = _TUPLE.size + kind_bytes
        kind = row[_TUPLE.size : split]
        body = row[split + _LENGTH_BYTES :]
        at += _EPOCH_MICROS
        self.events += 1
        if user != self._user:
            self._end_user()
            self._user = user
            self._before = End(0, hashlib.sha256(_NUMBER.pack(user)).digest(), at, 0, 0, 0, b"")
        before = self._before
        place = _PLACE.pack(user, seq, at, kind_bytes)
        state = _STATE.pack(ref, cash_change, held_change, cash, held, borrowed)
        right = hashlib.sha256(b"".join((before.hash, place, kind, state, body))).digest()
        if (
            seq != before.seq + 1
            or own_hash != right
            or at < before.at
            or cash != before.cash + cash_change
            or held != before.held + held_change
            or (borrowed != before.borrowed or kind in _LOAN_KINDS)
        ) and user not in self.broken:
            fault = _fault(before, seq, own_hash == right, at, kind, cash_change, held_change,
                           cash, held, borrowed)  # fmt: skip
            if fault is not None:
                self.broken.add(user)
                self._found("events", user, seq, fault)
        self._before = End(seq, own_hash, at, cash, held, borrowed, body)
        if self._each is not None:
            self._each(user, kind.decode(), self._before)
        if self._next is not None and (user, seq) >= self._next[:2]:
            self._check_anchored(user, seq, own_hash)

    def finish(self) -> None:
        """After the last row: the last user's end, and what is anchored beyond it."""
        self._end_user()
        self._check_anchored(2**63, 0, b"")

    def _end_user(self) -> None:
        if self._before.seq:
            self.ends[self._user] = self._before

    def _check_anchored(self, user: int, seq: int, own_hash: bytes) -> None:
        """Everything anchored up to this event: it must be here, and be what was signed."""
        while self._next is not None and self._next[:2] <= (user, seq):
            anchored_user, anchored_seq, signed, name = self._next
            self.anchors += 1
            if (anchored_user, anchored_seq) != (user, seq):
                fault = f"{name} has it, the log does not"
                self._found("anchored heads", anchored_user, anchored_seq, fault)
            elif signed != own_hash:
                fault = f"its hash is not the one that {name} signed"
                self._found("anchored heads", user, seq, fault)
            self._next = next(self._anchored, None)


def walk_log(connection: pg8000.native.Connection, walk: Walk) -> None:
    """Reads the whole log, in the transaction that the connection is in."""
    connection.run(_LOG, stream=walk)
    walk.finish()


def _fault(
    before: End, seq: int, hash_fits: bool, at: int, kind: bytes, cash_change: int,
    held_change: int, cash: int, held: int, borrowed: int,
) -> str | None:  # fmt: skip
    """What is wrong with an event behind `before`; None when nothing is."""
    if seq != before.seq + 1:
        return f"seq {before.seq + 1} is missing before it"
    if at < before.at:
        return "time runs backwards"
    if not hash_fits:
        return "the hash does not fit the row and the one before it"
    if cash != before.cash + cash_change or held != before.held + held_change:
        return "the state after it is not the state before it plus its changes"
    if borrowed != before.borrowed and kind not in _LOAN_KINDS:
        return "it changes the loan and is no event of a loan"
    if borrowed - before.borrowed != cash_change and kind in _LOAN_KINDS:
        return "the loan changes by another amount than the cash"
    return None
