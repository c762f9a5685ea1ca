"""Who asks: what a verified token says, and nothing a client said by itself.

Invariant: scopes alone decide what a session may do. They are stamped at login and at each refresh
from the person's state and roles, for a program from its key as well; no route asks for the state
a second time.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from functions.shared.access.addresses import parse_address
from functions.shared.domain.errors import Refused

Mode = Literal["PAPER", "LIVE"]
State = Literal["APPLIED", "VERIFIED", "ACTIVE", "FROZEN", "CLOSED"]
#: A person signed in by password and code, or a program by an API key and a code.
Kind = Literal["PERSON", "PROGRAM"]
#: `read`: all that is one's own; `trade`: place and change orders; `cancel`: take orders back;
#: `funds`: money in and out; `account`: profile, keys, sessions, password, bank; `admin`: the
#: broker's own staff.
Scope = Literal["read", "trade", "cancel", "funds", "account", "admin"]
SCOPES: Final[frozenset[Scope]] = frozenset(get_args(Scope))
#: Who holds one of these may ask for what is under /v1/admin; each route there names its role.
STAFF_ROLES: Final = frozenset({"support", "risk_officer", "auditor"})
_OF_STATE: Final[Mapping[str, frozenset[Scope]]] = {
    "APPLIED": frozenset({"account"}),
    "VERIFIED": frozenset({"account"}),
    "ACTIVE": frozenset({"read", "trade", "cancel", "funds", "account"}),
    "FROZEN": frozenset({"read", "cancel"}),
    "CLOSED": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The user behind a request or a connection, until `expires_at` (wall clock, UTC).

    `addresses`: the networks (CIDR) that a program's calls may come from; none: from anywhere.
    `algo_id`: what its orders are marked with at the exchange.
    """

    user_id: int
    session_id: str
    roles: tuple[str, ...]
    mode: Mode
    region: str
    expires_at: datetime
    scopes: frozenset[str]
    kind: Kind = "PERSON"
    addresses: tuple[str, ...] = ()
    algo_id: str | None = None

    @property
    def live(self) -> bool:
        """Whether the user's orders are for real money."""
        return self.mode == "LIVE"


def require_address(principal: Principal, address: str) -> None:
    """Raises Refused 403 ADDRESS_NOT_ALLOWED for a call from outside the key's networks."""
    require_network(principal.addresses, address)


def require_network(networks: tuple[str, ...], address: str) -> None:
    """As require_address, of a key's own networks; none: from anywhere."""
    if networks and not _is_within(address, networks):
        raise Refused(403, "ADDRESS_NOT_ALLOWED", f"the key is not used from {address[:64]}")


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    parsed = parse_address(address)
    return parsed is not None and any(
        parsed in ipaddress.ip_network(network) for network in networks
    )


def person_scopes(state: str, roles: tuple[str, ...]) -> frozenset[Scope]:
    """What a person in that state may do by a session of their own."""
    scopes = _OF_STATE[state]
    return scopes | {"admin"} if state == "ACTIVE" and STAFF_ROLES & set(roles) else scopes


def require_scopes(principal: Principal, scopes: Iterable[str]) -> None:
    """Raises Refused 403 SCOPE_MISSING, telling a person what their account's state has to do with
    it: scopes are stamped from it."""
    if missing := [scope for scope in scopes if scope not in principal.scopes]:
        raise Refused(403, "SCOPE_MISSING", _why_missing(principal, missing[0]))


def _why_missing(principal: Principal, scope: str) -> str:
    said = f"the session has no scope {scope}"
    if principal.kind != "PERSON" or scope == "admin" or principal.scopes >= _OF_STATE["ACTIVE"]:
        return said
    if principal.scopes == _OF_STATE["FROZEN"]:
        return f"{said}: the account was frozen; it may read and cancel orders. Write to us"
    return (
        f"{said}: the account was not active when its token was made; GET /v1/account tells the"
        " state and what is missing. Once it is ACTIVE, renew the token or log in again"
    )
