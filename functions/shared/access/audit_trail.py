"""Reading the audit trail, newest first. Nothing here writes an entry but that it was read.

Invariant: an officer's look at a user, or at the trail, is an entry too, written before anything is
shown; an officer whose role the database doesn't know is shown nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from functions.shared.access.roles import Officer, require
from functions.shared.stores.postgres import Shards

_PAGE: Final = (
    "SELECT audit_id, at, actor, actor_role, subject, action, network, why, detail::text"
    " FROM identity.audit WHERE (:before::bigint IS NULL OR audit_id < :before)"
    " AND (:actor::bigint IS NULL OR actor = :actor)"
    " AND (:subject::bigint IS NULL OR subject = :subject)"
    " AND (:action::text IS NULL OR action = :action)"
    " AND (:start::timestamptz IS NULL OR at >= :start)"
    " AND (:until::timestamptz IS NULL OR at < :until)"
    " ORDER BY audit_id DESC LIMIT :rows::bigint"
)
_NOTE: Final = (
    "SELECT identity.note_reading(:actor::bigint, :role::text, :user::bigint, :action::text,"
    " :network::text, :detail::jsonb)"
)


@dataclass(frozen=True, slots=True)
class TrailQuery:
    """A page of entries, those before entry `before`, matching what is not None."""

    rows: int
    before: int | None = None
    actor: int | None = None
    subject: int | None = None
    action: str | None = None
    start: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to whom, in which role, from where and why. `actor` None: the system, or a
    stranger; `at` is the wall clock's."""

    audit_id: int
    at: datetime
    actor: int | None
    actor_role: str
    subject: int | None
    action: str
    network: str | None
    why: str | None
    detail: dict[str, Any]


def read_trail(shards: Shards, query: TrailQuery) -> list[Entry]:
    """The entries that match. Raises Retryable."""
    rows = shards.control.run(
        _PAGE, rows=query.rows, before=query.before, actor=query.actor, subject=query.subject,
        action=query.action, start=query.start, until=query.until,
    )  # fmt: skip
    return [replace(Entry(*row), detail=msgspec.json.decode(row[-1])) for row in rows]


def note_reading(
    shards: Shards,
    by: Officer,
    action: Literal["USER_READ", "TRAIL_READ"],
    user_id: int | None,
    detail: dict[str, object],
) -> None:
    """Writes that the officer looks. Raises Refused 403 ROLE_MISSING, NotFound for a user who isn't
    there, Retryable."""
    [[refused]] = shards.control.run(
        _NOTE, actor=by.user_id, role=by.role, user=user_id, action=action, network=by.network,
        detail=msgspec.json.encode(detail).decode(),
    )  # fmt: skip
    require(refused or "DONE", by.role)
