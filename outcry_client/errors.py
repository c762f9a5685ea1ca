"""What a client of the broker can meet, by what it has to do next."""

from collections.abc import Mapping
from typing import Any


class BrokerError(Exception):
    """The broker's HTTP side did not do what it was asked."""


class UnreachableError(BrokerError):
    """No answer in time, or none that says what happened: the outcome is unknown."""


class RefusedError(BrokerError):
    """The broker answered with a problem (RFC 9457): a refusal, a conflict, a bad request."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"answered {status}")
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem


class SignedOutError(Exception):
    """The broker no longer accepts this session; the user has to sign in again."""
