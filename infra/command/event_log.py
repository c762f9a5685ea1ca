"""A shard's log as PostgreSQL streams it, walked once in the order of the chains.

Invariant: every event is hashed again and its state worked out from the one before; a user's first
wrong event is named, and what follows in that log is not looked at, because it is wrong with it.
Nothing is kept of an event but what the next one is held against, so a log of any length fits.
"""

import hashlib
import struct
from collections.abc import Callable, Generator, Iterable
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
Ended = Callable[[int, End], None]
"""Told of a user and the end of that user's log."""


class Walk:
    """One pass over a log. The rows of COPY are taken by `write`, as the driver hands them on."""

    def __init__(
        self,
        found: Found,
        *,
        anchored: Iterable[Anchored] = (),
        each: Each | None = None,
        ended: Ended | None = None,
    ) -> None:
        self.events = 0
        self.anchors = 0
        self.broken: set[int] = set()
        self._found = found
        self._each = each
        self._ended = ended
        self._anchored = iter(anchored)
        self._next = next(self._anchored, None)
        steps = self._steps()
        next(steps)
        self.write: Callable[[bytes], None] = steps.send

    def finish(self) -> None:
        """After the last row: the last user's end, and what is anchored beyond it."""
        self.write(b"")
        self._check_anchored(2**63, 0, b"")

    def _steps(self) -> Generator[None, bytes, None]:
        """Takes one tuple a step, the first one behind the format's header; a row that is shorter
        is the trailer. A generator, because what it keeps from event to event stays in locals: of
        all that is done for an event, reaching for attributes would cost the most."""
        unpack, pack_place, pack_state = _TUPLE.unpack_from, _PLACE.pack, _STATE.pack
        sha256, join, fixed = hashlib.sha256, b"".join, _TUPLE.size
        owner = before_seq = before_at = before_cash = before_held = before_borrowed = 0
        before_hash = body = b""
        row = (yield)[_COPY_HEADER_BYTES:]
        while True:
            if len(row) < fixed:
                if before_seq and self._ended is not None:
                    self._ended(owner, End(before_seq, before_hash, before_at, before_cash,
                                           before_held, before_borrowed, body))  # fmt: skip
                before_seq = 0
                row = yield
                continue
            (_, _, user, _, seq, _, at, _, ref, _, cash_change, _, held_change, _, cash, _, held, _,
                borrowed, _, own_hash, kind_bytes) = unpack(row)  # fmt: skip
            if user != owner or not before_seq:
                if before_seq and self._ended is not None:
                    self._ended(owner, End(before_seq, before_hash, before_at, before_cash,
                                           before_held, before_borrowed, body))  # fmt: skip
                owner, before_seq, before_at = user, 0, at + _EPOCH_MICROS
                before_cash = before_held = before_borrowed = 0
                before_hash = sha256(_NUMBER.pack(user)).digest()
            at += _EPOCH_MICROS
            split = fixed + kind_bytes
            kind = row[fixed:split]
            body = row[split + _LENGTH_BYTES :]
            place = pack_place(user, seq, at, kind_bytes)
            state = pack_state(ref, cash_change, held_change, cash, held, borrowed)
            right = sha256(join((before_hash, place, kind, state, body))).digest()
            if (
                own_hash != right
                or seq != before_seq + 1
                or cash != before_cash + cash_change
                or held != before_held + held_change
                or at < before_at
                or borrowed != before_borrowed
                or kind in _LOAN_KINDS
            ):
                before = End(before_seq, before_hash, before_at, before_cash, before_held,
                             before_borrowed, b"")  # fmt: skip
                now = End(seq, own_hash, at, cash, held, borrowed, body)
                self._look_closer(user, kind, before, now, cash_change, held_change, right)
            before_seq, before_at, before_hash = seq, at, own_hash
            before_cash, before_held, before_borrowed = cash, held, borrowed
            self.events += 1
            if self._each is not None:
                end = End(seq, own_hash, at, cash, held, borrowed, body)
                self._each(user, kind.decode(), end)
            if self._next is not None and (user, seq) >= self._next[:2]:
                self._check_anchored(user, seq, own_hash)
            row = yield

    def _look_closer(
        self, user: int, kind: bytes, before: End, now: End, cash_change: int, held_change: int,
        right: bytes,
    ) -> None:  # fmt: skip
        """An event that is not simply the next one: a loan's, or one that is wrong."""
        if user in self.broken:
            return
        fault = _fault(before, now, kind, cash_change, held_change, right)
        if fault is not None:
            self.broken.add(user)
            self._found("events", user, now.seq, fault)

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
    before: End, now: End, kind: bytes, cash_change: int, held_change: int, right: bytes
) -> str | None:
    """What is wrong with an event behind `before`; None when nothing is."""
    if now.seq != before.seq + 1:
        return f"seq {before.seq + 1} is missing before it"
    if now.at < before.at:
        return "time runs backwards"
    if now.hash != right:
        return "the hash does not fit the row and the one before it"
    if now.cash != before.cash + cash_change or now.held != before.held + held_change:
        return "the state after it is not the state before it plus its changes"
    if now.borrowed != before.borrowed and kind not in _LOAN_KINDS:
        return "it changes the loan and is no event of a loan"
    if now.borrowed - before.borrowed != cash_change and kind in _LOAN_KINDS:
        return "the loan changes by another amount than the cash"
    return None
