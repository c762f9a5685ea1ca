"""An access token of the demo user, for programs and curl on this machine.

Invariant: the credentials are read from OUTCRY_HOME and sent to this home's own API alone. A
one-time code works once, so the next one is waited for when this one is spent.
"""

import time
from collections.abc import Callable

import httpx
import pyotp

from infra.command.exits import NOT_REACHABLE, NOT_SIGNED_IN, Failure
from infra.local.home import DemoUser

_STEP_SECONDS = 30
_TRIES = 3


def demo_token(api: str, user: DemoUser, sleep: Callable[[float], None] = time.sleep) -> str:
    """The token. Raises Failure when the API is away or won't sign the user in."""
    codes = pyotp.TOTP(user.totp_secret)
    answer: httpx.Response | None = None
    for attempt in range(_TRIES):
        if attempt:
            sleep(_STEP_SECONDS)
        body = {"username": user.username, "password": user.password, "totp": codes.now()}
        try:
            answer = httpx.post(f"{api}/v1/auth/login", json=body, timeout=10)
        except httpx.HTTPError as error:
            raise Failure(f"the API does not answer: {error}", NOT_REACHABLE) from error
        if answer.status_code == httpx.codes.OK:
            return str(answer.json()["access_token"])
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            break
    detail = "no answer" if answer is None else answer.text[:200]
    raise Failure(f"can't sign in: {detail}", NOT_SIGNED_IN)
