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
