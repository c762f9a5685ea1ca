"""Exit codes, the same for every command, and the one way to end with one.

Invariant: an answer goes to standard output, a failure to standard error with its code.
"""

DONE = 0
CHECK_FAILED = 1
WRONG_USAGE = 2
REFUSED = 3
NOT_SIGNED_IN = 4
NOT_REACHABLE = 5


class Failure(Exception):
    """Ends the command with a message for the person who typed it, and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
