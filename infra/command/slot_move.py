"""Moving one slot to another shard while orders flow.

The logs are copied in rounds while the slot is at home; then the slot is fenced, what is left is
copied and compared, and the new home opens:

    source HERE    -> LEAVING   no transaction of the slot is open any more and none begins
    target GONE    -> ARRIVING  in the transaction that brings the last rows: all are there
    source LEAVING -> GONE      from here on the slot can't come back to life here
    target ARRIVING -> HERE     orders are taken again
    directory      -> target    everybody who still asks the old home is sent on

Invariant: each arrow is one commit, and the states alone say what is left to do. Whoever is killed
anywhere, the next run finds the place and finishes; at no moment are two shards HERE.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import pg8000.native

from infra.command.slot_tables import (
    CopyDiffers,
    Span,
    Table,
    compare_logs,
    copy_log,
    copy_state,
    remove_state,
    slot_tables,
)
from infra.local.postgres import connect

#: Events copied in one transaction of the target.
EVENTS_A_BATCH: Final = 20_000
#: The slot is fenced when a round has no more than that left to copy, or after so many rounds: a
#: slot that is written faster than it is copied is fenced all the same, for longer.
EVENTS_LEFT_MOST: Final = 500
ROUNDS_MOST: Final = 20
#: No transaction of the ledger lasts longer (stores.postgres.STATEMENT_TIMEOUT_MS, 2 s).
FENCE_MS: Final = 3_000
#: The relay has that long to hand on the fenced slot's outbox; then the slot stays where it is.
DRAIN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.002
#: An order number must not be older than the last one of the old home, whose clock may be ahead.
CLOCKS_APART_MS: Final = 1_000

_SPANS = """
SELECT a.user_id, a.seq FROM ledger.account a WHERE (a.user_id & 63) = :slot ORDER BY a.user_id
"""
_COPIED = """
SELECT a.user_id, (SELECT coalesce(max(e.seq), 0) FROM ledger.ledger_event e
  WHERE e.user_id = a.user_id) FROM unnest(CAST(:users AS bigint[])) AS a (user_id)
"""
# The chain ends that arrived are the heads that left: each with every event before it, because the
# log's key has no gap (copy_log counts) and each hash covers the one before.
_HEADS_DIFFER = """
SELECT a.user_id FROM ledger.account a LEFT JOIN ledger.ledger_event e
  ON e.user_id = a.user_id AND e.seq = a.seq
WHERE (a.user_id & 63) = :slot AND e.hash IS DISTINCT FROM a.head LIMIT 1
"""
_LAST_ORDER = """
SELECT coalesce(max(o.order_id), 0) >> 22 FROM ledger.orders o
WHERE o.user_id IN (SELECT a.user_id FROM ledger.account a WHERE (a.user_id & 63) = :slot)
"""
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1767225600000"


class MoveRefused(Exception):
    """The slot can't be moved, or not now; the message says why. Nothing was lost."""


class Step(NamedTuple):
    """What was just committed. `name` is one of copied, fenced, arrived, left, opened, told,
    cleared; `rows` were copied by it."""

    name: str
    rows: int = 0


class Move:
    """One slot on its way from shard to shard, as the databases' owner."""

    def __init__(
        self,
        owner_urls: Sequence[str],
        slot: int,
        target: int,
        wake: Callable[[int], object] = lambda shard: None,
    ) -> None:
        """`wake` tells the relay that a shard's outbox has rows; it looks by itself soon, too."""
        self._slot = slot
        self._target = target
        self._wake = wake
        self._shards: list[pg8000.native.Connection] = []
        self._source = -1
        self._fenced_at: float | None = None
        self.pause_ms: float | None = None
        """How long the slot took no orders; None when this run did not fence it."""
        try:
            self._shards += [connect(url) for url in owner_urls]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for shard in self._shards:
            shard.close()

    def steps(self) -> Iterator[Step]:
        """Does what is left to do, and yields after each commit.

        Raises MoveRefused, CopyDiffers and UnknownKind, and pg8000's errors when a shard is away.
        """
        self._begin()
        tables = slot_tables(self._from)
        while True:
            states = (self._state(self._source), self._state(self._target))
            match states:
                case "HERE", "GONE":
                    self._clear(self._to, tables)  # what a move from there was killed before
                    yield from self._copy_rounds(tables)
                    self._fence()
                    yield Step("fenced")
                case "LEAVING", "GONE":
                    yield Step("arrived", self._arrive(tables))
                case "LEAVING", "ARRIVING":
                    self._set_state(self._source, "GONE")
                    yield Step("left")
                case "GONE", "ARRIVING":
                    self._set_state(self._target, "HERE")
                    yield Step("opened")
                case "GONE", "HERE":
                    break
                case _:
                    raise MoveRefused(f"slot {self._slot} is {states[0]} and {states[1]}")
        self._tell()
        if self._fenced_at is not None:
            self.pause_ms = (time.monotonic() - self._fenced_at) * 1000
        yield Step("told")
        self._clear(self._from, tables)
        yield Step("cleared")

    # -- Where the slot is

    @property
    def _from(self) -> pg8000.native.Connection:
        return self._shards[self._source]

    @property
    def _to(self) -> pg8000.native.Connection:
        return self._shards[self._target]

    def _begin(self) -> None:
        """Finds the slot, alone: two moves of one slot would undo each other."""
        control = self._shards[0]
        if not control.run("SELECT pg_try_advisory_lock(422, :slot)", slot=self._slot)[0][0]:
            raise MoveRefused(f"slot {self._slot} is being moved by another process")
        home = control.run("SELECT shard FROM ledger.slot_home WHERE slot = :s", s=self._slot)
        states = [self._state(shard) for shard in range(len(self._shards))]
        others = [s for s, state in enumerate(states) if state != "GONE" and s != self._target]
        if len(others) > 1 or (states[self._target] == "GONE" and others != [home[0][0]]):
            way = next((s for s in others if s != home[0][0]), home[0][0])
            raise MoveRefused(f"slot {self._slot} is on its way to shard {way}; finish that first")
        if not others and home[0][0] == self._target and states[self._target] == "HERE":
            # Told already; the old home may have been left uncleared.
            self._source = self._uncleared()
            return
        self._source = others[0] if others else int(home[0][0])

    def _uncleared(self) -> int:
        """A shard that still has state of the slot; any other one when none has."""
        elsewhere = [s for s in range(len(self._shards)) if s != self._target]
        for shard in elsewhere:
            sql = "SELECT EXISTS (SELECT FROM ledger.account a WHERE (a.user_id & 63) = :slot)"
            if self._shards[shard].run(sql, slot=self._slot)[0][0]:
                return shard
        if not elsewhere:
            raise MoveRefused("there is no other shard to move a slot to")
        return elsewhere[0]

    def _state(self, shard: int) -> str:
        rows = self._shards[shard].run(
            "SELECT state FROM ledger.slot WHERE slot = :s", s=self._slot
        )
        return str(rows[0][0])

    def _set_state(self, shard: int, state: str) -> None:
        self._shards[shard].run(
            "UPDATE ledger.slot SET state = :state WHERE slot = :s", state=state, s=self._slot
        )

    # -- While orders flow

    def _copy_rounds(self, tables: Sequence[Table]) -> Iterator[Step]:
        for _ in range(ROUNDS_MOST):
            spans = self._spans()
            if sum(s.upto - s.after for s in spans) <= EVENTS_LEFT_MOST:
                return
            for batch in batches(spans, EVENTS_A_BATCH):
                self._to.run("BEGIN")
                rows = copy_log(self._from, self._to, tables, batch)
                self._to.run("COMMIT")
                yield Step("copied", rows)

    def _spans(self) -> list[Span]:
        """What of each user's log is at the source and not at the target."""
        there = dict(self._from.run(_SPANS, slot=self._slot))
        copied = dict(self._to.run(_COPIED, users=list(there)))
        return [Span(user, copied[user], seq) for user, seq in there.items() if seq > copied[user]]

    # -- While none do

    def _fence(self) -> None:
        """LEAVING, once the slot's transactions have ended. Raises MoveRefused if one won't."""
        self._fenced_at = time.monotonic()
        self._from.run("BEGIN")
        self._from.run(f"SET LOCAL lock_timeout = {FENCE_MS}")
        try:
            # Writers hold it shared, and are refused from the moment that it is asked for.
            self._from.run("SELECT pg_advisory_xact_lock(421, :slot)", slot=self._slot)
        except pg8000.native.DatabaseError as error:
            self._from.run("ROLLBACK")
            raise MoveRefused(f"a transaction of slot {self._slot} does not end") from error
        self._set_state(self._source, "LEAVING")
        self._from.run("COMMIT")
        self._wake(self._source)

    def _arrive(self, tables: Sequence[Table]) -> int:
        """Brings what is left, and ARRIVING, in one transaction of the target."""
        target = self._to
        target.run("BEGIN")
        try:
            rows = sum(
                copy_log(self._from, target, tables, batch)
                for batch in batches(self._spans(), EVENTS_A_BATCH)
            )
            rows += copy_state(self._from, target, tables, self._slot)
            self._check_arrived(tables)
            self._drain()
            target.run(
                "UPDATE ledger.slot SET state = 'ARRIVING', epoch = :epoch WHERE slot = :s",
                epoch=self._epoch() + 1,
                s=self._slot,
            )
        except BaseException:  # it did not arrive, and the old home may open again
            with contextlib.suppress(pg8000.native.InterfaceError, OSError):
                target.run("ROLLBACK")
            self._set_state(self._source, "HERE")
            raise
        target.run("COMMIT")
        return rows

    def _check_arrived(self, tables: Sequence[Table]) -> None:
        for (user_id,) in self._to.run(_HEADS_DIFFER, slot=self._slot):
            raise CopyDiffers(f"user {user_id}: the log that arrived does not end in its head")
        compare_logs(self._from, self._to, tables, self._slot)
        last = int(self._from.run(_LAST_ORDER, slot=self._slot)[0][0])
        ahead = last - int(self._to.run(_NOW)[0][0])
        if ahead >= CLOCKS_APART_MS:
            raise MoveRefused(f"the clock of shard {self._target} is {ahead} ms behind")
        if ahead >= 0:
            time.sleep((ahead + 1) / 1000)

    def _drain(self) -> None:
        """Waits until the relay has handed on what the slot had to say; a user's events must not
        leave by two relays at once. Raises MoveRefused when that takes too long."""
        deadline = time.monotonic() + DRAIN_SECONDS
        left = "SELECT count(*) FROM ledger.outbox WHERE (user_id & 63) = :slot"
        while waiting := self._from.run(left, slot=self._slot)[0][0]:
            if time.monotonic() > deadline:
                raise MoveRefused(
                    f"the relay left {waiting} events of slot {self._slot} in shard"
                    f" {self._source}'s outbox; the slot stays there"
                )
            time.sleep(_LOOK_SECONDS)

    # -- When it has arrived

    def _epoch(self) -> int:
        rows = self._from.run("SELECT epoch FROM ledger.slot WHERE slot = :s", s=self._slot)
        return int(rows[0][0])

    def _tell(self) -> None:
        self._shards[0].run(
            "UPDATE ledger.slot_home SET shard = :shard, epoch = :epoch"
            " WHERE slot = :s AND shard <> :shard",
            shard=self._target,
            epoch=int(
                self._to.run("SELECT epoch FROM ledger.slot WHERE slot = :s", s=self._slot)[0][0]
            ),
            s=self._slot,
        )

    def _clear(self, shard: pg8000.native.Connection, tables: Sequence[Table]) -> None:
        """Removes the slot's state where the slot is GONE; its logs stay there as an archive."""
        shard.run("BEGIN")
        remove_state(shard, tables, self._slot)
        shard.run("COMMIT")


def batches(spans: Sequence[Span], most: int) -> Iterator[list[Span]]:
    """The stretches, in transactions of at most so many events; a longer one is cut in order."""
    batch: list[Span] = []
    room = most
    for span in spans:
        after = span.after
        while after < span.upto:
            upto = min(span.upto, after + room)
            batch.append(Span(span.user_id, after, upto))
            room -= upto - after
            after = upto
            if room == 0:
                yield batch
                batch, room = [], most
    if batch:
        yield batch
