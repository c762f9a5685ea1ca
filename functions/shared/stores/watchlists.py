"""A user's watchlists, on the shard the user is at home on.

Invariant: a change is made of the version that it names, or not at all; a user's changes come one
after another, so two devices can't both make the last list there is room for.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from functions.shared.stores.postgres import Shards

Changed = Literal["CHANGED", "NOT_FOUND", "VERSION_MOVED", "NAME_TAKEN"]

_COLUMNS: Final = "watchlist_id, name, symbols, version, created_at, updated_at"
_ALL: Final = (
    f"SELECT {_COLUMNS} FROM ledger.watchlist WHERE user_id = :user_id"
    " ORDER BY position, watchlist_id"
)
_ONE: Final = (
    f"SELECT {_COLUMNS} FROM ledger.watchlist WHERE user_id = :user_id AND watchlist_id = :id"
)
_NEW: Final = (
    "SELECT ledger.new_watchlist(:user_id, :id, :name, CAST(:symbols AS text[]), :most, :now)"
)
_CHANGE: Final = (
    "SELECT ledger.change_watchlist(:user_id, :id, :version, :name, CAST(:symbols AS text[]),"
    " CAST(:position AS integer), :now)"
)
_DROP: Final = "SELECT ledger.drop_watchlist(:user_id, :id)"


class Watchlist(NamedTuple):
    """`symbols` in the user's order; `version` grows with every change of it."""

    watchlist_id: UUID
    name: str
    symbols: list[str]
    version: int
    created_at: datetime
    updated_at: datetime


class Change(NamedTuple):
    """What is to be otherwise; None leaves it. `position` counts the user's lists from 0."""

    name: str | None = None
    symbols: Sequence[str] | None = None
    position: int | None = None


class Watchlists:
    """Reads and writes by user. Everything raises Retryable when the shard doesn't answer, and
    writes NotFound for a user without an account."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def all(self, user_id: int) -> list[Watchlist]:
        """In the user's order."""
        rows = self._shards.of_user(user_id).run(_ALL, user_id=user_id)
        return [Watchlist(*row) for row in rows]

    def one(self, user_id: int, watchlist_id: UUID) -> Watchlist | None:
        """None when the user has no such list."""
        rows = self._shards.of_user(user_id).run(_ONE, user_id=user_id, id=watchlist_id)
        return Watchlist(*rows[0]) if rows else None

    def open(
        self, user_id: int, watchlist_id: UUID, name: str, symbols: Sequence[str], most: int,
        now: datetime,
    ) -> Literal["OPENED", "NAME_TAKEN", "TOO_MANY"]:  # fmt: skip
        """A new list behind the others, of which the user may have `most`."""
        rows = self._shards.of_user(user_id).call(
            _NEW, user_id=user_id, id=watchlist_id, name=name, symbols=list(symbols),
            most=most, now=now,
        )  # fmt: skip
        number = rows[0][0]
        if number is None:
            return "NAME_TAKEN"
        return "OPENED" if number else "TOO_MANY"

    def change(
        self, user_id: int, watchlist_id: UUID, version: int, change: Change, now: datetime
    ) -> Changed:
        """Makes the next version of it, if `version` is still the last."""
        rows = self._shards.of_user(user_id).call(
            _CHANGE, user_id=user_id, id=watchlist_id, version=version, name=change.name,
            symbols=None if change.symbols is None else list(change.symbols),
            position=change.position, now=now,
        )  # fmt: skip
        outcome: Changed = rows[0][0]
        return outcome

    def drop(self, user_id: int, watchlist_id: UUID) -> bool:
        """Whether there was such a list."""
        rows = self._shards.of_user(user_id).call(_DROP, user_id=user_id, id=watchlist_id)
        return bool(rows[0][0])
