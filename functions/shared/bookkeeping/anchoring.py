"""Anchors in the ledger: what moved since the last one, and the row that says it is anchored.

Invariant: a shard's anchors follow one another without a gap, each recorded once however many
ask; the database refuses one that doesn't follow.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from functions.shared.domain.merkle import Frontier
from functions.shared.stores.postgres import Database

EVENTS_PER_ANCHOR: Final = 50_000
"""About so many events an anchor covers at most; the next one covers what is left."""

_LATEST = "SELECT number, through, size, frontier FROM ledger.anchor ORDER BY number DESC LIMIT 1"
_CHANGED = "SELECT through, heads FROM ledger.changed_heads(:after, :most)"
_RECORD = """
SELECT ledger.record_anchor(:number, :after, :through, :size, :root, :frontier, :at)
"""


@dataclass(frozen=True, slots=True)
class Anchored:
    """How far a shard is anchored: the latest anchor's number, the first transaction it does not
    cover, and its tree."""

    number: int
    through: int
    tree: Frontier


@dataclass(frozen=True, slots=True)
class Changed:
    """The accounts that moved before transaction `through`: 48 bytes each (wire/anchors.py)."""

    through: int
    heads: bytes


def latest_anchor(shard: Database) -> Anchored:
    """Number 0 and an empty tree before the first one."""
    rows = shard.run(_LATEST)
    if not rows:
        return Anchored(0, 0, Frontier())
    number, through, size, frontier = rows[0]
    return Anchored(number, through, Frontier.unpack(size, frontier))


def changed_heads(shard: Database, after: int) -> Changed:
    """Accounts with an event of a transaction numbered `after` or more. Raises InvariantViolated
    when the database counts its transactions anew."""
    through, heads = shard.run(_CHANGED, after=after, most=EVENTS_PER_ANCHOR)[0]
    return Changed(through, heads)


def record_anchor(
    shard: Database, number: int, after: int, through: int, tree: Frontier, at: datetime
) -> bool:
    """False when somebody else recorded it first. Raises InvariantViolated when it doesn't follow
    the one before it."""
    recorded: bool = shard.run(
        _RECORD, number=number, after=after, through=through, size=tree.size, root=tree.root(),
        frontier=tree.pack(), at=at,
    )[0][0]  # fmt: skip
    return recorded
