"""Errors by what the caller must do. A refusal by a rule is a value (`Rule`), not an error."""


class NotFound(Exception):
    """Nothing by that name, or it is someone else's: 404."""


class Conflict(Exception):
    """What was asked contradicts what is: 409. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Refused(Exception):
    """The request is malformed or not allowed: a 4xx with a stable `code`."""

    def __init__(self, status: int, code: str, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.extra = extra


class Retryable(Exception):
    """Our side is briefly unable: a stream redelivers, HTTP answers 503 with Retry-After."""

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Fenced(Exception):
    """Another process has taken over what this one held: change nothing more, and end."""


class PeerProtocolError(Exception):
    """The other side broke its protocol: close that session or connection, count it, go on."""


class InvariantViolated(Exception):
    """Our bug or corrupt data: end the invocation or process; never go on.

    `sqlstate` is PostgreSQL's code (its manual, appendix A) when the database said so, else empty.
    """

    def __init__(self, detail: str, sqlstate: str = "") -> None:
        super().__init__(detail)
        self.sqlstate = sqlstate
