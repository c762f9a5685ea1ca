"""Which home a command speaks of, and the stack that runs in it."""

import os
from pathlib import Path

from infra.command.exits import NOT_REACHABLE, Failure
from infra.local.home import Home, StackFile, default_home


def home() -> Home:
    """OUTCRY_HOME, or the user's data folder."""
    named = os.environ.get("OUTCRY_HOME")
    return Home(Path(named) if named else default_home())


def running_stack(place: Home) -> StackFile:
    """The stack that runs there. Ends the command with NOT_REACHABLE when none does."""
    stack = place.read_stack()
    if stack is None:
        raise Failure(f"nothing runs in {place.path}; `outcry up` starts it", NOT_REACHABLE)
    return stack


def owner_urls(stack: StackFile) -> list[str]:
    """Every shard's address as the databases' owner, those added since the start too.

    Ends the command with NOT_REACHABLE when shard 0 doesn't answer.
    """
    import pg8000.native

    from infra.local.slots import shard_urls

    try:
        return shard_urls(stack.stores.postgres)
    except (pg8000.native.InterfaceError, OSError) as error:
        raise Failure(f"shard 0 does not answer: {error}", NOT_REACHABLE) from error
