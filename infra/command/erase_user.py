"""`outcry users erase`: a person is forgotten, and the ledger stays whole.

Invariant: only an empty account is erased, and it is closed first, so that nothing is left that
somebody would have to be found for. What goes is the person's key: backups hold nothing readable.
"""

from typing import Final

from functions.shared.access.people import (
    SYSTEM,
    erase_person,
    move_person,
    read_state,
    user_named,
)
from functions.shared.bookkeeping.closing import what_remains
from functions.shared.domain.errors import NotFound
from functions.shared.stores.postgres import Shards
from functions.shared.stores.valkey import open_valkey
from infra.command.exits import DONE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home, running_stack

_ANY: Final = ("APPLIED", "VERIFIED", "ACTIVE", "FROZEN")


def erase(username: str, *, why: str = "by the machine's operator") -> int:
    """Close a user's empty account and destroy what identifies them, for good.

    Args:
        username: whose
        why: for the audit trail
    """
    stack = running_stack(home())
    shards, valkey = Shards(stack.stores.postgres, "users"), open_valkey(stack.stores.valkey)
    try:
        try:
            user_id = user_named(shards, username)
        except NotFound as error:
            raise Failure(str(error), WRONG_USAGE) from error
        if remains := what_remains(shards, user_id):
            raise Failure(f"{username} still has: {', '.join(remains)}", REFUSED)
        if read_state(shards, user_id) != "CLOSED":
            move_person(shards, valkey, user_id, _ANY, "CLOSED", SYSTEM, why)
            if remains := what_remains(shards, user_id):  # begun before the sessions ended
                raise Failure(f"closed, not erased: there is {', '.join(remains)}", REFUSED)
        if not erase_person(shards, valkey, user_id, SYSTEM, why):
            raise Failure(f"{username} could not be erased", REFUSED)
    finally:
        valkey.close()
        shards.close()
    print(f"{username} is erased; the books know them as {user_id}")
    return DONE
