"""An owner's closing of their own account, as PostgreSQL keeps it: begun, and ended or taken back.

Invariant: only a freeze that the owner began, and that nobody has moved on since, is ended here.
"""

from dataclasses import dataclass
from typing import Final

from functions.shared.stores.postgres import Shards

_WHY: Final = "closed by its owner"
_BEGIN: Final = (
    "SELECT audit_id, ended::text[] FROM identity.begin_closing(:user::bigint, :why::text,"
    " :network::text)"
)
_END: Final = (
    "SELECT moved, audit_id, ended::text[] FROM identity.end_closing(:user::bigint,"
    " :begun::bigint, :close::boolean, :why::text, :network::text)"
)


@dataclass(frozen=True, slots=True)
class Closing:
    """One step of it. `audit_id`: the entry of what is left to be done where the account lives;
    `ended`: the sessions that ended with it."""

    user_id: int
    moved: bool
    audit_id: int | None
    ended: list[str]


def begin_closing(shards: Shards, user_id: int, network: str) -> Closing:
    """Freezes an active account; `moved` is False for any other."""
    rows = shards.control.run(_BEGIN, user=user_id, why=_WHY, network=network)
    audit_id, ended = rows[0]
    return Closing(user_id, audit_id is not None, audit_id, ended)


def end_closing(shards: Shards, begun: Closing, network: str, *, close: bool) -> Closing:
    """Closes what was begun, or an account that was never active; or lets it be active again."""
    rows = shards.control.run(
        _END, user=begun.user_id, begun=begun.audit_id, close=close, why=_WHY, network=network
    )
    return Closing(begun.user_id, *rows[0])
