"""An access token of the demo user, for programs and curl on this machine.

Invariant: the credentials are read from OUTCRY_HOME and sent to this home's own API alone. A
one-time code works once, so the next one is waited for when this one is spent.
"""

import time
from collections.abc import Callable

import httpx
import msgspec
import pyotp

from infra.command.exits import NOT_REACHABLE, NOT_SIGNED_IN, Failure
from infra.local.home import DemoUser

_STEP_SECONDS = 30
_TRIES = 3


class SignedIn(msgspec.Struct, frozen=True):
    """The answer to a login; `expires_in` is in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str


def demo_token(api: str, user: DemoUser, sleep: Callable[[float], None] = time.sleep) -> str:
    """The token. Raises Failure when the API is away or won't sign the user in."""
    return sign_in(api, user, sleep).access_token


def sign_in(api: str, user: DemoUser, sleep: Callable[[float], None] = time.sleep) -> SignedIn:
    """A session's tokens. Raises Failure as `demo_token` does."""
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
            return msgspec.json.decode(answer.content, type=SignedIn)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            break
    detail = "no answer" if answer is None else answer.text[:200]
    raise Failure(f"can't sign in: {detail}", NOT_SIGNED_IN)
