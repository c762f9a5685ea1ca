"""What an officer decides of an account or a symbol, and what of it is still to be done.

Invariant: a decision and its audit entry are one transaction on shard 0; what has to be done where
the account lives is left by it as an intervention, which stays until it is marked done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from functions.shared.access.roles import Officer, require, require_state
from functions.shared.stores.postgres import Shards

_PAGE: Final = 500
_LAST: Final = 2**63 - 1

_FREEZE: Final = (
    "SELECT outcome, audit_id FROM identity.freeze_person(:user::bigint, :actor::bigint,"
    " :why::text, :network::text)"
)
_SET_HALT: Final = (
    "SELECT outcome, audit_id FROM identity.set_halt(:symbol::text, :user::bigint, :state::text,"
    " :actor::bigint, :why::text, :network::text)"
)
_SET_LIMITS: Final = (
    "SELECT outcome, audit_id FROM identity.set_limits(:user::bigint, :limits::jsonb,"
    " :actor::bigint, :why::text, :network::text)"
)
_PENDING: Final = (
    "SELECT audit_id, user_id, kind, value::text FROM identity.intervention"
    " WHERE done_at IS NULL AND audit_id > :after::bigint AND audit_id <= :through::bigint"
    " ORDER BY audit_id LIMIT :rows::bigint"
)
_FINISH: Final = "SELECT identity.finish_intervention(:audit_id::bigint, :seq::bigint)"
#: Ended within the life of a token, or of a copy of the session.
_ENDED: Final = (
    "SELECT session_id::text FROM identity.session WHERE user_id = :user::bigint"
    " AND ended_at > clock_timestamp() - interval '15 minutes' AND expires_at > clock_timestamp()"
)
_HALTS: Final = (
    "SELECT h.symbol, h.state, h.audit_id, a.at, a.actor, a.why FROM identity.halt h"
    " JOIN identity.audit a USING (audit_id) ORDER BY h.symbol"
)
_USER: Final = (
    "SELECT l.username, l.roles, l.mode, p.region, p.state, p.created_at,"
    " (SELECT count(*) FROM identity.session s WHERE s.user_id = l.user_id AND s.ended_at IS NULL"
    "  AND s.expires_at > clock_timestamp()),"
    " coalesce(r.halt, 'ACTIVE'), r.limits::text,"
    " EXISTS (SELECT FROM identity.intervention i WHERE i.user_id = l.user_id"
    "  AND i.done_at IS NULL)"
    " FROM identity.login l JOIN identity.person p USING (user_id)"
    " LEFT JOIN identity.officer_rule r USING (user_id) WHERE l.user_id = :user::bigint"
)


@dataclass(frozen=True, slots=True)
class Intervention:
    """What is to be done to an account under an entry's number; `value` is JSON."""

    audit_id: int
    user_id: int
    kind: Literal["STATE", "LIMITS", "SESSIONS"]
    value: str | None


@dataclass(frozen=True, slots=True)
class Halt:
    """What a symbol takes by the officers' latest word; the empty one is the market. `actor` None:
    the machine's operator."""

    symbol: str
    state: Literal["ACTIVE", "REDUCING", "HALTED"]
    audit_id: int
    since: datetime
    actor: int | None
    why: str | None


@dataclass(frozen=True, slots=True)
class WatchedUser:
    """A user as officers see them. `halt` and `limits` (JSON) are the risk officers'; `pending`:
    something decided is not done yet where the account lives."""

    username: str
    roles: list[str]
    mode: Literal["PAPER", "LIVE"]
    region: str
    state: str
    created_at: datetime
    sessions: int
    halt: str
    limits: str | None
    pending: bool


def freeze(shards: Shards, user_id: int, by: Officer, why: str) -> int:
    """Freezes an active person; their sessions have ended in the ledger. Returns the entry's
    number. Raises Refused 403, NotFound, Conflict STATE_MOVED, Retryable."""
    [[outcome, audit_id]] = shards.control.run(
        _FREEZE, user=user_id, actor=by.user_id, why=why, network=by.network
    )
    require_state(shards, outcome, user_id)
    require(outcome, by.role)
    return int(audit_id)


def set_halt(
    shards: Shards, symbol: str | None, user_id: int | None, state: str, by: Officer, why: str
) -> int | None:
    """Sets what a symbol, the market ('') or an account (no symbol) takes. Returns the entry's
    number, None for a state that is less strict: that needs two. Raises as `freeze`, and Conflict
    NOTHING_TO_DO."""
    [[outcome, audit_id]] = shards.control.run(
        _SET_HALT, symbol=symbol, user=user_id, state=state, actor=by.user_id, why=why,
        network=by.network,
    )  # fmt: skip
    if outcome == "NEEDS_TWO":
        return None
    require(outcome, by.role)
    return int(audit_id)


def set_limits(
    shards: Shards, user_id: int, limits: str | None, by: Officer, why: str
) -> int | None:
    """Sets an account's limits (JSON; None: those of everybody). As `set_halt`: a higher one needs
    two."""
    [[outcome, audit_id]] = shards.control.run(
        _SET_LIMITS, user=user_id, limits=limits, actor=by.user_id, why=why, network=by.network
    )
    if outcome == "NEEDS_TWO":
        return None
    require(outcome, by.role)
    return int(audit_id)


def pending(shards: Shards) -> Iterator[Intervention]:
    """What is still to be done, the oldest first. One that can't be done hides none behind it."""
    after = 0
    while page := _pending(shards, after, _LAST):
        yield from page
        after = page[-1].audit_id


def left_by(shards: Shards, audit_id: int) -> list[Intervention]:
    """What one entry left to be done, and is not yet."""
    return _pending(shards, audit_id - 1, audit_id)


def _pending(shards: Shards, after: int, through: int) -> list[Intervention]:
    rows = shards.control.run(_PENDING, after=after, through=through, rows=_PAGE)
    return [Intervention(*row) for row in rows]


def finish(shards: Shards, audit_id: int, seq: int | None) -> None:
    """Marks it done, as the event `seq` of its account. Raises Retryable."""
    shards.control.run(_FINISH, audit_id=audit_id, seq=seq)


def sessions_ended(shards: Shards, user_id: int) -> list[str]:
    """The user's sessions that have ended and that some token or copy may still call alive."""
    return [session for (session,) in shards.control.run(_ENDED, user=user_id)]


def halts(shards: Shards) -> list[Halt]:
    """The latest word on each symbol that there was one of."""
    return [Halt(*row) for row in shards.control.run(_HALTS)]


def user_named(shards: Shards, username: str) -> int | None:
    """Whose user name is exactly this one."""
    rows = shards.control.run(
        "SELECT user_id FROM identity.login WHERE username = :username", username=username
    )
    return int(rows[0][0]) if rows else None


def watched_user(shards: Shards, user_id: int) -> WatchedUser | None:
    rows = shards.control.run(_USER, user=user_id)
    return WatchedUser(*rows[0]) if rows else None
