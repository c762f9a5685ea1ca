"""A person's account: the state that decides what a login of theirs may do.

Invariant: PostgreSQL's table of moves is the only one; a move, its audit entry and the end of the
sessions it takes away are one transaction. What has ended there is then announced; when that fails
the caller hears Retryable and announces again by ending the sessions once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from functions.shared.access.principal import State
from functions.shared.access.sessions import Sessions
from functions.shared.domain.errors import NotFound
from functions.shared.stores.postgres import Shards
from functions.shared.stores.valkey import Valkey

_MOVE: Final = (
    "SELECT moved, state, ended::text[] FROM identity.move_person(:user::bigint, :from::text[],"
    " :to::text, :actor::bigint, :role::text, :why::text, :network::text)"
)
_ACTIVATE: Final = "SELECT moved, state, ended::text[] FROM identity.activate_person(:user::bigint)"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who moves an account: `user_id` None for the system; `network` as `network_of` gives it."""

    user_id: int | None
    role: str
    network: str | None = None


SYSTEM: Final = Actor(None, "system")


@dataclass(frozen=True, slots=True)
class Moved:
    """`state`: where the person is now, None for nobody."""

    moved: bool
    state: State | None


def activate_person(shards: Shards, valkey: Valkey, user_id: int) -> Moved:
    """Activates a verified person who has an authenticator and a bank account. Raises Retryable."""
    return _told(shards, valkey, shards.control.run(_ACTIVATE, user=user_id)[0])


def move_person(
    owner: Shards,
    valkey: Valkey,
    user_id: int,
    sources: Sequence[State],
    to: State,
    actor: Actor,
    why: str,
) -> Moved:
    """Moves a person from one of `sources`, where the table of moves allows it: as the machine's
    operator, with the owner's connections.

    Raises Retryable when their sessions have ended and it could not be made known.
    """
    rows = owner.control.run(
        _MOVE,
        **{"user": user_id, "from": list(sources), "to": to, "actor": actor.user_id},
        role=actor.role,
        why=why,
        network=actor.network,
    )
    return _told(owner, valkey, rows[0])


def _told(shards: Shards, valkey: Valkey, row: Sequence[Any]) -> Moved:
    moved, state, ended = row
    Sessions(shards.control, valkey).announce_ends(ended)
    return Moved(moved, state)


def erase_person(owner: Shards, valkey: Valkey, user_id: int, actor: Actor, why: str) -> bool:
    """Destroys the key and particulars of a person whose account is closed; the number stays, and
    the ledger is whole. With the owner's connections: on the API it takes two officers. False when
    the account isn't closed, or there is nothing left to erase."""
    rows = owner.control.run(
        "SELECT erased, ended::text[] FROM identity.erase_person(:user::bigint, :actor::bigint,"
        " :role::text, :why::text, :network::text)",
        user=user_id,
        actor=actor.user_id,
        role=actor.role,
        why=why,
        network=actor.network,
    )
    erased, ended = rows[0]
    Sessions(owner.control, valkey).announce_ends(ended)
    return bool(erased)


def read_state(shards: Shards, user_id: int) -> State | None:
    """None for nobody."""
    rows = shards.control.run(
        "SELECT state FROM identity.person WHERE user_id = :user::bigint", user=user_id
    )
    return rows[0][0] if rows else None


def user_named(shards: Shards, username: str) -> int:
    """The number behind a user name, whatever the state. Raises NotFound."""
    rows = shards.control.run(
        "SELECT user_id FROM identity.login WHERE username = :name",
        name=username.strip().lower(),
    )
    if not rows:
        raise NotFound(f"there is no user {username}")
    return int(rows[0][0])
