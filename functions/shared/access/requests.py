"""What needs four eyes: asked for by one officer, decided by another.

Invariant: the database keeps the rule (nobody approves their own, both hold the role, a request is
carried out once, in the transaction that approves it, and not after LIVES); here its words become
the errors that clients know.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from functions.shared.access.roles import Officer, Role, require, require_state
from functions.shared.domain.errors import NotFound
from functions.shared.stores.postgres import Shards

LIVES: Final = timedelta(hours=24)


class RequestAction(StrEnum):
    UNFREEZE = "UNFREEZE"
    LIFT_HALT = "LIFT_HALT"
    LIFT_BREAKER = "LIFT_BREAKER"
    RAISE_LIMITS = "RAISE_LIMITS"
    GRANT_ROLE = "GRANT_ROLE"
    REVOKE_ROLE = "REVOKE_ROLE"
    ERASE = "ERASE"


class RequestState(StrEnum):
    OPEN = "OPEN"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


#: The role of who asks and of who decides.
ROLE_OF: Final = {
    RequestAction.UNFREEZE: Role.SUPPORT,
    RequestAction.LIFT_HALT: Role.RISK_OFFICER,
    RequestAction.LIFT_BREAKER: Role.RISK_OFFICER,
    RequestAction.RAISE_LIMITS: Role.RISK_OFFICER,
    RequestAction.GRANT_ROLE: Role.RISK_OFFICER,
    RequestAction.REVOKE_ROLE: Role.RISK_OFFICER,
    RequestAction.ERASE: Role.SUPPORT,
}

_ASK: Final = (
    "SELECT outcome, request_id FROM identity.ask_request(:action::text, :user::bigint,"
    " :detail::jsonb, :actor::bigint, :role::text, :why::text, :network::text, :lives::interval)"
)
_DECIDE: Final = (
    "SELECT outcome, audit_id FROM identity.decide_request(:request::bigint, :approve::boolean,"
    " :actor::bigint, :why::text, :network::text)"
)
_COLUMNS: Final = (
    "request_id, action, user_id, detail::text, role, why, asked_by, asked_at, expires_at,"
    " CASE WHEN state = 'OPEN' AND expires_at <= clock_timestamp() THEN 'EXPIRED' ELSE state END"
    " AS state, decided_by, decided_at, decided_why"
)
_ONE: Final = f"SELECT {_COLUMNS} FROM identity.request WHERE request_id = :request::bigint"
_PAGE: Final = (
    f"SELECT * FROM (SELECT {_COLUMNS} FROM identity.request) r"
    " WHERE (:before::bigint IS NULL OR request_id < :before)"
    " AND (:state::text IS NULL OR state = :state)"
    " ORDER BY request_id DESC LIMIT :rows::bigint"
)


@dataclass(frozen=True, slots=True)
class OfficersRequest:
    """What was asked for, by whom and why, and what became of it. Times are the wall clock's."""

    request_id: int
    action: RequestAction
    user_id: int | None
    detail: dict[str, Any]
    role: str
    why: str
    asked_by: int
    asked_at: datetime
    expires_at: datetime
    state: RequestState
    decided_by: int | None
    decided_at: datetime | None
    decided_why: str | None


def ask(
    shards: Shards,
    action: RequestAction,
    user_id: int | None,
    detail: dict[str, object],
    by: Officer,
    why: str,
) -> OfficersRequest:
    """Asks for it. Raises Refused 403 (ROLE_MISSING, OWN_ACCOUNT), NotFound, Conflict REQUEST_OPEN
    when a like one waits, Retryable."""
    [[outcome, request_id]] = shards.control.run(
        _ASK, action=action.value, user=user_id, detail=msgspec.json.encode(detail).decode(),
        actor=by.user_id, role=by.role, why=why, network=by.network, lives=LIVES,
    )  # fmt: skip
    require(outcome, by.role)
    return find_request(shards, request_id)


def decide(
    shards: Shards, request_id: int, by: Officer, why: str, *, approve: bool
) -> tuple[OfficersRequest, int | None]:
    """The second officer's word, and the number of the entry of what was done (None: nothing).

    Raises NotFound; Refused 403 OWN_REQUEST, OWN_ACCOUNT or ROLE_MISSING; Conflict REQUEST_DECIDED,
    REQUEST_EXPIRED, ASKER_LEFT, STATE_MOVED or NOTHING_TO_DO; Retryable.
    """
    [[outcome, audit_id]] = shards.control.run(
        _DECIDE, request=request_id, approve=approve, actor=by.user_id, why=why, network=by.network
    )
    if outcome == "STATE_MOVED":
        require_state(shards, outcome, find_request(shards, request_id).user_id)
    require(outcome, by.role)
    return find_request(shards, request_id), audit_id


def find_request(shards: Shards, request_id: int) -> OfficersRequest:
    """Raises NotFound."""
    rows = shards.control.run(_ONE, request=request_id)
    if not rows:
        raise NotFound("there is no such request")
    return _request(rows[0])


def list_requests(
    shards: Shards, rows: int, before: int | None, state: RequestState | None
) -> list[OfficersRequest]:
    """Newest first, those before request `before`."""
    found = shards.control.run(_PAGE, rows=rows, before=before, state=state and state.value)
    return [_request(row) for row in found]


def _request(row: list[Any]) -> OfficersRequest:
    found = OfficersRequest(*row)
    return replace(
        found,
        action=RequestAction(found.action),
        detail=msgspec.json.decode(str(found.detail)),
        state=RequestState(found.state),
    )
