"""Roles of the broker's own people, and what each may do.

Invariant: a role is looked at twice: here, by what the token says, before anything is looked up;
and in the transaction that acts, by what the database says (identity.officer_refused). A change of
roles ends the user's sessions, so a token never outlives it. Nobody acts on their own account. What
takes two officers the functions can't do otherwise: they are not granted it.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from functions.shared.access.principal import Principal
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Refused
from functions.shared.stores.postgres import Shards


class Role(StrEnum):
    """Beside `user`, which everybody is."""

    SUPPORT = "support"
    RISK_OFFICER = "risk_officer"
    AUDITOR = "auditor"


class Officer(NamedTuple):
    """Who acts, in which role and from where; `network` as `network_of` gives it."""

    user_id: int
    role: str
    network: str | None


_CHANGE: Final = (
    "SELECT outcome, audit_id FROM identity.change_role(:user::bigint, :changed::text,"
    " :grant::boolean, NULL, 'system', :why::text, NULL)"
)
_HOLDS: Final = "SELECT identity.officer_refused(:actor::bigint, :role::text, NULL)"
_REFUSALS: Final = {
    "OWN_ACCOUNT": "your own account is not yours to act on",
    "OWN_REQUEST": "another officer has to decide what you asked for",
}
_CONFLICTS: Final = {
    "STATE_MOVED": "the account is not in the state that it takes",
    "REQUEST_DECIDED": "the request was decided before",
    "REQUEST_EXPIRED": "the request was not decided in time",
    "REQUEST_OPEN": "a request for the same is open",
    "NOTHING_TO_DO": "it is so already",
    "ALERT_DECIDED": "the alert was decided before",
    "ASKER_LEFT": "who asked for it does not hold the role any more",
}
#: What the database calls them, where a client knows it by another name.
_NAMES: Final = {
    "DECIDED": "REQUEST_DECIDED", "EXPIRED": "REQUEST_EXPIRED", "OPEN": "REQUEST_OPEN",
    "UNCHANGED": "NOTHING_TO_DO",
}  # fmt: skip


def officer(caller: Principal, network: str, *roles: Role) -> Officer:
    """The caller in the first of these roles that they hold. Raises Refused 403 ROLE_MISSING."""
    for role in roles:
        if role in caller.roles:
            return Officer(caller.user_id, role.value, network)
    raise _role_missing(*roles)


def require_officer(shards: Shards, by: Officer) -> None:
    """For what is only read: the database has to say so, too. Raises Refused 403 ROLE_MISSING,
    Retryable."""
    [[refused]] = shards.control.run(_HOLDS, actor=by.user_id, role=by.role)
    require(refused or "DONE", by.role)


def require(outcome: str, role: str) -> None:
    """Raises what the database's outcome means, unless it is that it was done."""
    if outcome in {"DONE", "ASKED"}:
        return
    code = _NAMES.get(outcome, outcome)
    if code == "ROLE_MISSING":
        raise _role_missing(role)
    if code == "NOT_FOUND":
        raise NotFound("there is no such user or request")
    if code in _REFUSALS:
        raise Refused(403, code, _REFUSALS[code])
    if code not in _CONFLICTS:
        raise InvariantViolated(f"no such outcome: {outcome}")
    raise Conflict(code, _CONFLICTS[code])


def require_state(shards: Shards, outcome: str, user_id: int | None) -> None:
    """Raises Conflict STATE_MOVED, with the state that the account is in, when the database says
    that it is not the one that was needed; else nothing. Retryable."""
    if outcome != "STATE_MOVED":
        return
    rows = shards.control.run(
        "SELECT state FROM identity.person WHERE user_id = :user::bigint", user=user_id
    )
    if rows:
        raise Conflict(outcome, f"the account is {rows[0][0]}, which does not take it")


def change_role(owner: Shards, user_id: int, role: Role, why: str, *, grant: bool) -> int:
    """Grants the role or takes it away as the machine's operator, with the owner's connections, and
    leaves the end of the user's sessions to be announced: the number of the entry.

    Raises NotFound, Conflict NOTHING_TO_DO or STATE_MOVED, Retryable.
    """
    [[outcome, audit_id]] = owner.control.run(
        _CHANGE, user=user_id, changed=role.value, grant=grant, why=why
    )
    require_state(owner, outcome, user_id)
    require(outcome, "system")
    return int(audit_id)


def _role_missing(*roles: str) -> Refused:
    return Refused(403, "ROLE_MISSING", f"this takes the role {' or '.join(roles)}")
