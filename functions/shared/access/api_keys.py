"""API keys: what a program of a user may do, and from where. The truth is in PostgreSQL.

Invariant: a key alone opens nothing; with its owner's one-time code it opens a session that ends
with the day (SEBI, 4 February 2025). Of the secret, 256 bits shown once, only the digest is kept.
What a key says never changes, so its tokens carry it and no call has to look it up.
"""

import hashlib
import hmac
import ipaddress
import secrets as entropy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from functions.shared.access.principal import Scope, State, person_scopes
from functions.shared.access.sessions import Opening, Sessions, token_digest
from functions.shared.domain.errors import Conflict, NotFound, Refused
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.valkey import Valkey

KEYS_MAX: Final = 5
NETWORKS_MAX: Final = 8
#: What an order of a strategy that isn't registered is marked with. NSE's circular of 5 May 2025
#: (NSE/INVG/67858) has the exchange give such orders one id of its own.
GENERIC_ALGO: Final = "GENERIC"
#: A key is used from known addresses: networks no larger than these.
_PREFIX_MIN: Final = {4: 24, 6: 48}
_SECRET_BYTES: Final = 32
_COLUMNS: Final = "k.key_id, k.user_id, k.name, k.scopes, k.networks, k.algo_id, k.created_at"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it. `networks`: CIDR; none: from anywhere. `algo_id`: None where the
    strategy isn't registered."""

    key_id: str
    user_id: int
    name: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    algo_id: str | None
    created_at: datetime

    def session_scopes(self, state: State) -> frozenset[Scope]:
        """What its sessions may do while its owner is in that state. Whoever trades or moves funds
        reads, and whoever trades cancels; a program never has `account` or `admin`."""
        scopes: set[Scope] = {"read"}
        if "trade" in self.scopes:
            scopes |= {"trade", "cancel"}
        if "funds" in self.scopes:
            scopes.add("funds")
        return person_scopes(state, ()) & scopes

    @property
    def order_algo(self) -> str:
        """What its orders are marked with."""
        return self.algo_id or GENERIC_ALGO


def parse_network(text: str) -> str:
    """An address or CIDR network as CIDR. Raises ValueError for what is neither, has bits beyond
    its prefix, or is larger than a /24 (IPv6: a /48)."""
    network = ipaddress.ip_network(text.strip())
    least = _PREFIX_MIN[network.version]
    if network.prefixlen < least:
        raise ValueError(f"{network} is larger than a /{least}")
    return str(network)


def make_key(
    database: Database,
    user_id: int,
    *,
    name: str,
    scopes: Sequence[str],
    networks: Sequence[str],
    algo_id: str | None,
    network: str,
    now: datetime,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can ask for again. `network`: of who makes it.

    Raises Conflict (TOO_MANY_KEYS), Refused 403 SCOPE_MISSING when the account is not active, which
    it may have been when the request was let in.
    """
    made = ApiKey(
        f"key_{entropy.token_hex(8)}", user_id, name, tuple(scopes), tuple(networks), algo_id, now
    )
    secret = entropy.token_urlsafe(_SECRET_BYTES)
    rows = database.run(
        "SELECT identity.make_key(:key::text, :user::bigint, :name::text, :digest::bytea,"
        " :scopes::text[], :networks::text[], :algo::text, :now::timestamptz, :network::text)",
        key=made.key_id,
        user=user_id,
        name=name,
        digest=_digest(secret),
        scopes=list(scopes),
        networks=list(networks),
        algo=algo_id,
        now=now,
        network=network,
    )
    if rows[0][0] == "INACTIVE":
        raise Refused(403, "SCOPE_MISSING", "keys are for an active account")
    if rows[0][0] == "FULL":
        raise Conflict("TOO_MANY_KEYS", f"there are {KEYS_MAX} keys; delete one first")
    return made, secret


def live_keys(database: Database, user_id: int) -> list[ApiKey]:
    """The user's keys, the newest first."""
    rows = database.run(
        f"SELECT {_COLUMNS} FROM identity.api_key k WHERE k.user_id = :user::bigint"
        " AND k.ended_at IS NULL ORDER BY k.created_at DESC, k.key_id",
        user=user_id,
    )
    return [_key(row) for row in rows]


def end_key(
    database: Database, valkey: Valkey, user_id: int, key_id: str, network: str, now: datetime
) -> None:
    """Deletes a key and ends its sessions, everywhere, before it returns.

    Raises NotFound when the user has no such key, Retryable when its sessions have ended and that
    could not be made known: delete it again.
    """
    rows = database.run(
        "SELECT identity.end_key(:key::text, :user::bigint, :now::timestamptz, :network::text)"
        "::text[]",
        key=key_id,
        user=user_id,
        now=now,
        network=network,
    )
    if rows[0][0] is None:
        raise NotFound("you have no such key")
    Sessions(database, valkey).announce_ends(rows[0][0])


def key_of_secret(database: Database, key_id: str, secret: str) -> ApiKey:
    """Raises Refused 401 INVALID_CREDENTIALS, without saying whether there is such a key."""
    rows = database.run(
        f"SELECT {_COLUMNS}, k.digest FROM identity.api_key k"
        " WHERE k.key_id = :key::text AND k.ended_at IS NULL",
        key=key_id,
    )
    stored = bytes(rows[0][-1]) if rows else bytes(_SECRET_BYTES)
    if not hmac.compare_digest(stored, _digest(secret)) or not rows:
        raise wrong_key()
    return _key(rows[0][:-1])


def open_key_session(
    database: Database,
    key: ApiKey,
    factors: bytes,
    opening: Opening,
    network: str,
    country: str | None,
    now: datetime,
) -> None:
    """`factors`: what counted for its owner (see accounts.Login) when their code was right.

    Raises Refused 401 INVALID_CREDENTIALS when those, or the key, count no more.
    """
    rows = database.run(
        "SELECT identity.open_key_session(:key::text, :factors::bytea, :sid::uuid,"
        " :refresh::bytea, :now::timestamptz, :ends::timestamptz, :logout::timestamptz,"
        " :network::text, :country::text)",
        key=key.key_id,
        factors=factors,
        sid=opening.session_id,
        refresh=token_digest(opening.refresh),
        now=now,
        ends=opening.end.expires_at,
        logout=opening.end.logout_at,
        network=network,
        country=country,
    )
    if not rows[0][0]:
        raise wrong_key()


def key_of_session(database: Database, session_id: str) -> ApiKey | None:
    """The key that a session was opened with; None: a person opened it."""
    rows = database.run(
        f"SELECT {_COLUMNS} FROM identity.key_session JOIN identity.api_key k USING (key_id)"
        " WHERE session_id = :sid::uuid",
        sid=session_id,
    )
    return _key(rows[0]) if rows else None


def key_of_refresh(database: Database, token: str) -> ApiKey | None:
    """The key behind a refresh token, whether the token still counts or not."""
    rows = database.run(
        f"SELECT {_COLUMNS} FROM identity.refresh_token JOIN identity.key_session"
        " USING (session_id) JOIN identity.api_key k USING (key_id)"
        " WHERE refresh_token.digest = :digest::bytea",
        digest=token_digest(token),
    )
    return _key(rows[0]) if rows else None


def require_registered(shards: Shards, user_id: int, algo_id: str, today: date) -> None:
    """Raises Conflict (ALGO_NOT_REGISTERED) when no registration of the user's with that id is in
    force."""
    rows = shards.of_user(user_id).run(
        "SELECT FROM ledger.algo_registration WHERE user_id = :user::bigint"
        " AND algo_id = :algo::text AND :today::date BETWEEN valid_from AND valid_to",
        user=user_id,
        algo=algo_id,
        today=today,
    )
    if not rows:
        raise Conflict("ALGO_NOT_REGISTERED", f"{algo_id[:64]} is not registered for you")


def wrong_key() -> Refused:
    return Refused(401, "INVALID_CREDENTIALS", "the key, its secret or the code is not right")


def _key(row: Sequence[object]) -> ApiKey:
    key_id, user_id, name, scopes, networks, algo_id, created_at = row
    return ApiKey(key_id, user_id, name, tuple(scopes), tuple(networks), algo_id, created_at)  # type: ignore[arg-type]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
