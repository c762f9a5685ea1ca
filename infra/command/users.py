"""`outcry users`: what the machine's operator does to users. Each thing is in the audit trail, in
the name of the system.

Invariant: the first officers are made here, for on the API a role takes two officers already.
"""

from typing import Annotated

import cyclopts
from cyclopts import Parameter

from functions.shared.access.accounts import find_login
from functions.shared.access.interventions import finish, left_by, sessions_ended
from functions.shared.access.roles import Role, change_role
from functions.shared.access.sessions import Sessions
from functions.shared.domain.errors import Conflict, NotFound
from functions.shared.stores.postgres import Shards
from functions.shared.stores.valkey import open_valkey
from infra.command.erase_user import erase
from infra.command.exits import DONE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home, running_stack

users_app = cyclopts.App(name="users", help="Users, as the machine's operator.")
users_app.command(erase)


@users_app.command
def role(
    username: str,
    role: Annotated[Role, Parameter(help="support, risk_officer or auditor")],
    *,
    revoke: bool = False,
    why: str = "by the machine's operator",
) -> int:
    """Grant a user a role of the broker's own people, or take it away. Their sessions end.

    Args:
        username: whose
        revoke: take it away
        why: for the audit trail
    """
    stack = running_stack(home())
    shards = Shards(stack.stores.postgres, "users")
    try:
        login = find_login(shards, username)
        if login is None:
            raise Failure(f"there is no user {username}", WRONG_USAGE)
        try:
            entry = change_role(shards, login.user_id, role, why, grant=not revoke)
        except (Conflict, NotFound) as error:
            raise Failure(f"{username}: {error}", REFUSED) from error
        _announce(shards, stack.stores.valkey, login.user_id, entry)
    finally:
        shards.close()
    print(f"{username} {'no longer holds' if revoke else 'holds'} the role {role}")
    return DONE


def _announce(shards: Shards, valkey_url: str, user_id: int, entry: int) -> None:
    """Ends the copies and sockets of the user's sessions; if it can't, the schedule does."""
    valkey = open_valkey(valkey_url)
    try:
        ended = sessions_ended(shards, user_id)
        Sessions(shards.control, valkey).announce_ends(ended)
        for intervention in left_by(shards, entry):
            finish(shards, intervention.audit_id, None)
    finally:
        valkey.close()
