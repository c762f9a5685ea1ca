"""What schemathesis's calls are given beside what it makes up (tests/e2e/schemathesis.toml)."""

import itertools
import os
from typing import Any, Final

import schemathesis

#: What ends the session that calls is called by somebody who does nothing else.
_ENDING: Final = {"POST /v1/auth/logout", "DELETE /v1/auth/sessions/{session_id}"}
_calls = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Each call comes from a network of its own, through a proxy that the stack trusts: there are
    limits by network, and what lies behind them is looked at, too."""
    number = next(_calls)
    case.headers["X-Forwarded-For"] = f"198.18.{number // 256 % 256}.{number % 256}"
    if case.operation.label in _ENDING and "Authorization" in case.headers:
        case.headers["Authorization"] = f"Bearer {os.environ['LEAVER']}"
